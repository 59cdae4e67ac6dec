"""A data folder: what lies in it, which process holds it, and what can be wrong with it.

    lock         held through the operating system by the one plane that serves the folder; freed however it ends
    plane.json   where that plane is: the discovery file, there only while one serves
    token        what its callers show; kept across restarts
    port         the port it had last, so that the addresses of endpoints stay
    plane.log    what planes started in the background have said

Only the holder writes, except to the log.
"""

import errno
import json
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from inference_endpoints_local.daemon.plane_errors import DiskFull, FolderInUse, FolderUnusable

_LOOPBACK = re.compile(r"http://127\.0\.0\.1:[0-9]{1,5}")
_LOCK_TIMEOUT_S = 0.25
_MAX_LOG_BYTES = 1024 * 1024


def default_data_dir() -> Path:
    """Where this user's plane keeps its data unless another folder is given."""
    import platformdirs  # here: it is needed once, and an MCP server that is given a folder starts without it

    return platformdirs.user_data_path("inference-endpoints-mcp", appauthor=False)


@dataclass(frozen=True)
class Connection:
    """Where a running plane is and what it is."""

    url: str
    token: str = field(repr=False)
    namespace: str
    version: str
    pid: int
    simulated: bool = False

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


class DataFolder:
    """One data folder. Raises FolderUnusable or DiskFull where the file system does not let it work."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.log = self.path / "plane.log"
        self.token_file = self.path / "token"
        self._lock = self.path / "lock"
        self._discovery = self.path / "plane.json"
        self._port = self.path / "port"
        self._held_as: tuple[int, int] | None = None

    def prepare(self) -> None:
        """Make sure that the folder is there and can be written."""
        if self.path.exists() and not self.path.is_dir():
            raise FolderUnusable(self.path, "it is a file")
        with self._plainly():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.touch(mode=0o600)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the one plane of this folder. Raises FolderInUse if another is."""
        lock = FileLock(self._lock, mode=0o600)
        try:
            # Not at once: who asks whether the folder is held has the lock for an instant.
            with self._plainly():
                lock.acquire(timeout=_LOCK_TIMEOUT_S, poll_interval=0.02)
        except Timeout:
            raise FolderInUse(self.path) from None
        self._held_as = self._identity()
        try:
            yield
        finally:
            self._held_as = None
            lock.release()

    @property
    def mine(self) -> bool:
        """Whether we hold it still: a folder deleted under us, or made anew by others, is not the one we held."""
        return self._held_as is not None and self._held_as == self._identity()

    def held(self) -> bool:
        """Whether a plane serves this folder, is about to, or has not quite ended."""
        if not self._lock.exists():
            return False
        try:
            with self._plainly(), FileLock(self._lock, blocking=False):
                return False
        except Timeout:
            return True

    def plane(self) -> Connection | None:
        """The plane that serves this folder; what a killed one left behind does not count, nor what is damaged."""
        try:
            said = json.loads(self._read(self._discovery))
            found = Connection(
                url=said["url"],
                token=self._read(self.token_file),
                namespace=said["namespace"],
                version=said["version"],
                pid=int(said["pid"]),
                simulated=said["simulated"] is True,
            )
            # The token is sent there, so nowhere else will do.
            usable = _LOOPBACK.fullmatch(found.url) is not None
        except (ValueError, KeyError, TypeError):
            return None
        return found if usable and self.held() else None

    def publish(self, plane: Connection) -> None:
        """Let others find the plane, whatever they see now."""
        if self._read(self.token_file) != plane.token:
            self._write(self.token_file, plane.token)
        facts = asdict(plane) | {
            "token_file": str(self.token_file),
            "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        del facts["token"]
        self._write(self._discovery, json.dumps(facts, indent=2) + "\n")

    def withdraw(self) -> None:
        """Let nobody find our plane any more."""
        if self.mine:
            with self._plainly():
                self._discovery.unlink(missing_ok=True)

    def open_log(self) -> IO[bytes]:
        """The log, to append to; begun anew once it is large."""
        with self._plainly():
            with suppress(FileNotFoundError):
                if self.log.stat().st_size > _MAX_LOG_BYTES:
                    self.log.unlink()
            self.log.touch(mode=0o600)
            return self.log.open("ab")

    def token(self) -> str:
        """The folder's token, made on first use."""
        with self._plainly(), suppress(FileNotFoundError, UnicodeDecodeError):
            self.token_file.chmod(0o600)
            if token := self._read(self.token_file):
                return token
        token = secrets.token_urlsafe(32)
        self._write(self.token_file, token)
        return token

    @property
    def last_port(self) -> int:
        """The port the folder's plane had last; 0 if there was none."""
        try:
            return int(self._read(self._port))
        except ValueError:
            return 0

    @last_port.setter
    def last_port(self, port: int) -> None:
        self._write(self._port, str(port))

    def _identity(self) -> tuple[int, int] | None:
        with suppress(OSError):
            found = self._lock.stat()
            return found.st_dev, found.st_ino
        return None

    def _read(self, path: Path) -> str:
        """What a file says; a file that is not there says nothing."""
        with self._plainly(), suppress(FileNotFoundError):
            return path.read_text(encoding="utf-8").strip()
        return ""

    def _write(self, path: Path, text: str) -> None:
        """Replace a file whole, readable by this user alone from its first byte on."""
        fresh = path.with_name(f"{path.name}.new")
        with self._plainly():
            fresh.unlink(missing_ok=True)
            fresh.touch(mode=0o600, exist_ok=False)
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(path)

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        try:
            yield
        except Timeout:
            raise
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(self.path) from error
            raise FolderUnusable(self.path, error.strerror or "the system does not say why") from error
