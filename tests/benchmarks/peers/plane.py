"""The plane that clients are measured against: in a process of its own, in a folder that goes with it."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.service.captures import CAPTURES

from inference_endpoints.transport.http import httpx
from inference_endpoints_local.daemon.connect import RunningPlane, StartOptions, connect_plane, stop_plane, take_lease

SIMULATED_SPEED = 1_000.0
_CREATE = CAPTURES / "create-minimal-hub-2.4.0.json"


@dataclass(frozen=True)
class Plane:
    """A running plane, with the plainest client there is."""

    folder: Path
    connection: RunningPlane
    http: httpx.Client

    @property
    def server_options(self) -> list[str]:
        """What our server is started with to join it."""
        return ["--local", "--data-dir", str(self.folder), "--simulated"]

    def path(self, *parts: str) -> str:
        """Where a namespace's endpoints are, or one of them."""
        return "/".join((f"{self.connection.url}/v2/endpoint/{self.connection.namespace}", *parts))

    def get(self, name: str) -> dict[str, Any]:
        return dict(self.http.get(self.path(name)).raise_for_status().json())

    def create(self, name: str) -> None:
        """Create a simulated endpoint of one replica."""
        body = json.loads(_CREATE.read_text("utf-8")) | {"name": name}
        self.http.post(self.path(), json=body).raise_for_status()

    def fill(self, count: int) -> None:
        """Create so many endpoints, each paused at once: quota counts those that are not."""
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(self._create_paused, range(count)))

    def _create_paused(self, number: int) -> None:
        name = f"fleet-{number}"
        self.create(name)
        self.http.post(self.path(name, "pause")).raise_for_status()


@contextmanager
def running_plane(speed: float = SIMULATED_SPEED, quota: int = StartOptions.cloud_quota) -> Iterator[Plane]:
    """Start a plane that also simulates; stop it at the end, whatever happens, and remove its folder.

    `speed` is how much faster than the clock simulated time runs, `quota` the accelerators of each kind.
    """
    options = StartOptions(namespace="bench", simulated=True, simulated_speed=speed, cloud_quota=quota)
    with TemporaryDirectory(prefix="inference-endpoints-benchmark-") as name, asyncio.Runner() as runner:
        folder = Path(name)
        connection = runner.run(connect_plane(folder, options))
        held = runner.run(take_lease(connection))
        try:
            with httpx.Client(headers={"Authorization": f"Bearer {connection.token}"}, timeout=30) as http:
                yield Plane(folder, connection, http)
        finally:
            runner.run(held.aclose())
            runner.run(stop_plane(folder))
