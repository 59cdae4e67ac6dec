"""Reads the header of a GGUF file, and checks that the file is complete. Reads no content of tensors.

Layout: ggml's `docs/gguf.md`.

It does not use the `gguf` package (0.19), whose reader turns every value of the file into numpy arrays. That took 17 s
and 370 MB for a vocabulary of 256,000 tokens (0.2 s and 16 MB here), did not return from an array of 2^60 numbers,
reported a truncated file as an IndexError, and takes half a second to import.
"""

import struct
from collections import OrderedDict

from inference_endpoints_local.models.gguf_kind import ALIGNMENT, GgufHeader, InvalidGguf, header_of, is_of_interest
from inference_endpoints_local.models.model_files import ModelFile

MAGIC = b"GGUF"
VERSIONS = (2, 3)  # version 1 had shorter lengths, and no engine reads it any more

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MAX_ARRAY_DEPTH = 4
_MAX_HEADER_BYTES = 1 << 26
"""Several times the headers of the largest vocabularies. A file can announce any length, and a sparse one has it."""
_MAX_ITEMS = 1 << 21
"""Settings, tensors and texts together; the largest vocabularies have 800,000 texts."""
_LENGTH = struct.Struct("<Q")
_BLOCK_BYTES = 1 << 20
_REMEMBERED = 16
_MAX_NAME_BYTES = 1 << 8
"""Of a setting that is remembered."""
_read: OrderedDict[tuple[int, ...], GgufHeader] = OrderedDict()


class TruncatedGguf(InvalidGguf):
    def __init__(self) -> None:
        super().__init__("is cut off: its download may be incomplete")


class _DamagedGguf(InvalidGguf):
    def __init__(self) -> None:
        super().__init__("is damaged, or has a newer format than this version can read")


def read_header(file: ModelFile) -> GgufHeader:
    """What the file is. Raises InvalidGguf, and OSError where the file cannot be read.

    Takes at most a second, and at most `_MAX_HEADER_BYTES` of memory. A file that did not change is not read again.
    """
    if known := _read.get(file.state):
        return known
    if file.read(len(MAGIC), 0) != MAGIC:
        raise InvalidGguf("is not a GGUF file")
    reader = _GgufReader(file)
    if reader.last_tensor() >= file.size:
        raise TruncatedGguf
    _read[file.state] = header = header_of(reader.texts, reader.numbers)
    if len(_read) > _REMEMBERED:
        _read.popitem(last=False)
    return header


class _GgufReader:
    """Reads the part after the magic bytes. Raises InvalidGguf."""

    def __init__(self, file: ModelFile) -> None:
        self._file = file
        self._data = bytearray()
        self._at = len(MAGIC)
        self._items = 0
        self.texts: dict[bytes, bytes] = {}
        """The settings that say what the file is, once `last_tensor` has passed them; as are `numbers`."""
        self.numbers: dict[bytes, int] = {}

    def last_tensor(self) -> int:
        """The offset in the file at which the last tensor begins."""
        version = self._number("I")
        if version not in VERSIONS:
            raise InvalidGguf(f"has GGUF version {version}; versions 2 and 3 can be loaded")
        tensors, settings = self._number("Q"), self._number("Q")
        if not tensors:
            raise InvalidGguf("has no tensors: it is not a model")
        self._count(tensors + settings)
        for _ in range(settings):
            self._setting()
        last = 0
        for _ in range(tensors):
            self._text()
            self._skip(8 * self._number("I") + 4)
            last = max(last, self._number("Q"))
        alignment = self.numbers.get(ALIGNMENT) or 32
        return -(-self._at // alignment) * alignment + last

    def _setting(self) -> None:
        name, kind = self._text(), self._number("I")
        is_kept = len(name) <= _MAX_NAME_BYTES and is_of_interest(name)
        if kind == _STRING and is_kept:
            self.texts[name] = self._text()
        elif is_kept:
            self.numbers[name] = self._value(kind)
        else:
            self._value(kind)

    def _value(self, kind: int, depth: int = 0) -> int:
        """Skip a value. Returns it if it is an integer, else 0."""
        if kind in _SCALARS:
            return self._number(_SCALARS[kind])
        if kind == _STRING:
            self._skip(self._number("Q"))
        elif kind == _ARRAY and depth < _MAX_ARRAY_DEPTH:
            self._array(self._number("I"), self._number("Q"), depth)
        else:
            raise _DamagedGguf
        return 0

    def _array(self, kind: int, length: int, depth: int) -> None:
        if kind in _SCALARS:
            self._skip(length * struct.calcsize(_SCALARS[kind]))
            return
        self._count(length)
        if kind == _STRING:
            self._texts(length)
            return
        for _ in range(length):
            self._value(kind, depth + 1)

    def _texts(self, count: int) -> None:
        """Pass so many texts. A vocabulary has hundreds of thousands: one call for each would take seconds."""
        length_of, size = _LENGTH.unpack_from, _LENGTH.size
        data, at = self._data, self._at
        for _ in range(count):
            if at + size > len(data):
                self._at = at
                self._skip(size)
            at += size + length_of(data, at)[0]
        self._at = at
        self._skip(0)

    def _number(self, form: str) -> int:
        start = self._at
        self._skip(struct.calcsize(form))
        (value,) = struct.unpack_from(f"<{form}", self._data, start)
        return value if isinstance(value, int) else 0

    def _text(self) -> bytes:
        length = self._number("Q")
        self._skip(length)
        return bytes(self._data[self._at - length : self._at])

    def _count(self, items: int) -> None:
        self._items += items
        if self._items > _MAX_ITEMS:
            raise _DamagedGguf

    def _skip(self, length: int) -> None:
        """Pass so many bytes. They are in `_data` afterwards."""
        self._at += length
        if self._at <= len(self._data):
            return
        if self._at > self._file.size:
            raise TruncatedGguf
        if self._at > _MAX_HEADER_BYTES:
            raise _DamagedGguf
        while len(self._data) < self._at:
            block = self._file.read(max(_BLOCK_BYTES, self._at - len(self._data)), len(self._data))
            if not block:
                raise TruncatedGguf
            self._data += block
