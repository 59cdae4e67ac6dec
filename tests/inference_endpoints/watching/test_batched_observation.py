"""Many endpoints of one namespace are observed together, by lists."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import pytest
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.polling import eventually
from tests.support.service.scripted_upstream import RUNNING, TOKEN

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import NotFound
from inference_endpoints.transport.backend import local
from inference_endpoints.transport.http import HttpTransport, httpx
from inference_endpoints.watching.goals import Goal
from inference_endpoints.watching.namespace_reader import MAX_GETS_PER_BATCH
from inference_endpoints.watching.observation import Observation, Subscription
from inference_endpoints.watching.watcher import Watcher

pytestmark = pytest.mark.anyio

URL = "http://127.0.0.1:9"


class Fleet(httpx.AsyncBaseTransport):
    """A control plane and its many endpoints, without event streams."""

    def __init__(self, count: int, state: str = "initializing") -> None:
        self.states = {f"e{number}": state for number in range(count)}
        self.unlisted: set[str] = set()
        self.refused: dict[str, int] = {}
        self.gets: list[str] = []
        self.checks: list[str] = []
        self.pages = 0
        self.updated_at = RUNNING["status"]["updatedAt"]
        self.held: asyncio.Event | None = None

    def become(self, state: str, *names: str) -> None:
        self.states |= dict.fromkeys(names or self.states, state)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        name = request.url.path.removeprefix("/v2/endpoint/acme").removeprefix("/")
        if request.url.path.endswith("/sse"):
            return httpx.Response(404, json={"error": "Not found"})
        if request.url.path.startswith("/serve/"):
            self.checks.append(request.url.path.split("/")[2])
            return httpx.Response(200)
        operation = "get" if name else "list"
        if operation in self.refused:
            return httpx.Response(self.refused[operation], json={"error": "Refused"})
        answer = self._get(name) if name else self._list(parse_qs(request.url.query.decode()))
        if self.held is not None:
            await self.held.wait()
        return answer

    def _get(self, name: str) -> httpx.Response:
        self.gets.append(name)
        found = name in self.states
        return httpx.Response(200, json=self._one(name)) if found else httpx.Response(404, json={"error": "Not found"})

    def _list(self, query: dict[str, list[str]]) -> httpx.Response:
        self.pages += 1
        first, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        names = [name for name in self.states if name not in self.unlisted]
        more = str(first + limit) if first + limit < len(names) else None
        items = [self._one(name) for name in names[first : first + limit]]
        return httpx.Response(200, json={"items": items, "nextCursor": more, "totalItems": len(names)})

    def _one(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = deepcopy(RUNNING)
        document["name"] = name
        document["status"] |= {"state": self.states[name], "url": f"{URL}/serve/{name}", "updatedAt": self.updated_at}
        return document


class Ticks:
    """Pauses between observations, which all last until the test ends them."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    def sleep(self, _: float) -> Coroutine[Any, Any, None]:
        return _until(self._over)

    def next(self) -> None:
        over, self._over = self._over, asyncio.Event()
        over.set()


async def _until(event: asyncio.Event) -> None:
    await event.wait()


@asynccontextmanager
async def watcher_of(fleet: Fleet, ticks: Ticks) -> AsyncIterator[Watcher]:
    http = HttpTransport(local(URL, TOKEN), transport=fleet, sleep=lambda _: asyncio.sleep(0))
    async with AsyncEndpointsClient(http.backend, namespace="acme") as client:
        client.http = http
        yield Watcher(client, sleep=ticks.sleep)


@dataclass
class Subscribers:
    """One subscriber for each endpoint."""

    subscriptions: dict[str, Subscription]
    ticks: Ticks

    async def observe(self) -> dict[str, Observation]:
        """The next observation of each."""
        async with asyncio.timeout(HANG_TIMEOUT_S):
            return {name: await subscription.next() for name, subscription in self.subscriptions.items()}

    async def tick(self) -> dict[str, Observation]:
        """The observation of each after another pause."""
        self.ticks.next()
        return await self.observe()


@asynccontextmanager
async def subscribed(
    fleet: Fleet, ticks: Ticks, names: Iterable[str], *, health: bool = False
) -> AsyncIterator[Subscribers]:
    """Subscribers of these endpoints, after the first observation of each."""
    async with watcher_of(fleet, ticks) as watcher, AsyncExitStack() as stack:
        subscriptions = {
            name: await stack.enter_async_context(watcher.watch(name, "acme", health=health)) for name in names
        }
        subscribers = Subscribers(subscriptions, ticks)
        await subscribers.observe()
        yield subscribers


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


async def test_a_thousand_endpoints_are_observed_by_ten_requests(ticks: Ticks) -> None:
    fleet = Fleet(1_000)
    async with subscribed(fleet, ticks, fleet.states) as subscribers:
        assert fleet.pages == 10
        for number in range(1, 4):
            assert len(await subscribers.tick()) == 1_000
            assert fleet.pages == 10 + 10 * number
        assert fleet.gets == []


async def test_a_change_in_the_list_is_published_to_its_subscriber(ticks: Ticks) -> None:
    fleet = Fleet(300)
    async with subscribed(fleet, ticks, fleet.states) as subscribers:
        fleet.become("paused", "e250")
        observed = await subscribers.tick()
    assert [name for name, each in observed.items() if each.endpoint and each.endpoint.state == "paused"] == ["e250"]
    assert all(each.endpoint and each.endpoint.name == name for name, each in observed.items())


