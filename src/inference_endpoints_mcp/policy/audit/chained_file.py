"""A file of lines of a chain (`chain.py`), or a stream of them.

So a line that is changed, moved, added or left out later is found (`verification.py`). Several processes may append: a
lock beside the file orders them. The file rotates, and the chain continues in the new one.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from inference_endpoints_mcp.policy.audit.chain import ChainedLine, unchained

LARGEST_FILE = 10 * 1024 * 1024
"""Bytes after which a new file is begun."""
KEPT_FILES = 5
LOCK_TIMEOUT_S = 2.0
_LONGEST_LINE = 1024 * 1024


class Stream:
    """An open file that is no regular one: standard output, a pipe, a device. It has a chain of its own."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._chain = ""

    def append(self, entry: Mapping[str, Any]) -> ChainedLine:
        line = ChainedLine.of(entry, self._chain)
        _write_all(self._descriptor, line.line + b"\n")
        self._chain = line.chain
        return line


class ChainedFile:
    """A regular file that its owner alone can read. Raises OSError if it cannot be written."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        self._lock = FileLock(f"{path}.lock", timeout=LOCK_TIMEOUT_S, mode=0o600)
        self._known: tuple[int, int, str] = (0, 0, "")
        """Inode and size of the file after our last line, and its hash. While they are the same, nobody else wrote."""
        with self._opened():
            pass

    def append(self, entry: Mapping[str, Any]) -> ChainedLine:
        with self._lock:
            with self._opened() as (descriptor, previous):
                size = os.fstat(descriptor).st_size
                line = ChainedLine.of(entry, previous)
                if size and size + len(line.line) < LARGEST_FILE:
                    self._write(descriptor, line)
                    return line
            if size:
                self._rotate()
            return self._begin(entry)

    def _begin(self, entry: Mapping[str, Any]) -> ChainedLine:
        """The first line of a file. The chain goes on from the file before, also where no line could be written here
        when the file was new."""
        before = rotated(self._path, 1)
        previous = ""
        if before.exists():
            with before.open("rb") as file:
                previous = _last_chain(file.fileno(), before.stat().st_size)
        line = ChainedLine.of({**entry, "previous": previous} if previous else entry, previous)
        with self._opened() as (descriptor, _):
            self._write(descriptor, line)
        return line

    @contextmanager
    def _opened(self) -> Iterator[tuple[int, str]]:
        """The file, and the hash of its last line."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            inode, size, chain = self._known
            found = os.fstat(descriptor)
            if (found.st_ino, found.st_size) != (inode, size):
                chain = _last_chain(descriptor, found.st_size)
            yield descriptor, chain
        finally:
            os.close(descriptor)

    def _write(self, descriptor: int, line: ChainedLine) -> None:
        size, text = os.fstat(descriptor).st_size, line.line + b"\n"
        try:
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                text = b"\n" + text  # after a line whose process was killed
            _write_all(descriptor, text)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
        found = os.fstat(descriptor)
        self._known = (found.st_ino, found.st_size, line.chain)

    def _rotate(self) -> None:
        for number in range(KEPT_FILES - 1, 0, -1):
            older = rotated(self._path, number)
            if older.exists():
                older.replace(rotated(self._path, number + 1))
        self._path.replace(rotated(self._path, 1))


def rotated(path: Path, number: int) -> Path:
    """The file that was current this many rotations ago."""
    return path.with_name(f"{path.name}.{number}") if number else path


def _last_chain(descriptor: int, size: int) -> str:
    """The hash of the last whole line; empty if there is none."""
    start = max(0, size - _LONGEST_LINE)
    for line in reversed(os.pread(descriptor, size - start, start).splitlines()):
        if parts := unchained(line):
            return parts[1]
    return ""


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
