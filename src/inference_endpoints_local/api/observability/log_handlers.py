"""The handlers for logs: version 3 searches and pages, version 2 is text. Forms: the service's OpenAPI document."""

import math
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from inference_endpoints_local.api.request_handling import Handler, server_sent_event
from inference_endpoints_local.control.lifecycle import Lifecycle
from inference_endpoints_local.state.log_filter import LogFilter, LogRecord, entry_milliseconds, milliseconds
from inference_endpoints_local.wire import queries, routes
from inference_endpoints_local.wire.queries import FollowLogsQuery, LogPageQuery, LogQuery, parse_query
from inference_endpoints_local.wire.routes import RouteContract

MAX_DOWNLOADED_LINES = 50_000  # the service has a limit too, and does not document it
KEEP_ALIVE = ": keep-alive\n\n"
_STREAM_PARAMETERS = ("replica", "level", "search", "line_max_length")
"""What a page and the stream that continues it have in common."""


class LogHandlers:
    """Handlers that read the output of replicas."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self._logs = lifecycle.logs

    def handlers(self) -> list[tuple[RouteContract, Handler]]:
        return [
            (routes.LOGS, self._page),
            (routes.DOWNLOAD_LOGS, self._download),
            (routes.FOLLOW_LOGS, self._follow),
            (routes.LOGS_V2, self._text),
            (routes.FOLLOW_LOGS_V2, self._follow_v2),
        ]

    async def _page(self, request: Request) -> Response:
        query = parse_query(request, LogPageQuery)
        matching = self._logs.read(self._endpoint_id(request), _filter_of(query), None, query.line_max_length)
        window = [entry for entry in matching if _is_between(entry, query.after, query.before)]
        page = _cut_page(window, min(query.limit, queries.MAX_LOG_PAGE), query.order)
        links = _links(request, matching, page, query.after)
        return JSONResponse(page, headers={"Link": links} if links else None)

    async def _download(self, request: Request) -> Response:
        query = parse_query(request, LogQuery)
        entries = self._logs.read(
            self._endpoint_id(request), _filter_of(query), MAX_DOWNLOADED_LINES, query.line_max_length
        )
        name = "{namespace}-{name}-logs.txt".format(**request.path_params)
        text = "".join(f"{_prefix(entry)} {entry['line']}\n" for entry in entries)
        return PlainTextResponse(text, headers={"Content-Disposition": f'attachment; filename="{name}"'})

    async def _follow(self, request: Request) -> Response:
        query = parse_query(request, FollowLogsQuery)
        wanted = _filter_of(query)
        return self._event_stream(request, wanted, query.tail, query.line_max_length)

    async def _text(self, request: Request) -> Response:
        query = parse_query(request, queries.LogsV2Query)
        which = (self._endpoint_id(request), LogFilter(query.replica), query.tail, query.line_max_length)
        if query.follow:
            lines = (_text_line(entry) async for entry in self._logs.follow(*which) if entry)
            return StreamingResponse(lines, media_type="text/plain")
        return PlainTextResponse("".join(map(_text_line, self._logs.read(*which))))

    async def _follow_v2(self, request: Request) -> Response:
        query = parse_query(request, queries.FollowLogsV2Query)
        return self._event_stream(request, LogFilter(query.replica), query.tail, query.line_max_length)

    def _event_stream(
        self, request: Request, wanted: LogFilter, tail: int | None, line_characters: int | None
    ) -> Response:
        entries = self._logs.follow(self._endpoint_id(request), wanted, tail, line_characters)
        return StreamingResponse(_events(entries), media_type="text/event-stream")

    def _endpoint_id(self, request: Request) -> str:
        return self._lifecycle.find(request.path_params["name"]).record.id


async def _events(entries: AsyncIterator[LogRecord | None]) -> AsyncIterator[str]:
    async for entry in entries:
        yield server_sent_event(entry) if entry else KEEP_ALIVE


def _filter_of(query: LogQuery | FollowLogsQuery) -> LogFilter:
    first = milliseconds(query.since) if query.since else -math.inf
    last = milliseconds(query.until) if isinstance(query, LogQuery) and query.until else math.inf
    if isinstance(query, FollowLogsQuery) and query.after:
        first = max(first, int(query.after, 16) + 1)
    return LogFilter(query.replica, query.level, query.search, first, last)


def _is_between(entry: LogRecord, after: str, before: str) -> bool:
    moment = entry_milliseconds(entry)
    return (not after or moment > int(after, 16)) and (not before or moment < int(before, 16))


def _cut_page(window: list[LogRecord], limit: int, order: str) -> list[LogRecord]:
    """At most `limit` entries, and all others of the millisecond at which they end: a cursor is a millisecond."""
    if len(window) <= limit:
        return window
    if order == "asc":
        last = entry_milliseconds(window[limit - 1])
        return [entry for entry in window if entry_milliseconds(entry) <= last]
    first = entry_milliseconds(window[-limit])
    return [entry for entry in window if entry_milliseconds(entry) >= first]


def _links(request: Request, matching: list[LogRecord], page: list[LogRecord], after: str) -> str:
    """The `Link` header: the later and the earlier page, where there are any, and the stream that continues."""
    here, links = request.url.path, []

    def link(rel: str, path: str, parameters: Mapping[str, Any]) -> None:
        links.append(f'<{path}?{urlencode(parameters)}>; rel="{rel}"')

    kept = {key: value for key, value in request.query_params.items() if key not in ("after", "before")}
    streamed = {key: kept[key] for key in _STREAM_PARAMETERS if key in kept}
    if page:
        first, last = entry_milliseconds(page[0]), entry_milliseconds(page[-1])
        if entry_milliseconds(matching[-1]) > last:
            link("next", here, kept | {"after": f"{last:x}"})
        if entry_milliseconds(matching[0]) < first:
            link("prev", here, kept | {"before": f"{first:x}"})
        after = f"{last:x}"
    if after:
        link("next_sse", f"{here}/sse", streamed | {"after": after})
    return ", ".join(links)


def _prefix(entry: LogRecord) -> str:
    return f"{entry['timestamp']} {entry['replica_id']} {(entry['level'] or 'info').upper()}"


def _text_line(entry: LogRecord) -> str:
    return f"- {entry['timestamp']} {entry['line']}\n"