async def test_an_endpoint_missing_from_the_list_is_read_by_a_get_before_it_counts_as_gone(ticks: Ticks) -> None:
    fleet = Fleet(100)
    async with subscribed(fleet, ticks, fleet.states) as subscribers:
        fleet.unlisted.add("e7")
        del fleet.states["e8"]
        observed = await subscribers.tick()
        assert observed["e7"].endpoint is not None
        assert observed["e8"].is_gone
        assert sorted(fleet.gets) == ["e7", "e8"]
        assert (await subscribers.tick())["e8"].is_gone
        assert sorted(fleet.gets) == ["e7", "e7", "e8"], "an endpoint that is gone was read again"


async def test_every_wait_for_the_deletion_of_many_ends(ticks: Ticks) -> None:
    fleet = Fleet(100)
    names = list(fleet.states)
    async with watcher_of(fleet, ticks) as watcher, AsyncExitStack() as stack:
        subscriptions = {name: await stack.enter_async_context(watcher.watch(name, "acme")) for name in names}
        waiting = [asyncio.create_task(watcher.wait(name, "acme", Goal.DELETED)) for name in names]
        await Subscribers(subscriptions, ticks).observe()
        fleet.states.clear()
        ticks.next()
        assert await asyncio.wait_for(asyncio.gather(*waiting), HANG_TIMEOUT_S) == [None] * 100
        assert len(watcher.polled) == 100
    assert watcher.polled == set()


async def test_a_list_that_fails_is_reported_to_all_and_retried(ticks: Ticks) -> None:
    fleet = Fleet(100)
    async with subscribed(fleet, ticks, fleet.states) as subscribers:
        fleet.refused["list"] = 500
        observed = await subscribers.tick()
        assert all(each.error is not None and each.error.retryable for each in observed.values())
        fleet.refused.clear()
        observed = await subscribers.tick()
        assert all(each.error is None and each.endpoint is not None for each in observed.values())


async def test_where_the_list_is_refused_endpoints_are_read_by_gets(ticks: Ticks) -> None:
    fleet = Fleet(20)
    fleet.refused["list"] = 403
    async with subscribed(fleet, ticks, fleet.states) as subscribers:
        assert sorted(fleet.gets) == sorted(fleet.states)
        assert all(each.endpoint for each in (await subscribers.tick()).values())
        assert len(fleet.gets) == 40


async def test_few_endpoints_are_read_by_gets(ticks: Ticks) -> None:
    fleet = Fleet(500)
    async with subscribed(fleet, ticks, list(fleet.states)[-MAX_GETS_PER_BATCH:]) as subscribers:
        await subscribers.tick()
    assert (len(fleet.gets), fleet.pages) == (2 * MAX_GETS_PER_BATCH, 0)


async def test_few_of_very_many_are_read_by_gets_once_a_list_has_cost_more(ticks: Ticks) -> None:
    fleet = Fleet(2_500)
    async with subscribed(fleet, ticks, list(fleet.states)[-10:]) as subscribers:
        assert (len(fleet.gets), fleet.pages) == (10, 10)
        await subscribers.tick()
    assert (len(fleet.gets), fleet.pages) == (20, 10)


async def test_the_health_of_each_running_endpoint_is_checked_once_in_an_interval(
    ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference_endpoints.watching.request_limits.MAX_REQUESTS_PER_S", 0.1)  # one lasts half an hour
    fleet = Fleet(200)
    async with subscribed(fleet, ticks, fleet.states, health=True) as subscribers:
        assert fleet.checks == []
        fleet.become("running")
        assert all(each.healthy for each in (await subscribers.tick()).values())
        assert sorted(fleet.checks) == sorted(fleet.states)
        assert all(each.healthy for each in (await subscribers.tick()).values())
        assert len(fleet.checks) == 200, "the health routes were called again at once"


async def test_a_subscriber_that_joins_during_a_list_receives_a_later_observation(ticks: Ticks) -> None:
    fleet = Fleet(60)
    async with watcher_of(fleet, ticks) as watcher, AsyncExitStack() as stack:
        fleet.held = asyncio.Event()
        for name in fleet.states:
            await stack.enter_async_context(watcher.watch(name, "acme"))
        await eventually(lambda: fleet.pages > 0, "a list is requested")
        fleet.become("paused")
        later = {name: await stack.enter_async_context(watcher.watch(name, "acme")) for name in fleet.states}
        fleet.held.set()
        observed = await Subscribers(later, ticks).observe()
    assert {each.endpoint.state.value for each in observed.values() if each.endpoint} == {"paused"}
    assert fleet.pages == 2


async def test_a_list_that_lags_behind_does_not_take_back_a_newer_state(ticks: Ticks) -> None:
    fleet = Fleet(50)
    async with subscribed(fleet, ticks, fleet.states) as subscribers:
        newest = (await subscribers.tick())["e5"].endpoint
        assert newest is not None
        fleet.updated_at = "2020-01-01T00:00:00.000Z"
        fleet.become("paused")
        assert (await subscribers.tick())["e5"].endpoint == newest


async def test_a_subscriber_that_joins_many_others_is_answered_by_a_get(ticks: Ticks) -> None:
    fleet = Fleet(100)
    async with watcher_of(fleet, ticks) as watcher, AsyncExitStack() as stack:
        subscriptions = {name: await stack.enter_async_context(watcher.watch(name, "acme")) for name in fleet.states}
        await Subscribers(subscriptions, ticks).observe()
        pages = fleet.pages
        fleet.become("paused", "e5")
        async with aclosing(watcher.changes("e5", "acme")) as changes:
            assert (await asyncio.wait_for(anext(changes), HANG_TIMEOUT_S)).state == "paused"
        with pytest.raises(NotFound):
            await asyncio.wait_for(watcher.wait("missing", "acme"), HANG_TIMEOUT_S)
        assert fleet.pages == pages
