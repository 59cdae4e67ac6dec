"""The one place that opens a file which a caller named by its path: a model's, or an image or sound for one.

It is opened by descriptor, folder by folder, and never looked up a second time: what was checked is what is read.
"""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

# Resolving a folder needs no permission to read it, where the system can express that.
_CAN_OPEN = os.open in os.supports_dir_fd
"""False on Windows, which opens nothing relative to a folder: files cannot be opened safely there."""
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)
_FILE = os.O_RDONLY | _NO_LINK | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


class NoConfinedFile(Exception):
    """There is no file that may be opened. The same for one that does not exist and one that is not allowed, so that
    nobody learns from it what is on the disk."""


class OpenFile:
    """An open regular file. Close it, or use it as a context."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.path = Path(f"/dev/fd/{descriptor}")
        """A path of this very file in a process that inherits the descriptor, whatever is at its own path by then."""
        found = os.fstat(descriptor)
        self.size = found.st_size
        self.state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        """What changes when the file does."""
        links_of_others = found.st_nlink > 1 and found.st_uid != os.geteuid()
        if not stat.S_ISREG(found.st_mode) or links_of_others:
            self.close()
            raise NoConfinedFile

    def read(self, length: int, offset: int) -> bytes:
        """At most `length` bytes. Raises OSError."""
        return os.pread(self.descriptor, length, offset)

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # A thread may return it to a task that was cancelled.
        with suppress(OSError, AttributeError):
            self.close()


@dataclass(frozen=True)
class ConfinedFolders:
    """The folders of the operator in which files may be, each as it was spelled and as it is on the disk."""

    roots: tuple[tuple[Path, Path], ...]

    @classmethod
    def of(cls, folders: Iterable[str | Path]) -> "ConfinedFolders":
        """Those folders; none: the whole disk. Links in the paths of the folders themselves are followed, now."""
        spelled = [Path(folder).expanduser().absolute() for folder in folders] or [Path("/")]
        return cls(tuple((path, path.resolve()) for path in spelled))

    def __str__(self) -> str:
        return " or ".join(str(spelled) for spelled, _ in self.roots)

    def open(self, path: Path) -> OpenFile:
        """Open a regular file inside the folders, without waiting for anything. Raises NoConfinedFile.

        Its path may contain no link and no `..`, and another user's file may have no second name.
        """
        for spelled, real in self.roots:
            for root in {spelled, real}:
                if path.is_relative_to(root) and ".." not in path.parts:
                    try:
                        return _open_beneath(real, path.relative_to(root).parts)
                    except (OSError, ValueError) as error:
                        raise NoConfinedFile from error
        raise NoConfinedFile


def _open_beneath(root: Path, parts: tuple[str, ...]) -> OpenFile:
    """Raises NoConfinedFile, OSError or ValueError."""
    if not parts or not _CAN_OPEN:
        raise NoConfinedFile
    *folders, name = parts
    folder = os.open(root, _FOLDER)
    try:
        for part in folders:
            outer, folder = folder, os.open(part, _FOLDER | _NO_LINK, dir_fd=folder)
            os.close(outer)
        # Opening a device or a pipe has effects of its own. What replaces the file now is noticed below.
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise NoConfinedFile
        return OpenFile(os.open(name, _FILE, dir_fd=folder))
    finally:
        os.close(folder)
