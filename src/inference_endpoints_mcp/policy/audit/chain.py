"""Lines of JSON, each of which carries a hash of itself and of all before it."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

_CHAINED = re.compile(rb'(\{.*),"chain":"([0-9a-f]{64})"\}')


@dataclass(frozen=True)
class ChainedLine:
    """`text` is the entry as it is hashed, `previous` the hash of the line before, empty for the first."""

    text: bytes
    previous: str

    @classmethod
    def of(cls, entry: Mapping[str, Any], previous: str) -> "ChainedLine":
        return cls(json.dumps(entry, ensure_ascii=False, separators=(",", ":"), default=str).encode(), previous)

    @cached_property
    def chain(self) -> str:
        """The hash that the line ends with."""
        return hashlib.sha256(self.previous.encode() + b"\n" + self.text).hexdigest()

    @property
    def line(self) -> bytes:
        """Without its end."""
        return self.text[:-1] + f',"chain":"{self.chain}"}}'.encode()


def unchained(line: bytes) -> tuple[bytes, str] | None:
    """The entry of a line as it was hashed, and the line's hash. None for what is no line of a chain."""
    found = _CHAINED.fullmatch(line)
    return (found[1] + b"}", found[2].decode()) if found else None


class LineSink(Protocol):
    """Where lines go."""

    def append(self, entry: Mapping[str, Any]) -> ChainedLine:
        """The line as it was written. Raises OSError if it cannot be; then none of it is."""


class ProcessChain:
    """The chain of a trail that no file has: it begins anew with each process."""

    def __init__(self) -> None:
        self._last = ""

    def append(self, entry: Mapping[str, Any]) -> ChainedLine:
        line = ChainedLine.of(entry, self._last)
        self._last = line.chain
        return line
