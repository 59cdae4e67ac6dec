"""Whether an audit trail is as it was written: each line's hash follows from the line and from the one before."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inference_endpoints_mcp.policy.audit.chain import unchained
from inference_endpoints_mcp.policy.audit.chained_file import KEPT_FILES, rotated


class TamperedError(Exception):
    """The trail is not as it was written."""


@dataclass(frozen=True)
class VerifiedTrail:
    """What was found in order.

    `last` is the hash of the last line: kept elsewhere, it shows later that no line up to it was cut off. `torn` lines
    were begun by a process that was killed. `begins_at_first` is False where older files are gone.
    """

    lines: int
    last: str
    torn: int
    begins_at_first: bool


def verify(path: Path, expected: str | None = None) -> VerifiedTrail:
    """Check a trail with its rotated files. `expected` is a hash that must be in it.

    Raises `TamperedError` with the place, and OSError if the file cannot be read.
    """
    chain, count, torn, seen = None, 0, 0, expected is None
    begins_at_first = True
    for file, number, line in _lines(path):
        parts = unchained(line)
        place = f"{file.name}, line {number}"
        if parts is None:
            if _is_whole(line):
                raise TamperedError(f"{place}: this line has no hash: it was added later, or is not as it was written.")
            torn += 1
            continue
        text, stated = parts
        if chain is None:
            chain = _previous(text, place)
            begins_at_first = not chain
        if hashlib.sha256(chain.encode() + b"\n" + text).hexdigest() != stated:
            raise TamperedError(f"{place}: this line, or one before it, is not as it was written.")
        chain, count = stated, count + 1
        seen = seen or stated == expected
    if not seen:
        raise TamperedError("The expected line is not in the trail: it was cut off, or its file has been deleted.")
    return VerifiedTrail(count, chain or "", torn, begins_at_first)


def _is_whole(line: bytes) -> bool:
    """Whether it is an object of JSON: the line of a process that was killed is only the beginning of one."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _previous(text: bytes, place: str) -> str:
    """The hash that the first line of a trail goes on from; empty where it is the first of all."""
    try:
        previous = json.loads(text).get("previous", "")
    except (ValueError, RecursionError, AttributeError):
        previous = None
    if not isinstance(previous, str) or not previous.isascii():
        raise TamperedError(f"{place}: this line is not as it was written.")
    return previous


def _lines(path: Path) -> Iterator[tuple[Path, int, bytes]]:
    """The lines of all files, the oldest first."""
    path.stat()
    for age in range(KEPT_FILES, -1, -1):
        file = rotated(path, age)
        if age and not file.exists():
            continue
        with file.open("rb") as opened:
            for number, line in enumerate(opened, 1):
                yield file, number, line.rstrip(b"\n")
