"""Start the embedded control plane of a data folder, or join the one that runs.

The MCP server imports this module alone of the local package, so it is quick to import. The plane runs in a process of
its own, detached from the process that started it, and lives as long as someone holds a lease.
"""

import asyncio
import re
import subprocess
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from inference_endpoints_local import own_version
from inference_endpoints_local.daemon.cluster.ray_options import RayOptions as RayOptions
from inference_endpoints_local.daemon.data_folder import DataFolder
from inference_endpoints_local.daemon.data_folder import RunningPlane as RunningPlane
from inference_endpoints_local.daemon.launcher import Launcher, not_reachable
from inference_endpoints_local.daemon.local_requests import request, send
from inference_endpoints_local.daemon.plane_errors import ClusterUnusable, NotReachable, NotSimulated
from inference_endpoints_local.daemon.plane_errors import PlaneError as PlaneError
from inference_endpoints_local.daemon.start_options import StartOptions as StartOptions
from inference_endpoints_local.isolated_python import isolated

START_TIMEOUT_S = 20.0
"""How long a plane may take to start."""
CLUSTER_START_TIMEOUT_S = 90.0
"""How much longer it may take if it starts a cluster first."""
STOP_TIMEOUT_S = 10.0
"""How long a plane may take to stop."""
_POLL_INTERVAL_S = 0.02


class Lease:
    """Keeps a plane alive while it is open. It is an open connection, so it also ends with this process."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._ended = asyncio.create_task(_wait_for_end(reader))

    @property
    def alive(self) -> bool:
        """Whether the plane still holds it. If not, connect again and take another."""
        return not self._ended.done()

    async def aclose(self) -> None:
        self._ended.cancel()
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


_DEFAULTS = StartOptions()


async def connect_plane(data_dir: Path, options: StartOptions = _DEFAULTS) -> RunningPlane:
    """Join the plane of a data folder, or start it in the background and wait until it is ready.

    It replaces an idle plane that is of an older version, that does not simulate though the options require it, or that
    has another cluster or fewer model folders. It joins a busy one: see `RunningPlane.version` and `model_folders`.
    Take a lease next, or the plane ends by itself. Raises a PlaneError.
    """
    folder = DataFolder(data_dir)
    folder.prepare()
    launcher = Launcher(folder, options)
    cluster_s = CLUSTER_START_TIMEOUT_S if options.ray and options.ray.start else 0.0
    deadline = time.monotonic() + START_TIMEOUT_S + cluster_s
    while time.monotonic() < deadline:
        plane = folder.running_plane()
        if plane is None:
            launcher.ensure_started()
        elif await request(plane, "GET", "/local/status") == 200:
            if not await _stop_outdated(plane, options):
                return plane
            # Others may rely on its simulation.
            launcher.options = replace(
                options,
                simulated=options.simulated or plane.simulated,
                model_folders=_joined(options.model_folders, plane.model_folders),
            )
        await asyncio.sleep(_POLL_INTERVAL_S)
    raise not_reachable(folder)


def find_plane(data_dir: Path) -> RunningPlane | None:
    """The plane that serves a data folder; None if there is none."""
    return DataFolder(data_dir).running_plane()


def describe_confinement() -> str:
    """What this system denies a worker, found by confining a process of its own. Blocks."""
    try:
        found = subprocess.run(  # noqa: S603
            isolated("inference_endpoints_local.confinement"),
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"could not be tried ({type(error).__name__})"
    return found.stdout.strip()


async def take_lease(connection: RunningPlane) -> Lease:
    """Take a lease on a plane. Raises NotReachable if the plane has ended: connect again."""
    response = await send(connection, "GET", "/local/lease")
    if response is None or response.status != 200:
        raise NotReachable("The control plane has ended in the meantime. Connect again.")
    return Lease(response.reader, response.writer)


async def stop_plane(data_dir: Path) -> bool:
    """End the plane of a data folder and wait until it has ended. False if none ran.

    Its endpoints are unchanged when it starts again. Raises NotReachable if it does not end.
    """
    folder = DataFolder(data_dir)
    stopped: int | None = None
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while folder.is_locked() and time.monotonic() < deadline:
        plane = folder.running_plane()
        if plane is not None and stopped not in (None, plane.pid):
            return True  # this is already another plane
        if plane is not None and await request(plane, "POST", "/local/stop") == 202:
            stopped = plane.pid
        await asyncio.sleep(_POLL_INTERVAL_S)
    if folder.is_locked():
        raise not_reachable(folder)
    return stopped is not None


async def _stop_outdated(plane: RunningPlane, options: StartOptions) -> bool:
    """Stop the plane if it is idle, and older or without a required simulation or model folder. Returns whether it
    stops."""
    lacks_simulation = options.simulated and not plane.simulated
    lacks_cluster = options.ray is not None and options.ray != plane.ray
    lacks_folders = _joined(options.model_folders, plane.model_folders) != plane.model_folders
    lacks = lacks_simulation or lacks_folders or lacks_cluster
    if not lacks and _release(plane.version) >= _release(own_version()):
        return False
    if await request(plane, "POST", "/local/stop?when=idle") != 409:
        return True
    if lacks_cluster:
        raise ClusterUnusable(
            f"The control plane of this data folder (process {plane.pid}) runs models elsewhere and is busy, so it "
            "cannot use this Ray cluster. Pause its endpoints first, or choose another --data-dir."
        )
    if lacks_simulation:
        raise NotSimulated(
            f"The control plane of this data folder (process {plane.pid}) serves real models and is busy, "
            "so it cannot simulate. Pause its endpoints first, or choose another --data-dir for simulated ones."
        )
    return False


def _joined(folders: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """The model folders of both; empty, which is anywhere, if those of one are."""
    return tuple(sorted({*folders, *others})) if folders and others else ()


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


async def _wait_for_end(reader: asyncio.StreamReader) -> None:
    # The plane sends nothing on a lease until it ends.
    with suppress(OSError):
        await reader.read(1)
