"""Which entries of a log a caller wants."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

LogRecord = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(moment: datetime) -> float:
    """The time since 1970, exact for entries, whose times are whole milliseconds."""
    return (moment - _EPOCH) / timedelta(milliseconds=1)


def entry_milliseconds(entry: LogRecord) -> int:
    return round(milliseconds(datetime.fromisoformat(entry["timestamp"])))


@dataclass(frozen=True)
class LogFilter:
    """Of one replica, of one level, with a text whose case is ignored, between two times, both inclusive."""

    replica: str | None = None
    level: str | None = None
    search: str = ""
    first_ms: float = -math.inf
    last_ms: float = math.inf

    def matches(self, entry: LogRecord) -> bool:
        return (
            self.replica in (None, entry["replica_id"])
            and (self.level is None or self.level.lower() == entry["level"])
            and self.search.lower() in entry["line"].lower()
            and self.first_ms <= entry_milliseconds(entry) <= self.last_ms
        )
