"""The logs of an endpoint's replicas."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from inference_endpoints.models.api_model import ApiModel
from inference_endpoints.models.json_text import parse_json

_TIMED = re.compile(r"- (\d{4}-\d\d-\d\d[T ]\S+) ?(.*)", re.DOTALL)
"""A line of version 2 of the API, as the service was seen to send it: `- 2026-10-01T08:00:00.123456789Z INFO started`.
The text keeps its indentation."""


class LogEntry(ApiModel):
    """One line of a replica's output: strangers' text. One of the documents of the API with snake_case keys."""

    timestamp: str | None = None
    line: str = ""
    stream: str | None = None
    replica_id: str | None = Field(default=None, alias="replica_id")
    level: str | None = None

    @property
    def time(self) -> datetime | None:
        """When it was printed, to the microsecond and with a time zone. None where the service sends no time."""
        try:
            moment = datetime.fromisoformat(self.timestamp or "")
        except ValueError:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class LogLines(list[LogEntry]):
    """Lines of a log, oldest first. `complete` is False if the service may have older lines that were not searched."""

    def __init__(self, entries: Iterable[LogEntry] = (), *, complete: bool = True) -> None:
        super().__init__(entries)
        self.complete = complete


def _entries(payload: Any) -> Any:
    """Version 2 of the API sends text, and its form is not documented: `- <time> <text>`, plain lines, or one entry a
    line. A list of entries and `{"items": […]}` are read too.
    """
    if isinstance(payload, dict):
        return [payload] if "line" in payload else payload.get("items", [])
    if not isinstance(payload, str):
        return payload
    return [_entry(line) for line in re.split(r"\r?\n", payload) if line.strip()]


def _entry(line: str) -> dict[str, Any]:
    if timed := _TIMED.fullmatch(line):
        return {"timestamp": timed[1], "line": timed[2]}
    if line.startswith("{"):
        try:
            entry = parse_json(line)
        except ValueError:
            return {"line": line}
        if isinstance(entry, dict) and "line" in entry:
            return entry
    return {"line": line}


TextLogs = Annotated[list[LogEntry], BeforeValidator(_entries)]
