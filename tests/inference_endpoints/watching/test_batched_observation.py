"""Many endpoints of one namespace: watched together, out of lists of them."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from copy import deepcopy
from typing import Any
from urllib.parse import parse_qs

import pytest
from tests.support.upstream import RUNNING, TOKEN

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import NotFound
from inference_endpoints.transport.backend import local
from inference_endpoints.transport.http import HttpTransport, httpx
from inference_endpoints.watching.goals import Goal
from inference_endpoints.watching.observation import Observation, Subscription
from inference_endpoints.watching.observer import MIN_BATCH
from inference_endpoints.watching.watcher import Watcher

pytestmark = pytest.mark.anyio

URL = "http://127.0.0.1:9"


class Fleet(httpx.AsyncBaseTransport):
    """A control plane of many endpoints, and all of them; it has no streams."""

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
            return httpx.Response(self.refused[operation], json={"error": "Said no"})
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


class Rounds:
    """Pauses that last until all are ended together."""

    def __init__(self) -> None:
        self.resting = 0
        self._over = asyncio.Event()

    async def sleep(self, _: float) -> None:
        self.resting += 1
        try:
            await self._over.wait()
        finally:
            self.resting -= 1

    async def rest(self, count: int) -> None:
        async with asyncio.timeout(20):
            while self.resting < count:  # noqa: ASYNC110 - nobody is told that all rest
                await asyncio.sleep(0.005)

    async def next(self, count: int) -> None:
        """Another round of looks, until so many rest after it."""
        over, self._over = self._over, asyncio.Event()
        over.set()
        await asyncio.sleep(0)
        await self.rest(count)


@asynccontextmanager
async def watching(fleet: Fleet, rounds: Rounds) -> AsyncIterator[Watcher]:
    http = HttpTransport(local(URL, TOKEN), transport=fleet, sleep=lambda _: asyncio.sleep(0))
    async with AsyncEndpointsClient(http.backend, namespace="acme") as client:
        client.http = http
        yield Watcher(client, sleep=rounds.sleep)


@asynccontextmanager
async def watched(
    fleet: Fleet, rounds: Rounds, names: Iterable[str], *, health: bool = False
) -> AsyncIterator[dict[str, Subscription]]:
    """Slots of these endpoints, after the first look at each."""
    async with watching(fleet, rounds) as watcher, AsyncExitStack() as stack:
        subscriptions = {
            name: await stack.enter_async_context(watcher.watch(name, "acme", health=health)) for name in names
        }
        await rounds.rest(len(subscriptions))
        yield subscriptions


@pytest.fixture
def rounds() -> Rounds:
    return Rounds()


async def seen(subscription: Subscription) -> Observation:
    return await asyncio.wait_for(subscription.next(), 10)


async def test_a_thousand_endpoints_are_looked_at_by_ten_requests(rounds: Rounds) -> None:
    fleet = Fleet(1_000)
    async with watched(fleet, rounds, fleet.states) as subscriptions:
        assert fleet.pages == 10
        assert len(fleet.gets) == MIN_BATCH
        for number in range(1, 4):
            await rounds.next(1_000)
            assert fleet.pages == 10 + 10 * number
        assert len(fleet.gets) == MIN_BATCH
        assert len(subscriptions) == 1_000


async def test_a_change_is_seen_in_the_list_by_whom_it_concerns(rounds: Rounds) -> None:
    fleet = Fleet(300)
    async with watched(fleet, rounds, fleet.states) as subscriptions:
        fleet.become("paused", "e250")
        for subscription in subscriptions.values():
            await seen(subscription)
        await rounds.next(300)
        looks = {name: await seen(subscription) for name, subscription in subscriptions.items()}
    assert [name for name, look in looks.items() if look.endpoint and look.endpoint.state == "paused"] == ["e250"]
    assert all(look.endpoint and look.endpoint.name == name for name, look in looks.items())


async def test_an_endpoint_missing_from_the_list_is_asked_for_before_it_counts_as_gone(rounds: Rounds) -> None:
    fleet = Fleet(100)
    async with watched(fleet, rounds, fleet.states) as subscriptions:
        fleet.gets.clear()
        fleet.unlisted.add("e7")
        del fleet.states["e8"]
        await rounds.next(100)
        assert (await seen(subscriptions["e7"])).endpoint is not None
        assert (await seen(subscriptions["e8"])).is_gone
        assert sorted(fleet.gets) == ["e7", "e8"]
        await rounds.next(100)
        assert (await seen(subscriptions["e8"])).is_gone
        assert sorted(fleet.gets) == ["e7", "e7", "e8"], "what is gone was asked for again"


async def test_whoever_waits_for_the_end_of_many_is_told_of_each(rounds: Rounds) -> None:
    fleet = Fleet(100)
    names = list(fleet.states)
    async with watching(fleet, rounds) as watcher:
        waiting = [asyncio.create_task(watcher.wait(name, "acme", Goal.DELETED)) for name in names]
        await rounds.rest(100)
        fleet.states.clear()
        await rounds.next(0)
        assert await asyncio.wait_for(asyncio.gather(*waiting), 10) == [None] * 100
        assert watcher.polled == set()


async def test_a_list_that_fails_is_told_to_all_and_survived(rounds: Rounds) -> None:
    fleet = Fleet(100)
    async with watched(fleet, rounds, fleet.states) as subscriptions:
        fleet.refused["list"] = 500
        await rounds.next(100)
        looks = [await seen(subscription) for subscription in subscriptions.values()]
        assert all(look.error is not None and look.error.retryable for look in looks)
        fleet.refused.clear()
        await rounds.next(100)
        looks = [await seen(subscription) for subscription in subscriptions.values()]
        assert all(look.error is None and look.endpoint is not None for look in looks)


async def test_where_the_list_is_refused_endpoints_are_looked_at_singly(rounds: Rounds) -> None:
    fleet = Fleet(20)
    fleet.refused["list"] = 403
    async with watched(fleet, rounds, fleet.states) as subscriptions:
        assert sorted(fleet.gets) == sorted(fleet.states)
        await rounds.next(20)
        assert all([(await seen(subscription)).endpoint for subscription in subscriptions.values()])
        assert len(fleet.gets) == 40


async def test_few_endpoints_are_looked_at_singly(rounds: Rounds) -> None:
    fleet = Fleet(500)
    async with watched(fleet, rounds, list(fleet.states)[-MIN_BATCH:]):
        await rounds.next(MIN_BATCH)
    assert (len(fleet.gets), fleet.pages) == (2 * MIN_BATCH, 0)


async def test_few_of_very_many_are_looked_at_singly_once_it_shows_that_listing_costs_more(rounds: Rounds) -> None:
    fleet = Fleet(2_500)
    names = list(fleet.states)[-10:]
    async with watched(fleet, rounds, names):
        assert (len(fleet.gets), fleet.pages) == (10, 10)
        await rounds.next(10)
    assert (len(fleet.gets), fleet.pages) == (20, 10)


async def test_health_is_asked_of_each_that_runs_and_no_more_often_than_is_due(rounds: Rounds) -> None:
    fleet = Fleet(200)
    async with watched(fleet, rounds, fleet.states, health=True) as subscriptions:
        assert fleet.checks == []
        fleet.become("running")
        await rounds.next(200)
        assert all([(await seen(subscription)).healthy for subscription in subscriptions.values()])
        assert sorted(fleet.checks) == sorted(fleet.states)
        await rounds.next(200)
        assert all([(await seen(subscription)).healthy for subscription in subscriptions.values()])
        assert len(fleet.checks) == 200, "the health routes were asked again at once"


async def test_whoever_joins_while_a_list_is_under_way_is_not_told_what_was_before(rounds: Rounds) -> None:
    fleet = Fleet(60)
    names = list(fleet.states)
    async with watching(fleet, rounds) as watcher, AsyncExitStack() as stack:
        fleet.held = asyncio.Event()
        for name in names:
            await stack.enter_async_context(watcher.watch(name, "acme"))
        async with asyncio.timeout(10):
            while fleet.pages == 0 or len(fleet.gets) < MIN_BATCH:  # noqa: ASYNC110 - nobody is told of a request
                await asyncio.sleep(0.005)
        fleet.become("paused")
        waiting = [asyncio.create_task(watcher.wait(name, "acme", Goal.PAUSED)) for name in names]
        await asyncio.sleep(0)
        fleet.held.set()
        await asyncio.wait_for(asyncio.gather(*waiting), 10)
    assert fleet.pages == 2


async def test_a_list_that_is_behind_does_not_take_back_what_was_seen(rounds: Rounds) -> None:
    fleet = Fleet(50)
    async with watched(fleet, rounds, fleet.states) as subscriptions:
        seen_at = (await seen(subscriptions["e5"])).endpoint
        assert seen_at is not None
        fleet.updated_at = "2020-01-01T00:00:00.000Z"
        fleet.become("paused")
        await rounds.next(50)
        assert (await seen(subscriptions["e5"])).endpoint == seen_at


async def test_whoever_joins_many_sees_the_endpoint_as_it_is_now(rounds: Rounds) -> None:
    fleet = Fleet(100)
    async with watching(fleet, rounds) as watcher, AsyncExitStack() as stack:
        for name in fleet.states:
            await stack.enter_async_context(watcher.watch(name, "acme"))
        await rounds.rest(100)
        pages = fleet.pages
        fleet.become("paused", "e5")
        async with aclosing(watcher.changes("e5", "acme")) as changes:
            assert (await asyncio.wait_for(anext(changes), 10)).state == "paused"
        with pytest.raises(NotFound):
            await asyncio.wait_for(watcher.wait("missing", "acme"), 10)
        assert fleet.pages == pages
