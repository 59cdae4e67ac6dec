"""Whether a file is a whole GGUF model, as far as its first part tells: what is none, or is cut off, never loads.

Layout: ggml's `docs/gguf.md`. Of the tensors only their places are looked at: kinds of them are added all the time.
"""

import struct
from functools import lru_cache
from pathlib import Path
from typing import IO

MAGIC = b"GGUF"
VERSIONS = (2, 3)  # the first had shorter lengths, and no engine reads it any more

_ALIGNMENT = b"general.alignment"
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_DEEPEST_ARRAY = 4


class InvalidGguf(ValueError):
    """The file is no model that could be loaded; the message completes a sentence that begins with its path."""


class TruncatedGguf(InvalidGguf):
    def __init__(self) -> None:
        super().__init__("is cut off: its download may not have finished")


def check(path: Path) -> None:
    """Raises InvalidGguf, and OSError where the file cannot be read."""
    if path.is_dir():
        raise InvalidGguf("is a folder, not a GGUF file")
    found = path.stat()
    _check(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=16)
def _check(path: Path, size: int, changed_ns: int) -> None:
    """Once for each state of a file: it takes a tenth of a second to step over a large vocabulary."""
    del changed_ns
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise InvalidGguf("is not a GGUF file")
        if _GgufReader(file, size).last_tensor() >= size:
            raise TruncatedGguf


class _GgufReader:
    """Reads on from behind the magic. Raises InvalidGguf."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size

    def last_tensor(self) -> int:
        """Where in the file its last tensor begins."""
        version = self._number("I")
        if version not in VERSIONS:
            raise InvalidGguf(f"is of GGUF version {version}; versions 2 and 3 can be loaded")
        tensors, settings = self._number("Q"), self._number("Q")
        if not tensors:
            raise InvalidGguf("has no tensors: it is not a model")
        alignment = 32
        for _ in range(settings):
            name, kind = self._text(), self._number("I")
            value = self._value(kind)
            alignment = value or alignment if name == _ALIGNMENT else alignment
        last = 0
        for _ in range(tensors):
            self._text()
            self._skip(8 * self._number("I") + 4)
            last = max(last, self._number("Q"))
        return -(-self._file.tell() // alignment) * alignment + last

    def _value(self, kind: int, depth: int = 0) -> int:
        """Step over a value; returns it if it is a whole number."""
        if kind in _SCALARS:
            return self._number(_SCALARS[kind])
        if kind == _STRING:
            self._text()
        elif kind == _ARRAY and depth < _DEEPEST_ARRAY:
            of, length = self._number("I"), self._number("Q")
            if of in _SCALARS:
                self._skip(length * struct.calcsize(_SCALARS[of]))
                return 0
            for _ in range(length):
                self._value(of, depth + 1)
        else:
            raise InvalidGguf("is damaged, or of a newer kind than this version knows")
        return 0

    def _number(self, form: str) -> int:
        (value,) = struct.unpack(f"<{form}", self._read(struct.calcsize(form)))
        return value if isinstance(value, int) else 0

    def _text(self) -> bytes:
        return self._read(self._number("Q"))

    def _read(self, length: int) -> bytes:
        found = self._file.read(length) if length <= self._size else b""
        if len(found) < length:
            raise TruncatedGguf
        return found

    def _skip(self, length: int) -> None:
        if self._file.tell() + length > self._size:
            raise TruncatedGguf
        self._file.seek(length, 1)
