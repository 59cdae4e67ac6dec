"""Which lines of a log are wanted, where the service does not filter them."""

import re
from datetime import datetime
from typing import Literal

from inference_endpoints.models import LogEntry

Severity = Literal["warning", "error"]

_RANKS = {"error": 2, "critical": 2, "fatal": 2, "warning": 1, "warn": 1}
_ERROR = re.compile(
    r"\b(?:\w*(?:error|exception)|critical|fatal|panic|traceback|killed|out of memory)\b", re.IGNORECASE
)
_WARNING = re.compile(r"\bwarn(?:ing)?\b", re.IGNORECASE)


class LineFilter:
    """Lines that are at least as severe as `level`, contain `search` and were printed between two moments.

    It needs all lines in their order: an indented line belongs to the one before of the same replica, as in a
    traceback, and a line without a time was printed when the one before was.
    """

    def __init__(
        self,
        level: Severity | None = None,
        search: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        self._wanted_rank = _RANKS[level] if level else 0
        self._search = search.lower()
        self._since, self._until = since, until
        self._ranks: dict[str | None, int] = {}
        self._times: dict[str | None, datetime] = {}

    def matches(self, entry: LogEntry) -> bool:
        """Lines before the first time are kept: some engines print none."""
        replica = entry.replica_id
        if not entry.line[:1].isspace():
            self._ranks[replica] = _rank(entry)
        if entry.time:
            self._times[replica] = entry.time
        printed = self._times.get(replica)
        return (
            self._ranks.get(replica, 0) >= self._wanted_rank
            and self._search in entry.line.lower()
            and (printed is None or self._since is None or printed >= self._since)
            and (printed is None or self._until is None or printed <= self._until)
        )


def _rank(entry: LogEntry) -> int:
    """By the service's level; where it sends none, by the words of the line."""
    if entry.level:
        return _RANKS.get(entry.level.lower(), 0)
    if _ERROR.search(entry.line):
        return _RANKS["error"]
    return _RANKS["warning"] if _WARNING.search(entry.line) else 0
