"""Watching endpoints of a real plane; the test ends every pause between two observations."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

import anyio
import pytest
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.planes.plane_driver import TOKEN, Driver, PlaneOf

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import InferenceEndpointError, InferenceEndpointTimeoutError, Paused, Unauthorized
from inference_endpoints.models import Endpoint
from inference_endpoints.transport.backend import Backend, local
from inference_endpoints.transport.http import HttpTransport
from inference_endpoints.watching.goals import Goal
from inference_endpoints.watching.namespace_reader import MAX_GETS_PER_BATCH
from inference_endpoints.watching.observation import Observation
from inference_endpoints.watching.request_limits import (
    CHANGING_INTERVAL_S,
    IDLE_INTERVAL_S,
    MAX_REQUESTS_PER_S,
    STREAMED_INTERVAL_S,
)
from inference_endpoints.watching.watcher import Watcher
from inference_endpoints_local.state.faults import Fault

pytestmark = pytest.mark.anyio

KEY = ("acme", "chat")


class Pauses:
    """Pauses that last until the test ends them."""

    def __init__(self) -> None:
        self.begun: list[float] = []
        """The length of each, in seconds."""
        self.ends: list[float] = []
        """When each would end, on the loop's clock."""
        self._begun = asyncio.Event()
        self._over = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.begun.append(seconds)
        self.ends.append(anyio.current_time() + seconds)
        self._begun.set()
        await self._over.wait()
        self._over.clear()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(HANG_TIMEOUT_S):
            while len(self.begun) < count:
                self._begun.clear()
                await self._begun.wait()

    def end(self) -> None:
        self._over.set()


@pytest.fixture
async def driver(plane_of: PlaneOf, anyio_backend: str) -> AsyncIterator[Driver]:
    async with plane_of() as driver:
        await driver.create()
        yield driver


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
async def client(driver: Driver, anyio_backend: str) -> AsyncIterator[AsyncEndpointsClient]:
    async with client_of(local(driver.plane.url, TOKEN)) as client:
        yield client


def client_of(backend: Backend) -> AsyncEndpointsClient:
    """A client that does not pause between two attempts."""

    async def at_once(_: float) -> None:
        await asyncio.sleep(0)

    client = AsyncEndpointsClient(backend, namespace="acme")
    client.http = HttpTransport(backend, sleep=at_once)
    return client


@pytest.fixture
def watcher(client: AsyncEndpointsClient, pauses: Pauses) -> Watcher:
    return Watcher(client, sleep=pauses.sleep)


def waits(watcher: Watcher, goal: Goal = Goal.RUNNING, timeout: float | None = None) -> "asyncio.Task[Endpoint | None]":
    return asyncio.create_task(watcher.wait("chat", "acme", goal, timeout=timeout))


async def test_all_waits_share_one_poller_that_ends_with_the_last(
    driver: Driver, watcher: Watcher, pauses: Pauses
) -> None:
    tasks = [waits(watcher) for _ in range(20)]
    await pauses.wait_for(1)
    assert watcher.polled == {KEY}
    await driver.advance(200)
    pauses.end()
    states = {(endpoint.state.value if endpoint else "") for endpoint in await asyncio.gather(*tasks)}
    assert states == {"running"}
    assert watcher.polled == set()


async def test_cancelling_one_of_two_waits_leaves_the_other_its_poller(watcher: Watcher, pauses: Pauses) -> None:
    first, second = waits(watcher), waits(watcher)
    await pauses.wait_for(1)
    first.cancel()
    await asyncio.wait([first])
    assert watcher.polled == {KEY}
    second.cancel()
    await asyncio.wait([second])
    assert watcher.polled == set()


async def test_a_new_subscriber_receives_an_observation_at_once_and_not_at_the_next_tick(
    driver: Driver, watcher: Watcher, pauses: Pauses
) -> None:
    first = waits(watcher)
    await pauses.wait_for(1)
    await driver.advance(200)
    joined = await asyncio.wait_for(waits(watcher), HANG_TIMEOUT_S)
    assert joined is not None
    assert joined.state == "running"
    await first


async def test_observations_are_frequent_while_something_changes_and_rare_while_nothing_does(
    driver: Driver, watcher: Watcher, pauses: Pauses
) -> None:
    await driver.advance(200)
    started = anyio.current_time()
    task = waits(watcher, Goal.PAUSED)
    for count in (1, 2):
        await pauses.wait_for(count)
        pauses.end()
    await pauses.wait_for(3)
    task.cancel()
    changing, *idle = (end - started for end in pauses.ends)
    assert changing >= CHANGING_INTERVAL_S
    assert pauses.begun[0] <= CHANGING_INTERVAL_S
    assert all(end >= IDLE_INTERVAL_S for end in idle)
    assert all(pause <= STREAMED_INTERVAL_S for pause in pauses.begun)


