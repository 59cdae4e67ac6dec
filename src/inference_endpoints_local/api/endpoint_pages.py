"""Lists of endpoints: filtered, sorted, and one page at a time, as the service's OpenAPI document 2.0.0 describes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from inference_endpoints_local.control.managed_endpoint import ManagedEndpoint
from inference_endpoints_local.wire.queries import MAX_PAGE, EndpointsQuery, SearchQuery

_SORT_KEYS: dict[str, Callable[[ManagedEndpoint], str]] = {
    "createdAt": lambda endpoint: f"{endpoint.record.created_ns:020d}",
    "updatedAt": lambda endpoint: f"{endpoint.record.updated_ns:020d}",
    "name": lambda endpoint: endpoint.record.name,
}


@dataclass(frozen=True)
class EndpointSlice:
    """One page, the cursors of its neighbours where there are any, and the number of endpoints on all pages."""

    endpoints: list[ManagedEndpoint]
    next_cursor: str | None
    prev_cursor: str | None
    total: int


def search(endpoints: Iterable[ManagedEndpoint], query: SearchQuery) -> list[ManagedEndpoint]:
    """Those with a part of their name and all of the tags, oldest first."""
    tags = {tag for tag in query.tags.split(",") if tag}
    return [
        endpoint
        for endpoint in endpoints
        if query.search in endpoint.record.name and tags <= set(endpoint.record.spec["tags"])
    ]


def page_of(endpoints: Iterable[ManagedEndpoint], query: EndpointsQuery) -> EndpointSlice:
    """The page that the query names."""

    def key(endpoint: ManagedEndpoint) -> str:
        return f"{_SORT_KEYS[query.sort_by](endpoint)}~{endpoint.record.id}"

    found = [endpoint for endpoint in search(endpoints, query) if _matches(endpoint, query)]
    found.sort(key=key, reverse=query.direction == "desc")
    first = _first_of_page([key(endpoint) for endpoint in found], query)
    last = min(first + min(query.limit, MAX_PAGE), len(found))
    page = found[first:last]
    return EndpointSlice(
        page,
        next_cursor=f"after~{key(page[-1])}" if page and last < len(found) else None,
        prev_cursor=f"before~{key(page[0])}" if page and first > 0 else None,
        total=len(found),
    )


def _first_of_page(keys: list[str], query: EndpointsQuery) -> int:
    """The index at which the page begins. A cursor names a neighbour, so that deletions between pages skip nothing."""
    if not query.cursor:
        return 0
    direction, _, neighbour = query.cursor.partition("~")
    passed = sum(key > neighbour if query.direction == "desc" else key < neighbour for key in keys)
    if direction == "after":
        return passed + (neighbour in keys)
    return max(0, passed - min(query.limit, MAX_PAGE))


def _matches(endpoint: ManagedEndpoint, query: EndpointsQuery) -> bool:
    spec = endpoint.record.spec
    return all(
        not wanted or value in wanted
        for wanted, value in (
            (query.type, spec["type"]),
            (query.task, spec["model"]["task"]),
            (query.state, endpoint.status.state),
        )
    )
