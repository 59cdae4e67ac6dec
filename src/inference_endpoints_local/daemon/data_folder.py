"""A data folder: its files, and the lock of the plane that uses it.

    lock         the one plane that serves the folder holds it; the operating system frees it however the plane ends
    plane.json   the discovery file: where that plane is, present only while it serves
    token        the token of its callers, kept across restarts
    port         the last port, so that the URLs of endpoints stay the same
    plane.log    the output of planes started in the background

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

from inference_endpoints_local.daemon.cluster.ray_options import RayOptions
from inference_endpoints_local.daemon.plane_errors import DiskFull, FolderInUse, FolderUnusable

_LOOPBACK = re.compile(r"http://127\.0\.0\.1:[0-9]{1,5}")
_LOCK_TIMEOUT_S = 0.25
_MAX_LOG_BYTES = 1024 * 1024


@dataclass(frozen=True)
class RunningPlane:
    """The address, the token and the facts of a running plane."""

    url: str
    token: str = field(repr=False)
    namespace: str
    version: str
    pid: int
    simulated: bool = False
    model_folders: tuple[str, ...] = ()
    simulated_speed: float = 1.0
    cloud_quota: int = 16
    ray: RayOptions | None = None

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


class DataFolder:
    """One data folder. Its methods raise FolderUnusable or DiskFull where the file system fails."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.log = self.path / "plane.log"
        self.token_file = self.path / "token"
        self._lock = self.path / "lock"
        self._discovery = self.path / "plane.json"
        self._port = self.path / "port"
        self._held_identity: tuple[int, int] | None = None

    def prepare(self) -> None:
        """Create the folder if it does not exist, and check that it can be written."""
        if self.path.exists() and not self.path.is_dir():
            raise FolderUnusable(self.path, "it is a file")
        with self._translating_errors():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.touch(mode=0o600)

    def require(self) -> None:
        """Raises FolderUnusable if the folder is not there: it was deleted, and must not come back."""
        if not self.path.is_dir():
            raise FolderUnusable(self.path, "it was deleted")

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the folder's lock. Raises FolderInUse if another plane holds it."""
        lock = FileLock(self._lock, mode=0o600)
        try:
            # With a short time-out: `is_locked` of another process takes the lock for an instant.
            with self._translating_errors():
                lock.acquire(timeout=_LOCK_TIMEOUT_S, poll_interval=0.02)
        except Timeout:
            raise FolderInUse(self.path) from None
        self._held_identity = self._identity()
        # Of a killed plane. The lock would make it look alive, and the next plane answers at the same address.
        self.withdraw()
        try:
            yield
        finally:
            self._held_identity = None
            lock.release()

    @property
    def holds_lock(self) -> bool:
        """Whether this process still holds it. A folder that was deleted, or deleted and created again, is not."""
        return self._held_identity is not None and self._held_identity == self._identity()

    def is_locked(self) -> bool:
        """Whether a plane serves this folder, is about to, or is ending."""
        if not self._lock.exists():
            return False
        try:
            with self._translating_errors(), FileLock(self._lock, blocking=False):
                return False
        except Timeout:
            return True

    def running_plane(self) -> RunningPlane | None:
        """The plane that serves this folder; None if the discovery file is missing, damaged, or of a killed plane."""
        try:
            facts = json.loads(self._read(self._discovery))
            found = RunningPlane(
                url=facts["url"],
                token=self._read(self.token_file),
                namespace=facts["namespace"],
                version=facts["version"],
                pid=int(facts["pid"]),
                simulated=facts["simulated"] is True,
                model_folders=tuple(facts.get("model_folders", ())),
                simulated_speed=float(facts.get("simulated_speed", 1.0)),
                cloud_quota=int(facts.get("cloud_quota", 16)),
                ray=RayOptions(**ray) if (ray := facts.get("ray")) else None,
            )
            # The token is sent to this URL, so it must be on loopback.
            usable = _LOOPBACK.fullmatch(found.url) is not None
        except (ValueError, KeyError, TypeError):
            return None
        return found if usable and self.is_locked() else None

    def publish(self, plane: RunningPlane) -> None:
        """Write the discovery file and the token, so that others can find the plane."""
        if self._read(self.token_file) != plane.token:
            self._write(self.token_file, plane.token)
        facts = asdict(plane) | {
            "token_file": str(self.token_file),
            "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        del facts["token"]
        self._write(self._discovery, json.dumps(facts, indent=2) + "\n")

    def withdraw(self) -> None:
        """Delete the discovery file, so that nobody finds our plane any more."""
        if self.holds_lock:
            with self._translating_errors():
                self._discovery.unlink(missing_ok=True)

    def open_log(self) -> IO[bytes]:
        """The log, to append to. A log above the limit is deleted first."""
        with self._translating_errors():
            with suppress(FileNotFoundError):
                if self.log.stat().st_size > _MAX_LOG_BYTES:
                    self.log.unlink()
            self.log.touch(mode=0o600)
            return self.log.open("ab")

    def token(self) -> str:
        """The folder's token, generated on first use."""
        with self._translating_errors(), suppress(FileNotFoundError, UnicodeDecodeError):
            self.token_file.chmod(0o600)
            if token := self._read(self.token_file):
                return token
        token = secrets.token_urlsafe(32)
        self._write(self.token_file, token)
        return token

    @property
    def last_port(self) -> int:
        """The last port of the folder's plane; 0 if there was none."""
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
        """The text of a file; empty if there is none."""
        with self._translating_errors(), suppress(FileNotFoundError):
            return path.read_text(encoding="utf-8").strip()
        return ""

    def _write(self, path: Path, text: str) -> None:
        """Replace a file atomically. Only this user can read it, from its first byte on."""
        fresh = path.with_name(f"{path.name}.new")
        with self._translating_errors():
            fresh.unlink(missing_ok=True)
            fresh.touch(mode=0o600, exist_ok=False)
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(path)

    @contextmanager
    def _translating_errors(self) -> Iterator[None]:
        try:
            yield
        except Timeout:
            raise
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(self.path) from error
            raise FolderUnusable(self.path, error.strerror or "the system gives no reason") from error