async def test_however_many_are_watched_requests_come_no_faster_than_the_service_allows(
    watcher: Watcher, pauses: Pauses
) -> None:
    count, group = 120, MAX_GETS_PER_BATCH
    started = anyio.current_time()
    async with AsyncExitStack() as stack:
        for number in range(count):
            await stack.enter_async_context(watcher.watch(f"e{number % group}", f"team-{number // group}"))
        await pauses.wait_for(count // group)
    interval = count / MAX_REQUESTS_PER_S
    assert all(end - started >= interval for end in pauses.ends)
    assert all(pause <= interval for pause in pauses.begun)


async def test_two_observations_are_no_further_apart_than_the_poll_interval(
    client: AsyncEndpointsClient, pauses: Pauses
) -> None:
    task = waits(Watcher(client, poll_interval=0.5, sleep=pauses.sleep))
    await pauses.wait_for(1)
    task.cancel()
    assert pauses.begun[0] <= 0.5


@pytest.mark.parametrize("goal", [Goal.PAUSED, Goal.SCALED_TO_ZERO, Goal.DELETED])
async def test_waiting_for_a_stop_does_not_keep_the_endpoint_awake(
    driver: Driver, watcher: Watcher, pauses: Pauses, goal: Goal
) -> None:
    await driver.advance(200)
    task = waits(watcher, goal)
    await pauses.wait_for(1)
    task.cancel()
    assert "lastUsedAt" not in (await driver.get("chat"))["status"]


async def test_a_slow_subscriber_receives_only_the_newest_observation(
    driver: Driver, watcher: Watcher, pauses: Pauses
) -> None:
    async with watcher.watch("chat", "acme") as subscription:
        await pauses.wait_for(1)
        await driver.advance(200)
        pauses.end()
        await pauses.wait_for(2)
        observation = await subscription.next()
    assert observation.endpoint is not None
    assert (observation.endpoint.state, observation.healthy) == ("running", True)


async def test_an_answer_older_than_our_own_change_is_not_taken_for_its_outcome(
    driver: Driver, client: AsyncEndpointsClient, watcher: Watcher
) -> None:
    await driver.do("chat", "pause")
    seen = await client.get("chat")
    assert seen.status.updated_at is not None
    later = seen.status.model_copy(update={"updated_at": seen.status.updated_at + timedelta(seconds=1)})
    watcher.record_change("acme", seen.model_copy(update={"status": later}))
    with pytest.raises(InferenceEndpointTimeoutError):
        await waits(watcher, timeout=0.2)
    watcher.record_change("acme", seen)
    with pytest.raises(Paused):
        await waits(watcher)


async def test_a_temporary_server_error_is_observed_and_survived(
    driver: Driver, watcher: Watcher, pauses: Pauses
) -> None:
    driver.plane.faults.arm(Fault.SERVER_ERROR, "get_endpoint", 4)
    await driver.advance(200)
    observations: list[Observation] = []
    task = asyncio.create_task(watcher.wait("chat", "acme", on_observation=observations.append))
    await pauses.wait_for(1)
    pauses.end()
    assert (await task) is not None
    assert [each.error is None for each in observations] == [False, True]


async def test_a_token_that_is_not_accepted_ends_the_wait(driver: Driver) -> None:
    async with client_of(replace(local(driver.plane.url, TOKEN), token="another")) as client:
        with pytest.raises(Unauthorized):
            await Watcher(client).wait("chat", "acme")


async def test_a_wait_ends_at_its_timeout_with_the_next_step_as_hint(watcher: Watcher) -> None:
    with pytest.raises(InferenceEndpointTimeoutError, match=r"not running within 0.05 s. It continues by itself"):
        await watcher.wait("chat", "acme", timeout=0.05)
    assert watcher.polled == set()


async def test_a_negative_timeout_is_a_value_error(watcher: Watcher) -> None:
    with pytest.raises(ValueError, match="negative"):
        await watcher.wait("chat", "acme", timeout=-1)


async def test_each_endpoint_has_a_poller_of_its_own(driver: Driver, watcher: Watcher) -> None:
    await driver.create("other")
    async with AsyncExitStack() as stack:
        for name in ("chat", "other", "chat"):
            await stack.enter_async_context(watcher.watch(name, "acme"))
        assert watcher.polled == {KEY, ("acme", "other")}
    assert watcher.polled == set()


async def test_a_poller_that_fails_reports_its_error_to_all_waits(driver: Driver, client: AsyncEndpointsClient) -> None:
    async def broken(_: float) -> None:
        raise RuntimeError("a fault of ours")

    watcher = Watcher(client, sleep=broken)
    tasks = [waits(watcher) for _ in range(3)]
    async with asyncio.timeout(HANG_TIMEOUT_S):
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(error) for error in ended} == {InferenceEndpointError}
    assert watcher.polled == set()


async def test_a_wait_after_a_failed_poller_gets_a_new_one(
    driver: Driver, client: AsyncEndpointsClient, pauses: Pauses
) -> None:
    faults = [RuntimeError("a fault of ours")]

    async def broken_once(seconds: float) -> None:
        if faults:
            raise faults.pop()
        await pauses.sleep(seconds)

    watcher = Watcher(client, sleep=broken_once)
    with pytest.raises(InferenceEndpointError):
        await waits(watcher)
    await driver.advance(200)
    assert await waits(watcher) is not None
