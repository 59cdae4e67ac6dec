"""A configuration file on disk: read whole, and replaced in one step by a file with the same mode and line ends."""

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from inference_endpoints_mcp.install.errors import InstallError

_BOM = b"\xef\xbb\xbf"
NEW_USER_FILE = 0o600
"""Hosts keep tokens of other servers in these files."""
NEW_PROJECT_FILE = 0o644


@dataclass(frozen=True)
class ConfigFile:
    """A file as it was read. `content` is None if there is none."""

    path: Path
    """The file that is written: behind a link, its target."""
    content: bytes | None
    is_linked: bool
    new_mode: int

    @classmethod
    def read(cls, path: Path, *, project: Path | None = None) -> "ConfigFile":
        """Raises `InstallError` for what is no plain file of this user, or not inside the project that it belongs to.

        A link is followed, as people keep these files in repositories of their own. A project may come from a
        stranger, so there a link must not lead out of it.
        """
        try:
            target = path.resolve()
            if project is not None and not target.is_relative_to(project.resolve()):
                raise InstallError(f"{path} leads out of this project, to {target}. Nothing was changed.")
            content = target.read_bytes() if _is_plain_file(path, target) else None
        except OSError as error:
            raise InstallError(f"{path} cannot be read: {error.strerror or error}.") from None
        return cls(target, content, target != path.absolute(), NEW_PROJECT_FILE if project else NEW_USER_FILE)

    @property
    def text(self) -> str:
        """The content with plain line ends and no byte order mark. Raises `InstallError` if it is not UTF-8."""
        raw = (self.content or b"").removeprefix(_BOM)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise InstallError(f"{self.path} is not encoded in UTF-8. Nothing was changed.") from None
        return text.replace("\r\n", "\n") if self._has_windows_lines(text) else text

    def encoded(self, text: str) -> bytes:
        """A text with this file's line ends and byte order mark."""
        old = self.content or b""
        windows = self._has_windows_lines(old.removeprefix(_BOM).decode("utf-8"))
        raw = (text.replace("\n", "\r\n") if windows else text).encode("utf-8")
        return _BOM + raw if old.startswith(_BOM) else raw

    def replace(self, content: bytes | None) -> None:
        """Write the content, or delete the file. Raises `InstallError`; then it is as it was."""
        try:
            if (self.path.read_bytes() if self.path.exists() else None) != self.content:
                raise InstallError(f"{self.path} has changed since it was read. Nothing was changed: run this again.")
            if content is None:
                self.path.unlink()
            else:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._write(content)
        except OSError as error:
            raise InstallError(f"{self.path} cannot be written: {error.strerror or error}. It is as it was.") from None

    def _write(self, content: bytes) -> None:
        old = self.path.stat() if self.content is not None else None
        if old and not old.st_mode & stat.S_IWUSR:
            raise InstallError(f"{self.path} is read-only. Nothing was changed: make it writable, and run this again.")
        user = os.geteuid() if hasattr(os, "geteuid") else None
        if old and user not in (None, 0, old.st_uid):
            raise InstallError(f"{self.path} belongs to another user. Nothing was changed.")
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(handle, "wb") as new:
                new.write(content)
                new.flush()
                os.fsync(new.fileno())
            if old and user == 0:
                os.chown(name, old.st_uid, old.st_gid)
            Path(name).chmod(stat.S_IMODE(old.st_mode) if old else self.new_mode)
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @staticmethod
    def _has_windows_lines(text: str) -> bool:
        """Whether every line ends in CR LF. Where some do, line ends are left alone."""
        return "\r\n" in text and text.count("\r\n") == text.count("\n") == text.count("\r")


def _is_plain_file(path: Path, target: Path) -> bool:
    """Whether there is a file. Raises `InstallError` for anything else, and for a link of or to somebody else."""
    for place in (path, target):
        if place.is_symlink() and not place.exists():
            raise InstallError(f"{path} is a link to nothing ({target}). Nothing was changed.")
    if not target.exists():
        return False
    if not target.is_file():
        raise InstallError(f"{target} is no file. Nothing was changed.")
    if hasattr(os, "geteuid") and path.lstat().st_uid != target.stat().st_uid:
        raise InstallError(f"{path} is a link to a file of another user, {target}. Nothing was changed.")
    return True
