"""Start the embedded control plane of a data folder, or join the one that runs.

All of the local package that the MCP server may import, and so quick to import: the plane itself runs in a process of
its own, detached from whoever started it, and lives for as long as someone holds a lease.
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
from types import TracebackType
from typing import Self

from inference_endpoints_local import own_version
from inference_endpoints_local.daemon.data_folder import Connection, DataFolder, default_data_dir
from inference_endpoints_local.daemon.plane_errors import (
    DiskFull,
    FolderInUse,
    FolderUnusable,
    NotReachable,
    NotSimulated,
    PlaneError,
    PortInUse,
    StoreUnusable,
)

__all__ = [
    "Connection",
    "DiskFull",
    "FolderInUse",
    "FolderUnusable",
    "Lease",
    "NotReachable",
    "NotSimulated",
    "PlaneError",
    "PortInUse",
    "StartOptions",
    "StoreUnusable",
    "connect",
    "default_data_dir",
    "find",
    "lease",
    "stop",
]

START_TIMEOUT_S = 20.0
"""Longest a plane may take to come up."""
STOP_TIMEOUT_S = 10.0
"""Longest a plane may take to end when it is asked to."""
_RESPONSE_TIMEOUT_S = 5.0
_POLL_INTERVAL_S = 0.02
# Windows only.
_DETACHED: int = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


@dataclass(frozen=True)
class StartOptions:
    """What a plane is started with where none runs. The namespace is the user's name unless one is given.

    `cloud_quota` is in simulated accelerators per vendor and instance type. It ends after `linger` seconds in which
    nobody used it.
    """

    namespace: str | None = None
    simulated: bool = False
    simulated_speed: float = 1.0
    cloud_quota: int = 16
    port: int | None = None
    linger: float = 60.0


class Lease:
    """Keeps a plane alive while it is open. An open connection, so it also ends with this process."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._ended = asyncio.create_task(_end_of(reader))

    @property
    def alive(self) -> bool:
        """Whether the plane still grants it; once it does not, connect again and take another."""
        return not self._ended.done()

    async def aclose(self) -> None:
        self._ended.cancel()
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


_DEFAULTS = StartOptions()


async def connect(data_dir: Path, options: StartOptions = _DEFAULTS) -> Connection:
    """Join the plane of a data folder, or start it in the background and wait until it is ready.

    An idle plane of an older version, or one that does not simulate where this is asked for, is replaced. A busy older
    one is joined: `Connection.version` says so. Take a lease next, or the plane ends by itself. Raises a PlaneError.
    """
    folder = DataFolder(data_dir)
    folder.prepare()
    start = _Launcher(folder, options)
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        plane = folder.plane()
        if plane is None:
            start.attend()
        elif await _request(plane, "GET", "/local/status") == 200:
            if not await _gives_way(plane, options):
                return plane
            # Others may rely on its simulating.
            start.options = replace(options, simulated=options.simulated or plane.simulated)
        await asyncio.sleep(_POLL_INTERVAL_S)
    raise _not_reachable(folder)


def find(data_dir: Path) -> Connection | None:
    """The plane that serves a data folder, if one does."""
    return DataFolder(data_dir).plane()


async def lease(connection: Connection) -> Lease:
    """Take a lease on a plane. Raises NotReachable if the plane is gone: connect again."""
    answer = await _send(connection, "GET", "/local/lease")
    if answer is None or answer.status != 200:
        raise NotReachable("The control plane has ended meanwhile. Connect again.")
    return Lease(answer.reader, answer.writer)


async def stop(data_dir: Path) -> bool:
    """End the plane of a data folder and wait until it is gone. False if none ran.

    Its endpoints are as they were when it next starts.
    """
    folder = DataFolder(data_dir)
    asked: int | None = None
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while folder.held() and time.monotonic() < deadline:
        plane = folder.plane()
        if plane is not None and asked not in (None, plane.pid):
            return True  # already the next one
        if plane is not None and await _request(plane, "POST", "/local/stop") == 202:
            asked = plane.pid
        await asyncio.sleep(_POLL_INTERVAL_S)
    if folder.held():
        raise _not_reachable(folder)
    return asked is not None


