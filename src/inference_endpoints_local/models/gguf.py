"""Checks that a file is a complete GGUF model. Reads its header, with the offsets of the tensors but not their content.

Layout: ggml's `docs/gguf.md`.

It does not use the `gguf` package (0.19), whose reader turns every value of the file into numpy arrays. That took 17 s
and 370 MB for a vocabulary of 256,000 tokens (0.4 s and 16 MB here), did not return from an array of 2^60 numbers,
reported a truncated file as an IndexError, and takes half a second to import.
"""

import struct
from functools import lru_cache
from pathlib import Path
from typing import IO

MAGIC = b"GGUF"
VERSIONS = (2, 3)  # version 1 had shorter lengths, and no engine reads it any more

_ALIGNMENT = b"general.alignment"
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MAX_ARRAY_DEPTH = 4
_MAX_TEXT_BYTES = 65_536
"""The longest name. Longer texts are values, which are skipped."""
_MAX_SETTINGS, _MAX_TENSORS, _MAX_ITEMS = 2**16, 2**17, 2**20
"""Several times the numbers of the largest models. A sparse file of zeros can announce any number and never end."""
_MAX_READS = 2**22


class InvalidGguf(ValueError):
    """The file is not a model that can be loaded. The message continues a sentence that begins with its path."""


class TruncatedGguf(InvalidGguf):
    def __init__(self) -> None:
        super().__init__("is cut off: its download may be incomplete")


class _DamagedGguf(InvalidGguf):
    def __init__(self) -> None:
        super().__init__("is damaged, or has a newer format than this version can read")


def check(path: Path) -> None:
    """Raises InvalidGguf, and OSError where the file cannot be read."""
    if path.is_dir():
        raise InvalidGguf("is a folder, not a GGUF file")
    found = path.stat()
    _check(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=16)
def _check(path: Path, size: int, changed_ns: int) -> None:
    """Cached for each state of a file, as a large vocabulary takes a tenth of a second to skip."""
    del changed_ns
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise InvalidGguf("is not a GGUF file")
        if _GgufReader(file, size).last_tensor() >= size:
            raise TruncatedGguf


class _GgufReader:
    """Reads the part after the magic bytes. Raises InvalidGguf."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size
        self._reads = 0

    def last_tensor(self) -> int:
        """The offset in the file at which the last tensor begins."""
        version = self._number("I")
        if version not in VERSIONS:
            raise InvalidGguf(f"has GGUF version {version}; versions 2 and 3 can be loaded")
        tensors, settings = self._number("Q"), self._number("Q")
        if not tensors:
            raise InvalidGguf("has no tensors: it is not a model")
        if tensors > _MAX_TENSORS or settings > _MAX_SETTINGS:
            raise _DamagedGguf
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
        """Skip a value. Returns it if it is an integer, else 0."""
        if kind in _SCALARS:
            return self._number(_SCALARS[kind])
        if kind == _STRING:
            self._text()
        elif kind == _ARRAY and depth < _MAX_ARRAY_DEPTH:
            item_kind, length = self._number("I"), self._number("Q")
            if item_kind in _SCALARS:
                self._skip(length * struct.calcsize(_SCALARS[item_kind]))
                return 0
            if length > _MAX_ITEMS:
                raise _DamagedGguf
            for _ in range(length):
                self._value(item_kind, depth + 1)
        else:
            raise _DamagedGguf
        return 0

    def _number(self, form: str) -> int:
        (value,) = struct.unpack(f"<{form}", self._read(struct.calcsize(form)))
        return value if isinstance(value, int) else 0

    def _text(self) -> bytes:
        """A text. Empty if it is too long for a name."""
        length = self._number("Q")
        if length <= _MAX_TEXT_BYTES:
            return self._read(length)
        self._skip(length)
        return b""

    def _read(self, length: int) -> bytes:
        self._reads += 1
        if self._reads > _MAX_READS:
            raise _DamagedGguf
        found = self._file.read(length)
        if len(found) < length:
            raise TruncatedGguf
        return found

    def _skip(self, length: int) -> None:
        if self._file.tell() + length > self._size:
            raise TruncatedGguf
        self._file.seek(length, 1)
