"""The client's methods for logs.

Version 3 of the API searches and pages. Where the service answers 501 or has no such route, version 2 sends the newest
lines as text, and they are searched here.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic import ValidationError

from inference_endpoints.errors import InferenceEndpointError, Unavailable
from inference_endpoints.logs.line_filter import LineFilter, Severity
from inference_endpoints.models import LogEntry, LogLines, rfc3339
from inference_endpoints.transport import operations
from inference_endpoints.transport.http import HttpTransport, backoff_s
from inference_endpoints.transport.operations import Operation, Request

LINES_SEARCHED = 2_000
"""Newest lines that are searched here."""
MAX_PAGE = 5_000
"""Lines of one answer, by the service's OpenAPI document."""
_LEVELS: Mapping[Severity, tuple[str, ...]] = {"error": ("error",), "warning": ("warning", "error")}

Query = dict[str, Any]
Address = tuple[str, str]
"""Namespace and name."""


class LogClient(ABC):
    """Reads and follows logs."""

    http: HttpTransport
    _has_log_search = True
    """False once the service has shown that it has no version 3 of logs."""

    @abstractmethod
    async def resolve_namespace(self, namespace: str | None = None) -> str: ...

    async def logs(
        self,
        name: str,
        namespace: str | None = None,
        *,
        tail: int = 1_000,
        replica: str | None = None,
        level: Severity | None = None,
        search: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> LogLines:
        """Read the newest `tail` matching lines of the replicas' output, oldest first. They are strangers' text.

        `search` is a text in the line; case is ignored. `level` is the least severity; a line without a level is judged
        by its words, and the inner lines of a traceback are as severe as its first. `since` and `until` are inclusive
        and need a time zone. Where the service cannot search, its newest 2,000 lines are searched here, and `complete`
        of the result is False if there may be older ones.

        >>> for entry in await client.logs("chat", search="listening", tail=1):
        ...     print(entry.line)
        Simulated: Listening on 0.0.0.0:80
        """
        endpoint = (await self.resolve_namespace(namespace), name)
        lines = LineFilter(level, search, since, until)
        is_missing = not self._has_log_search
        if not is_missing:
            window: Query = {"replica": replica, "since": since and rfc3339(since), "until": until and rfc3339(until)}
            try:
                if level is None:
                    return LogLines(await self._newest(window | {"search": search or None}, tail, endpoint))
                return LogLines(await self._severe(window, tail, lines, level, search, endpoint))
            except InferenceEndpointError as error:
                if error.status not in {404, 501}:
                    raise
                is_missing = _is_missing(error, replica)
        filtered = bool(level or search or since or until)
        query = {"replica": replica, "tail": LINES_SEARCHED if filtered else tail}
        read = await self.http.send(_request(operations.LOGS_V2, query, endpoint), operations.LOGS_V2)
        self._has_log_search = not is_missing  # the endpoint exists, or this would have failed too
        for entry in read:
            entry.replica_id = entry.replica_id or replica
        found = [entry for entry in read if lines.matches(entry)]
        return LogLines(found[-tail:] if tail else [], complete=not filtered or len(read) < LINES_SEARCHED)

    async def follow_logs(
        self,
        name: str,
        namespace: str | None = None,
        *,
        tail: int = 10,
        replica: str | None = None,
        level: Severity | None = None,
        search: str = "",
    ) -> AsyncGenerator[LogEntry]:
        """Yield matching lines of the replicas' output: of the newest `tail`, then each as it is printed.

        Ends with the endpoint. A stream that breaks off or falls silent is opened again where it was; raises where it
        cannot be opened. Close it (`contextlib.aclosing`) when leaving it early.

        >>> async for entry in client.follow_logs("chat", tail=1):
        ...     print(entry.line)
        ...     break
        Simulated: Listening on 0.0.0.0:80
        """
        endpoint = (await self.resolve_namespace(namespace), name)
        lines, position = LineFilter(level, search), _Position()
        query: Query = {"replica": replica, "tail": tail}
        searches = self._has_log_search
        while True:
            operation = operations.FOLLOW_LOGS if searches else operations.FOLLOW_LOGS_V2
            opened = False
            try:
                async with self.http.stream_events(_request(operation, query, endpoint)) as events:
                    opened = True
                    async for data in events:
                        for entry in _entries(data):
                            if position.passes(entry) and lines.matches(entry):
                                yield entry
                return
            except InferenceEndpointError as error:
                if not opened and searches and error.status in {404, 501}:
                    if error.status == 404:
                        await self.http.send(_request(operations.GET, {}, endpoint), operations.GET)
                    searches = False
                    self._has_log_search = not _is_missing(error, replica)
                    continue
                if not opened or not isinstance(error, Unavailable):
                    raise
            query = {"replica": replica} | position.resume(by_time=searches)
            await self.http.sleep(backoff_s(1))

    async def _newest(self, query: Query, tail: int, endpoint: Address) -> list[LogEntry]:
        """The newest `tail` lines, page by page. A page may hold more lines than its limit, or fewer."""
        entries: list[LogEntry] = []
        before, seen = None, set[str | None]([None])
        while len(entries) < tail:
            limit = min(tail - len(entries), MAX_PAGE)
            request = _request(operations.LOGS, query | {"before": before, "limit": limit}, endpoint)
            page, links = await self.http.send_page(request, operations.LOGS)
            entries = page + entries
            before = _earlier(links)
            if not page or before in seen:
                break
            seen.add(before)
        return entries[-tail:] if tail else []

    async def _severe(
        self, query: Query, tail: int, lines: LineFilter, level: Severity, search: str, endpoint: Address
    ) -> list[LogEntry]:
        """The newest `tail` lines that are severe enough. Those of a traceback have no level of their own, so the
        newest lines are filtered here; before them, the service finds lines by their level."""
        newest = await self._newest(query, LINES_SEARCHED, endpoint)
        found = [entry for entry in newest if lines.matches(entry)]
        first = newest[0].time if newest else None
        if len(found) < tail and len(newest) >= LINES_SEARCHED and first:
            # A page holds every line of its first millisecond.
            last = first.replace(microsecond=first.microsecond // 1_000 * 1_000) - timedelta(microseconds=1)
            query = query | {"search": search or None, "until": rfc3339(last)}
            older = [
                entry
                for each in _LEVELS[level]
                for entry in await self._newest(query | {"level": each}, tail - len(found), endpoint)
            ]
            found = sorted(older, key=lambda entry: entry.time or first) + found
        return found[-tail:] if tail else []


class _Position:
    """Where a follower is, so that it continues there on another stream."""

    def __init__(self) -> None:
        self._last: datetime | None = None
        self._lines_then: Counter[tuple[str | None, str]] = Counter()
        """The lines of the last moment."""
        self._resumed_at: datetime | None = None
        self._repeated: Counter[tuple[str | None, str]] = Counter()

    def passes(self, entry: LogEntry) -> bool:
        """Whether the entry is new; the position is then at this entry."""
        line = (entry.replica_id, entry.line)
        if self._resumed_at and entry.time and entry.time <= self._resumed_at:
            if entry.time < self._resumed_at:
                return False
            if self._repeated[line]:
                self._repeated[line] -= 1
                return False
        if entry.time and (self._last is None or entry.time > self._last):
            self._last, self._lines_then = entry.time, Counter()
        if entry.time == self._last:
            self._lines_then[line] += 1
        return True

    def resume(self, *, by_time: bool) -> Query:
        """The query of a stream that continues here. What it repeats does not pass."""
        self._resumed_at, self._repeated = self._last, self._lines_then.copy()
        if self._last is None:
            return {"tail": 0}
        return {"since": rfc3339(self._last)} if by_time else {"tail": LINES_SEARCHED}


def _is_missing(error: InferenceEndpointError, replica: str | None) -> bool:
    """Whether the refusal shows that there is no version 3, for an endpoint that exists: it may be the replica that
    does not."""
    return error.status == 501 or replica is None


def _request(operation: Operation[Any], query: Query, endpoint: Address) -> Request:
    namespace, name = endpoint
    return operation.build(query=query, namespace=namespace, name=name)


def _entries(data: str) -> list[LogEntry]:
    """The entry of an event; its text where it has another form."""
    try:
        return operations.FOLLOW_LOGS.parse(data)
    except ValidationError:
        return [LogEntry(line=data)]


def _earlier(links: Iterable[str]) -> str | None:
    """The cursor of the earlier page. Which `rel` it has is not documented; that `before` is earlier is."""
    for link in links:
        for cursor in parse_qs(urlsplit(link).query).get("before", ()):
            return cursor
    return None