async def _gives_way(plane: Connection, options: StartOptions) -> bool:
    """Whether the plane makes room for one that is newer or can do what is asked; it does only when idle."""
    lacking = options.simulated and not plane.simulated
    if not lacking and _release(plane.version) >= _release(own_version()):
        return False
    if await _request(plane, "POST", "/local/stop?when=idle") != 409:
        return True
    if lacking:
        raise NotSimulated(
            f"The control plane of this data folder (process {plane.pid}) serves real models and is busy, "
            "so it cannot simulate. Pause its endpoints first, or choose another --data-dir for simulated ones."
        )
    return False


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


class _Launcher:
    """Starting a plane in the background. Of several that are started at once, the folder's lock chooses one."""

    def __init__(self, folder: DataFolder, options: StartOptions) -> None:
        self.options = options
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def attend(self) -> None:
        """Start a plane unless one is on its way. Raises why ours could not start."""
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return
            if code not in (0, FolderInUse.exit_code):
                raise self._failure(code)
        if not self._folder.held():
            self._process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        options = self.options
        # -P: what lies in the working folder is not imported.
        command = [
            sys.executable,
            "-P",
            "-m",
            "inference_endpoints_local.daemon",
            f"--data-dir={self._folder.path}",
        ]
        command += [f"--linger={options.linger}"]
        command += [f"--namespace={options.namespace}"] if options.namespace else []
        if options.simulated:
            command += ["--simulated", f"--simulated-speed={options.simulated_speed}"]
            command += [f"--cloud-quota={options.cloud_quota}"]
        command += [f"--port={options.port}"] if options.port else []
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
        # Reaped as soon as it ends, so that it does not stay as a zombie of a server that lives on.
        threading.Thread(target=process.wait, daemon=True).start()
        return process

    def _failure(self, code: int) -> PlaneError:
        """What the exit code of a daemon means; its own words, which may quote others, stay in the log."""
        path, log = self._folder.path, self._folder.log
        if code == PortInUse.exit_code and self.options.port:
            return PortInUse(self.options.port)
        if code == DiskFull.exit_code:
            return DiskFull(path)
        if code == FolderUnusable.exit_code:
            return FolderUnusable(path, f"the reason is the last line of {log}")
        if code == StoreUnusable.exit_code:
            return StoreUnusable(f"The endpoints kept in {path} cannot be read. The end of {log} says what to do.")
        how = f"was ended by signal {-code}" if code < 0 else "met an error it did not expect"
        return NotReachable(f"The control plane {how} while it started. The end of {log} shows what happened.")


def _not_reachable(folder: DataFolder) -> NotReachable:
    plane = folder.plane()
    if plane is not None:
        return NotReachable(
            f"The control plane of this data folder (process {plane.pid}) does not answer. "
            f"End that process, then try again; its log is {folder.log}."
        )
    return NotReachable(
        f"The control plane of this data folder did not come up in time. Its log is {folder.log}; "
        "the machine may be busy: try again."
    )


async def _end_of(reader: asyncio.StreamReader) -> None:
    # Nothing is sent on a lease until it ends.
    with suppress(OSError):
        await reader.read(1)


@dataclass(frozen=True)
class _ResponseHead:
    status: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def _request(plane: Connection, method: str, path: str) -> int | None:
    """The status a request is answered with; None if it is not answered."""
    answer = await _send(plane, method, path)
    if answer is None:
        return None
    answer.writer.close()
    return answer.status


async def _send(plane: Connection, method: str, path: str) -> _ResponseHead | None:
    """Send a request without a body and read the head of its answer."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{plane.port}\r\nAuthorization: Bearer {plane.token}\r\n"
    writer: asyncio.StreamWriter | None = None
    answer: _ResponseHead | None = None
    with suppress(OSError, EOFError, ValueError, IndexError, asyncio.LimitOverrunError):
        try:
            async with asyncio.timeout(_RESPONSE_TIMEOUT_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", plane.port)
                writer.write(f"{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
                status = (await reader.readuntil(b"\r\n\r\n")).split(maxsplit=2)[1]
                answer = _ResponseHead(int(status), reader, writer)
        finally:
            if writer is not None and answer is None:
                writer.close()
    return answer
