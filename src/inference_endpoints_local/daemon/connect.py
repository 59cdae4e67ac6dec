"""Start the embedded control plane of a data folder, or join the one that runs.

The MCP server imports this module alone of the local package, so it is quick to import. The plane runs in a process of
its own, detached from the process that started it, and lives as long as someone holds a lease.
"""

import asyncio
import re
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from inference_endpoints_local import own_version
from inference_endpoints_local.daemon.data_folder import DataFolder
from inference_endpoints_local.daemon.data_folder import RunningPlane as RunningPlane
from inference_endpoints_local.daemon.plane_errors import (
    ClusterUnusable,
    DiskFull,
    FolderInUse,
    FolderUnusable,
    NotReachable,
    NotSimulated,
    PortInUse,
    StoreUnusable,
)
from inference_endpoints_local.daemon.plane_errors import PlaneError as PlaneError
from inference_endpoints_local.daemon.ray_options import RayOptions as RayOptions
from inference_endpoints_local.isolated_python import isolated

START_TIMEOUT_S = 20.0
"""How long a plane may take to start."""
CLUSTER_START_TIMEOUT_S = 90.0
"""How much longer it may take if it starts a cluster first."""
STOP_TIMEOUT_S = 10.0
"""How long a plane may take to stop."""
_RESPONSE_TIMEOUT_S = 5.0
_POLL_INTERVAL_S = 0.02
# Windows only.
_DETACHED: int = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


@dataclass(frozen=True)
class StartOptions:
    """The options with which a plane starts if none runs. The namespace is the user's name unless one is given.

    `cloud_quota` is in simulated accelerators per vendor and instance type. Model files may be in `model_folders`
    alone, given by their absolute paths; empty: anywhere. The plane ends once it was unused for `linger` seconds. With
    `ray`, models run on that cluster.
    """

    namespace: str | None = None
    simulated: bool = False
    simulated_speed: float = 1.0
    cloud_quota: int = 16
    model_folders: tuple[str, ...] = ()
    port: int | None = None
    linger: float = 60.0
    ray: RayOptions | None = None


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
    launcher = _Launcher(folder, options)
    cluster_s = CLUSTER_START_TIMEOUT_S if options.ray and options.ray.start else 0.0
    deadline = time.monotonic() + START_TIMEOUT_S + cluster_s
    while time.monotonic() < deadline:
        plane = folder.running_plane()
        if plane is None:
            launcher.ensure_started()
        elif await _request(plane, "GET", "/local/status") == 200:
            if not await _stop_outdated(plane, options):
                return plane
            # Others may rely on its simulation.
            launcher.options = replace(
                options,
                simulated=options.simulated or plane.simulated,
                model_folders=_joined(options.model_folders, plane.model_folders),
            )
        await asyncio.sleep(_POLL_INTERVAL_S)
    raise _not_reachable(folder)


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
    response = await _send(connection, "GET", "/local/lease")
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
        if plane is not None and await _request(plane, "POST", "/local/stop") == 202:
            stopped = plane.pid
        await asyncio.sleep(_POLL_INTERVAL_S)
    if folder.is_locked():
        raise _not_reachable(folder)
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
    if await _request(plane, "POST", "/local/stop?when=idle") != 409:
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


class _Launcher:
    """Starts a plane in the background. Of several started at once, the folder's lock selects one."""

    def __init__(self, folder: DataFolder, options: StartOptions) -> None:
        self.options = options
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def ensure_started(self) -> None:
        """Start a plane unless one is starting. Raises a PlaneError that states why ours could not start."""
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return
            if code not in (0, FolderInUse.exit_code):
                raise self._start_error(code)
        if not self._folder.is_locked():
            self._process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        options = self.options
        # -P: modules in the working folder are not imported.
        command = [
            sys.executable,
            "-P",
            "-m",
            "inference_endpoints_local.daemon",
            f"--data-dir={self._folder.path}",
            "--existing",
        ]
        command += [f"--linger={options.linger}"]
        command += [f"--model-folder={folder}" for folder in options.model_folders]
        command += [f"--namespace={options.namespace}"] if options.namespace else []
        if options.simulated:
            command += ["--simulated", f"--simulated-speed={options.simulated_speed}"]
            command += [f"--cloud-quota={options.cloud_quota}"]
        command += [f"--port={options.port}"] if options.port else []
        command += options.ray.flags() if options.ray else []
        try:
            with self._folder.open_log() as log:
                process = subprocess.Popen(  # noqa: S603
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self._folder.path,
                    start_new_session=True,  # hosts kill the whole process group of a server
                    creationflags=_DETACHED,
                )
        except OSError as error:
            raise NotReachable(f"The control plane could not be started: {error.strerror}.") from error
        # Reaped as soon as it ends, so that it does not stay a zombie of a long-lived server.
        threading.Thread(target=process.wait, daemon=True).start()
        return process

    def _start_error(self, code: int) -> PlaneError:
        """The error for a daemon's exit code. Its own message may quote others' text and stays in the log."""
        path, log = self._folder.path, self._folder.log
        if code == PortInUse.exit_code and self.options.port:
            return PortInUse(self.options.port)
        if code == DiskFull.exit_code:
            return DiskFull(path)
        if code == FolderUnusable.exit_code:
            return FolderUnusable(path, f"see the last line of {log}")
        if code == ClusterUnusable.exit_code:
            return ClusterUnusable(f"The Ray cluster cannot be used. The end of {log} states why and what to do.")
        if code == StoreUnusable.exit_code:
            return StoreUnusable(f"The endpoints kept in {path} cannot be read. The end of {log} states what to do.")
        how = f"was ended by signal {-code}" if code < 0 else "failed with an unexpected error"
        return NotReachable(f"The control plane {how} while it started. The end of {log} shows what happened.")


def _not_reachable(folder: DataFolder) -> NotReachable:
    plane = folder.running_plane()
    if plane is not None:
        return NotReachable(
            f"The control plane of this data folder (process {plane.pid}) does not answer. "
            f"End that process, then try again. Its log is {folder.log}."
        )
    return NotReachable(
        f"The control plane of this data folder did not start in time. The machine may be busy: try again. "
        f"Its log is {folder.log}."
    )


async def _wait_for_end(reader: asyncio.StreamReader) -> None:
    # The plane sends nothing on a lease until it ends.
    with suppress(OSError):
        await reader.read(1)


@dataclass(frozen=True)
class _ResponseHead:
    status: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def _request(plane: RunningPlane, method: str, path: str) -> int | None:
    """The status of the response; None if there is no response."""
    response = await _send(plane, method, path)
    if response is None:
        return None
    response.writer.close()
    return response.status


async def _send(plane: RunningPlane, method: str, path: str) -> _ResponseHead | None:
    """Send a request without a body and read the head of the response. None if there is no response."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{plane.port}\r\nAuthorization: Bearer {plane.token}\r\n"
    writer: asyncio.StreamWriter | None = None
    response: _ResponseHead | None = None
    with suppress(OSError, EOFError, ValueError, IndexError, asyncio.LimitOverrunError):
        try:
            async with asyncio.timeout(_RESPONSE_TIMEOUT_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", plane.port)
                writer.write(f"{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
                status = (await reader.readuntil(b"\r\n\r\n")).split(maxsplit=2)[1]
                response = _ResponseHead(int(status), reader, writer)
        finally:
            if writer is not None and response is None:
                writer.close()
    return response
