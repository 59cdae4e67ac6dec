"""A file of lines of JSON, each of which carries a hash of itself and of all before it.

So a line that is changed, moved, added or left out later is found (`verification.py`). Several processes may append: a
lock beside the file orders them. The file rotates, and the chain continues in the new one.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock

LARGEST_FILE = 10 * 1024 * 1024
"""Bytes after which a new file is begun."""
KEPT_FILES = 5
LOCK_TIMEOUT_S = 2.0
_LONGEST_LINE = 1024 * 1024

_CHAINED = re.compile(rb'(\{.*),"chain":"([0-9a-f]{64})"\}')


class LineSink(Protocol):
    """Where lines go."""

    def append(self, entry: Mapping[str, Any]) -> None:
        """Raises OSError if the line cannot be written; then none of it is."""


def chained(entry: Mapping[str, Any], previous: str) -> tuple[bytes, str]:
    """A line, and the hash that it ends with. `previous` is that of the line before, empty for the first."""
    text = json.dumps(entry, ensure_ascii=False, separators=(",", ":"), default=str).encode()
    chain = hashlib.sha256(previous.encode() + b"\n" + text).hexdigest()
    return text[:-1] + f',"chain":"{chain}"}}\n'.encode(), chain


def unchained(line: bytes) -> tuple[bytes, str] | None:
    """The entry of a line as it was hashed, and the line's hash. None for what is no line of a chain."""
    found = _CHAINED.fullmatch(line)
    return (found[1] + b"}", found[2].decode()) if found else None


class Stream:
    """An open file that is no regular one: standard output, a pipe, a device. It has a chain of its own."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._chain = ""

    def append(self, entry: Mapping[str, Any]) -> None:
        line, chain = chained(entry, self._chain)
        _write_all(self._descriptor, line)
        self._chain = chain


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

    def append(self, entry: Mapping[str, Any]) -> None:
        with self._lock:
            with self._opened() as (descriptor, previous):
                size = os.fstat(descriptor).st_size
                line, chain = chained(entry, previous)
                if size and size + len(line) <= LARGEST_FILE:
                    self._write(descriptor, line, chain)
                    return
            if size:
                self._rotate()
            self._begin(entry)

    def _begin(self, entry: Mapping[str, Any]) -> None:
        """The first line of a file. The chain goes on from the file before, also where no line could be written here
        when the file was new."""
        before = rotated(self._path, 1)
        previous = ""
        if before.exists():
            with before.open("rb") as file:
                previous = _last_chain(file.fileno(), before.stat().st_size)
        line, chain = chained({**entry, "previous": previous} if previous else entry, previous)
        with self._opened() as (descriptor, _):
            self._write(descriptor, line, chain)

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

    def _write(self, descriptor: int, line: bytes, chain: str) -> None:
        size = os.fstat(descriptor).st_size
        try:
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # after a line whose process was killed
            _write_all(descriptor, line)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
        found = os.fstat(descriptor)
        self._known = (found.st_ino, found.st_size, chain)

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
