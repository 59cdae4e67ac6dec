"""Event streams make observations earlier, and nothing depends on them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.planes.plane_driver import TOKEN as PLANE_TOKEN
from tests.support.planes.plane_driver import Driver, PlaneOf
from tests.support.polling import eventually
from tests.support.service.scripted_upstream import DROPPED, TOKEN, Answer, Upstream, events

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import InferenceEndpointError, NotFound, Unavailable
from inference_endpoints.models import Endpoint
from inference_endpoints.transport.backend import local
from inference_endpoints.watching.goals import Goal
from inference_endpoints.watching.watcher import Watcher

pytestmark = pytest.mark.anyio

ONE = "/v2/endpoint/acme/chat"


async def never(_: float) -> None:
    await asyncio.Event().wait()


@pytest.fixture
async def driver(plane_of: PlaneOf, anyio_backend: str) -> AsyncIterator[Driver]:
    async with plane_of() as driver:
        await driver.create()
        yield driver


@pytest.fixture
async def client(driver: Driver, anyio_backend: str) -> AsyncIterator[AsyncEndpointsClient]:
    async with AsyncEndpointsClient(local(driver.plane.url, PLANE_TOKEN), namespace="acme") as client:
        yield client


@pytest.fixture
async def scripted(upstream: Upstream, anyio_backend: str) -> AsyncIterator[AsyncEndpointsClient]:
    async with AsyncEndpointsClient(local(upstream.url, TOKEN), namespace="acme") as client:
        yield client


async def reached(waiting: "asyncio.Task[Endpoint | None]") -> str:
    endpoint = await asyncio.wait_for(waiting, HANG_TIMEOUT_S)
    assert endpoint is not None
    return endpoint.state


async def streams(driver: Driver, count: int) -> None:
    await eventually(lambda: driver.plane.open_streams == count, f"{count} streams are open")


async def test_an_event_shows_a_change_before_the_next_tick(driver: Driver, client: AsyncEndpointsClient) -> None:
    watcher = Watcher(client, sleep=never)
    waiting = asyncio.create_task(watcher.wait("chat", "acme", Goal.PAUSED))
    await streams(driver, 1)
    await driver.do("chat", "pause")
    assert await reached(waiting) == "paused"
    await streams(driver, 0)


async def test_a_thousand_waits_cost_one_stream_and_as_many_requests_as_one(
    upstream: Upstream, scripted: AsyncEndpointsClient
) -> None:
    upstream.shows("initializing", "running")
    upstream.answers("GET", f"{ONE}/sse", events({}, end="broken"))
    watcher = Watcher(scripted, sleep=never)
    waiting = [asyncio.create_task(watcher.wait("chat", "acme", Goal.PAUSED)) for _ in range(1_000)]
    await eventually(lambda: len(upstream.seen) >= 3, "three requests arrived")
    for _ in range(3):  # requests that were about to be sent are sent before these are answered
        with pytest.raises(NotFound):
            await scripted.get("other")
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert [seen.path for seen in upstream.seen].count(f"{ONE}/sse") == 1
    assert len([seen for seen in upstream.seen if not seen.path.endswith("/other")]) == 3


@pytest.mark.parametrize(
    "stream", [Answer(404, {"error": "Not found"}), DROPPED, events({}), Answer(body={}), Answer(503, b"full")]
)
async def test_without_a_lasting_stream_polling_finds_a_change(
    upstream: Upstream, scripted: AsyncEndpointsClient, stream: Answer
) -> None:
    upstream.shows("initializing", "initializing", "initializing", "initializing", "paused")
    upstream.answers("GET", f"{ONE}/sse", stream)

    async def soon(_: float) -> None:
        await asyncio.sleep(0.05)

    waiting = asyncio.create_task(Watcher(scripted, sleep=soon).wait("chat", "acme", Goal.PAUSED))
    assert await reached(waiting) == "paused"
    assert [seen.path for seen in upstream.seen].count(f"{ONE}/sse") == 1, "it was opened again at once"


async def test_a_stream_that_broke_off_is_opened_again_after_a_delay(
    upstream: Upstream, scripted: AsyncEndpointsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference_endpoints.watching.event_stream.RECONNECT_DELAYS_S", (0.1, 0.1))
    monkeypatch.setattr("inference_endpoints.watching.event_stream.MIN_EVENT_INTERVAL_S", 0.0)
    upstream.shows("initializing")
    upstream.answers("GET", f"{ONE}/sse", events({}), events({}), events({}, end="broken"))

    async def soon(_: float) -> None:
        await asyncio.sleep(0.02)

    async with Watcher(scripted, sleep=soon).watch("chat", "acme"):
        await eventually(lambda: [seen.path for seen in upstream.seen].count(f"{ONE}/sse") >= 3)


async def test_the_client_yields_every_event_and_no_comment(upstream: Upstream, scripted: AsyncEndpointsClient) -> None:
    parts = (b": keep-alive\n\n", b"event: status\ndata: {}\n", b"\nda", b"ta: {}\n\n:data\n\n")
    upstream.answers("GET", f"{ONE}/sse", Answer(headers={"content-type": "text/event-stream"}, parts=parts))
    async with aclosing(scripted.events("chat")) as received:
        assert [event async for event in received] == [None, None]
    assert upstream.seen[0].headers["accept"] == "text/event-stream"


@pytest.mark.parametrize(("answer", "error"), [(Answer(404, b""), NotFound), (Answer(body={}), Unavailable)])
async def test_an_answer_without_a_stream_is_an_error_of_the_tree(
    upstream: Upstream, scripted: AsyncEndpointsClient, answer: Answer, error: type[InferenceEndpointError]
) -> None:
    upstream.answers("GET", f"{ONE}/sse", answer)
    with pytest.raises(error):
        await anext(scripted.events("chat"))
