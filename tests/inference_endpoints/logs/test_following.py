"""Following logs: each line once, also where the stream breaks, and where only version 2 is there."""

from collections.abc import Sequence
from contextlib import aclosing

import pytest
from tests.inference_endpoints.logs.test_reading import V2, V3, entry, queries
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.service.scripted_upstream import Answer, Upstream, events

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import NotFound, Unavailable
from inference_endpoints.transport.backend import local
from inference_endpoints_local.state.faults import Fault

pytestmark = pytest.mark.anyio


async def follow(client: AsyncEndpointsClient, **arguments: str) -> Sequence[str]:
    async with aclosing(client.follow_logs("chat", **arguments)) as entries:  # type: ignore[arg-type]
        return [each.line async for each in entries]


async def test_lines_come_until_the_stream_ends(upstream: Upstream, endpoints: AsyncEndpointsClient) -> None:
    upstream.answers("GET", V3 + "/sse", events(entry(1), b": keep-alive\n\n", entry(2), b"data: no entry\n\n"))
    assert await follow(endpoints, replica="r-1") == ["line 1", "line 2", "no entry"]
    assert queries(upstream, V3 + "/sse") == [{"tail": "10", "replica": "r-1"}]


async def test_a_broken_stream_continues_where_it_was(upstream: Upstream, endpoints: AsyncEndpointsClient) -> None:
    first = events(entry(1), entry(2, "same"), entry(2, "same"), end="broken")
    again = events(entry(2, "same"), entry(2, "same"), entry(2, "same"), entry(3))
    upstream.answers("GET", V3 + "/sse", first, again)
    assert await follow(endpoints) == ["line 1", "same", "same", "same", "line 3"]
    assert queries(upstream, V3 + "/sse")[1] == {"since": "2026-10-01T08:00:02Z"}


async def test_a_stream_that_cannot_be_opened_again_ends_with_an_error(
    upstream: Upstream, endpoints: AsyncEndpointsClient
) -> None:
    upstream.answers("GET", V3 + "/sse", events(entry(1), end="broken"), Answer(503, {"error": "no"}))
    with pytest.raises(Unavailable):
        await follow(endpoints)


@pytest.mark.parametrize("refusal", [501, 404])
async def test_without_version_3_version_2_is_followed(
    upstream: Upstream, endpoints: AsyncEndpointsClient, refusal: int
) -> None:
    upstream.shows("running")
    upstream.answers("GET", V3 + "/sse", Answer(refusal, {"error": "Not Implemented"}))
    text = b"data: - 2026-10-01T08:00:01Z INFO one\n\n"
    upstream.answers(
        "GET", V2 + "/sse", events(text, end="broken"), events(text, b"data: - 2026-10-01T08:00:02Z ERROR two\n\n")
    )
    assert await follow(endpoints) == ["INFO one", "ERROR two"]
    assert queries(upstream, V2 + "/sse") == [{"tail": "10"}, {"tail": "2000"}]
    upstream.answers("GET", V2, Answer(body=b"", headers={"content-type": "text/plain"}))
    assert await endpoints.logs("chat") == []
    assert queries(upstream, V3) == []


async def test_a_missing_endpoint_cannot_be_followed(upstream: Upstream, endpoints: AsyncEndpointsClient) -> None:
    with pytest.raises(NotFound):
        await follow(endpoints)
    upstream.answers("GET", V3 + "/sse", events(entry(1)))
    assert await follow(endpoints) == ["line 1"]


async def test_a_missing_replica_is_no_missing_version(upstream: Upstream, endpoints: AsyncEndpointsClient) -> None:
    upstream.shows("running")
    with pytest.raises(NotFound):
        await follow(endpoints, replica="gone")
    upstream.answers("GET", V3 + "/sse", events(entry(1)))
    assert await follow(endpoints) == ["line 1"]


async def test_followed_lines_are_filtered_with_their_tracebacks(
    upstream: Upstream, endpoints: AsyncEndpointsClient
) -> None:
    log = [entry(1, "INFO fine"), entry(2, "Traceback (most recent call last):"), entry(3, '  File "model.py"')]
    upstream.answers("GET", V3 + "/sse", events(*log))
    assert len(await follow(endpoints, level="error")) == 2
    assert await follow(endpoints, search="MODEL") == ['  File "model.py"']


@pytest.mark.parametrize("has_version_3", [True, False])
async def test_an_endpoint_of_the_plane_is_followed_until_it_is_deleted(driver: Driver, has_version_3: bool) -> None:
    await driver.create()
    await driver.advance(20)
    if not has_version_3:
        driver.plane.faults.arm(Fault.NOT_IMPLEMENTED, "follow_logs")
    async with AsyncEndpointsClient(local(driver.url, TOKEN), namespace="acme") as client:
        lines = []
        async with aclosing(client.follow_logs("chat")) as entries:
            async for each in entries:
                lines.append(each.line)
                if "Pulling" in each.line:
                    await driver.advance(200)
                if "Listening" in each.line:
                    await driver.call("DELETE", "/v2/endpoint/acme/chat")
    assert "Pulling" in lines[0]
    assert "SIGTERM" in lines[-1]
    assert len(lines) == len(set(lines))
