"""Real answers of the service with something else somewhere in them: they are read, or refused as an error of ours."""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.service.captures import CAPTURES
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import InferenceEndpointError

pytestmark = pytest.mark.anyio

Read = Callable[[AsyncEndpointsClient], Awaitable[object]]
START = datetime(2026, 10, 1, tzinfo=UTC)
READS: dict[str, tuple[str, str, Read]] = {
    "endpoint-every-field": ("GET", "/v2/endpoint/acme/chat", lambda client: client.get("chat")),
    "list-last-page": ("GET", "/v2/endpoint/acme", lambda client: client.list()),
    "replicas": ("GET", "/v2/endpoint/acme/chat/replica", lambda client: client.replicas("chat")),
    "all-graphs": ("POST", "/v2/endpoint/acme/chat/metrics", lambda client: client.metrics("chat", start=START)),
    "audit-logs": ("GET", "/v2/audit-logs/acme", lambda client: client.audit_logs()),
    "vendors": ("GET", "/v2/provider/acme", lambda client: client.hardware()),
    "vendor-quotas": ("GET", "/v2/provider/quotas/acme", lambda client: client.quotas()),
    "whoami-fine-grained": ("GET", "/api/whoami-v2", lambda client: client.whoami()),
}
"""By the capture: the route that answers it, and who reads it."""

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a document."""
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


def with_changes(document: Any, changes: list[tuple[tuple[Any, ...], Any]]) -> Any:
    """The document with other values in these places; a place that is no longer there is left out."""
    changed = deepcopy(document)
    for path, value in changes:
        if not path:
            return value
        try:
            parent = changed
            for key in path[:-1]:
                parent = parent[key]
            parent[path[-1]]
            parent[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue
    return changed


def changed_answers() -> st.SearchStrategy[tuple[str, Any]]:
    documents = {name: json.loads((CAPTURES / f"{name}.json").read_text()) for name in READS}
    return st.sampled_from(sorted(documents)).flatmap(
        lambda name: st.tuples(
            st.just(name),
            st.lists(st.tuples(st.sampled_from(places(documents[name])), ANYTHING), min_size=1, max_size=3).map(
                lambda changes: with_changes(documents[name], changes)
            ),
        )
    )


@given(drawn=changed_answers())
async def test_a_changed_answer_is_read_or_is_an_error_of_ours(
    upstream: Upstream, endpoints: AsyncEndpointsClient, drawn: tuple[str, Any]
) -> None:
    name, body = drawn
    method, path, read = READS[name]
    upstream.answers(method, path, Answer(body=body))
    with suppress(InferenceEndpointError):
        await read(endpoints)
    assert any(seen.path.startswith(path) for seen in upstream.seen), f"{path} was not read"


@pytest.mark.parametrize("name", READS)
async def test_every_answer_is_read_as_it_was_captured(
    upstream: Upstream, endpoints: AsyncEndpointsClient, name: str
) -> None:
    method, path, read = READS[name]
    upstream.answers(method, path, Answer(body=json.loads((CAPTURES / f"{name}.json").read_text())))
    await read(endpoints)
