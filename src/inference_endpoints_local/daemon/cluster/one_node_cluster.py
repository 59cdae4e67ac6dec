"""A Ray cluster of one node for trying it out: it starts with the plane and ends with it, however the plane ends."""

import asyncio
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from contextlib import suppress
from pathlib import Path

from inference_endpoints_local.daemon.plane_errors import ClusterUnusable
from inference_endpoints_local.engines.engine import WorkerAddress
from inference_endpoints_local.engines.ray.cluster_hardware import read_nodes
from inference_endpoints_local.engines.ray.rest_client import APPLICATIONS, NODES, ClusterFailed, RayRestClient
from inference_endpoints_local.loopback import HOST
from inference_endpoints_local.parent_death import ending_with_us

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 5.0
_OBJECT_STORE_BYTES = 80_000_000  # the least that Ray takes: replicas keep nothing there


class OneNodeCluster:
    """A head with this machine's cores. `address` has its REST API, `serve_port` is for calls."""

    def __init__(self, data_dir: Path, cores: int) -> None:
        self.token_file = data_dir / "ray-token"
        dashboard_port, self.serve_port, self._client_port, self._agent_port = _free_ports(4)
        self.address = WorkerAddress(HOST, dashboard_port, secrets.token_urlsafe(32))
        self._cores = cores
        self._log = data_dir / "ray.log"
        self._link = data_dir / "ray"
        self._folder = _new_folder(self._link)
        self._process: Process | None = None

    async def start(self) -> None:
        """Returns once it answers. Raises ClusterUnusable."""
        if importlib.util.find_spec("ray") is None:
            raise ClusterUnusable(
                "--ray-start needs Ray on this machine: pip install 'inference-endpoints-mcp[ray-node]'."
            )
        self.token_file.unlink(missing_ok=True)
        self.token_file.touch(mode=0o600)
        self.token_file.write_text(self.address.secret, encoding="ascii")
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(),
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                start_new_session=True,
                # Ray then ends all its processes.
                preexec_fn=ending_with_us(signal.SIGTERM),
            )
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while not await self._answers():
                    if self._process.returncode is not None:
                        raise ClusterUnusable(f"The Ray cluster did not start. The end of {self._log} shows why.")
                    await asyncio.sleep(0.1)
        except TimeoutError:
            await self.stop()
            raise ClusterUnusable(
                f"The Ray cluster did not start in {START_TIMEOUT_S:.0f} s. The end of {self._log} shows more."
            ) from None

    async def _answers(self) -> bool:
        """Whether both parts of its REST API do. They start some seconds after its port, and one after the other."""
        client = RayRestClient(self.address)
        try:
            await client.get(APPLICATIONS)
            return bool(read_nodes(await client.get(NODES), {}))
        except ClusterFailed:
            return False

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                with suppress(ProcessLookupError):
                    process.kill()  # Ray's own reaper then ends the others
                await process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._link.unlink(missing_ok=True)

    def _command(self) -> list[str]:
        ports = {
            "port": 0,
            "dashboard-port": self.address.port,
            "ray-client-server-port": self._client_port,
            "dashboard-agent-listen-port": self._agent_port,
            "min-worker-port": 0,
            "max-worker-port": 0,
        }
        return [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats"),
            *(f"--dashboard-host={HOST}", f"--num-cpus={self._cores}", f"--temp-dir={self._folder}"),
            f"--object-store-memory={_OBJECT_STORE_BYTES}",
            *(f"--{name}={port}" for name, port in ports.items()),
        ]

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token_file),
            "RAY_USAGE_STATS_ENABLED": "0",
            # The plane has ended its replicas before. Ray would wait 30 s for those that are left.
            "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
        }


def _new_folder(link: Path) -> Path:
    """A folder that `link` shows. Not below it: the path of a Unix socket has at most 107 characters.

    The folder of a plane that was killed is deleted.
    """
    if link.is_symlink():
        shutil.rmtree(link.readlink(), ignore_errors=True)
        link.unlink()
    folder = Path(tempfile.mkdtemp(prefix="ie-ray-"))
    link.symlink_to(folder)
    return folder


def _free_ports(count: int) -> list[int]:
    """Ports that are free now. Another process may take one before Ray does; then Ray does not start, and says so."""
    taken = [socket.create_server((HOST, 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in taken]
    finally:
        for each in taken:
            each.close()
