"""`endpoint.watch()`: every change of an endpoint as it is seen, awaited or blocking."""

import asyncio
from contextlib import aclosing, closing
from typing import Any

import pytest
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.planes.plane_driver import Driver
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints import AsyncInferenceEndpoint, InferenceEndpoint, StatusChange, Unauthorized, aio

pytestmark = pytest.mark.anyio
ONE = "/v2/endpoint/acme/chat"


def life(upstream: Upstream) -> dict[str, Any]:
    """An endpoint that starts, reports a new message, runs and is deleted, with a passing failure between."""
    starting = upstream.endpoint("initializing", message="pulling the image")
    answers = [
        Answer(body=starting),
        Answer(body=starting),
        Answer(500, {"error": "Internal Server Error"}),
        Answer(body=upstream.endpoint("initializing", message="loading the model")),
        Answer(body=upstream.endpoint("running", message="ready")),
        Answer(404, {"error": "Not found"}),
    ]
    upstream.answers("GET", ONE, *answers)
    return starting


SEEN = [
    ("initializing", 0, "pulling the image"),
    ("initializing", 0, "loading the model"),
    ("running", 1, "ready"),
]


def summary_of(change: StatusChange) -> tuple[str, int, str]:
    return change.state, change.ready_replicas, change.message


async def test_a_watch_yields_every_change_until_the_endpoint_is_deleted(default_upstream: Upstream) -> None:
    endpoint = AsyncInferenceEndpoint.from_raw(life(default_upstream), "acme")
    changes = [summary_of(change) async for change in endpoint.watch(refresh_every=0.01)]
    assert changes == SEEN
    assert endpoint.status == "running"


async def test_a_blocking_watch_yields_the_same(default_upstream: Upstream) -> None:
    endpoint = InferenceEndpoint.from_raw(life(default_upstream), "acme")
    changes = await asyncio.to_thread(lambda: [summary_of(change) for change in endpoint.watch(refresh_every=0.01)])
    assert changes == SEEN
    assert endpoint.status == "running"


async def test_a_change_arrives_as_soon_as_the_control_plane_reports_it(default_driver: Driver) -> None:
    await default_driver.create()
    endpoint = await aio.get_inference_endpoint("chat", namespace="acme")
    async with aclosing(endpoint.watch(refresh_every=3_600)) as changes, asyncio.timeout(HANG_TIMEOUT_S):
        assert (await anext(changes)).state == "pending"
        await default_driver.do("chat", "pause")
        assert (await anext(changes)).state == endpoint.status == "paused"
        await default_driver.call("DELETE", ONE)
        with pytest.raises(StopAsyncIteration):
            await anext(changes)


async def test_a_watch_that_is_closed_reads_no_more(default_upstream: Upstream) -> None:
    default_upstream.shows("running")
    endpoint = InferenceEndpoint.from_raw(default_upstream.endpoint("running"), "acme")

    def first() -> str:
        with closing(endpoint.watch(refresh_every=0.01)) as changes:
            return str(next(changes).state)

    assert await asyncio.to_thread(first) == "running"
    reads = len(default_upstream.seen)
    await asyncio.sleep(0.1)
    assert len(default_upstream.seen) <= reads + 1


async def test_a_watch_whose_reads_are_refused_raises_the_reason(default_upstream: Upstream) -> None:
    default_upstream.answers("GET", ONE, Answer(401, b""))
    endpoint = AsyncInferenceEndpoint.from_raw(default_upstream.endpoint("running"), "acme")
    with pytest.raises(Unauthorized):
        await anext(endpoint.watch())
    with pytest.raises(ValueError, match="positive"):
        await anext(endpoint.watch(refresh_every=0))
