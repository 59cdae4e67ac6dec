"""Watching in several replicas: one of them reads, and all that it tells can be trusted. No tick and no event
ever comes here: an endpoint is read only for a subscriber, or because somebody asks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest
from redis.asyncio import Redis
from tests.broker.broker import PASSWORD, Broker
from tests.broker.conftest import NEW, OLD
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.polling import eventually

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import Refused
from inference_endpoints.models import Endpoint
from inference_endpoints.transport.backend import local
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.operations import EVENTS, GET, Request
from inference_endpoints.watching.goals import Goal
from inference_endpoints.watching.observation import Observation
from inference_endpoints.watching.observation_source import ObservationSource
from inference_endpoints.watching.request_limits import STREAMED_INTERVAL_S
from inference_endpoints.watching.watcher import Watcher
from inference_endpoints_mcp.replicas.broker_channel import BrokerChannel
from inference_endpoints_mcp.replicas.broker_state import BrokerState
from inference_endpoints_mcp.replicas.channel import ChannelEvent
from inference_endpoints_mcp.replicas.observation_messages import MessageSeal
from inference_endpoints_mcp.replicas.shared_observations import LEASE_S, SharedObservations

pytestmark = pytest.mark.anyio

OWN = "the profile"
FOR_EVER_S = 10 * HANG_TIMEOUT_S


@dataclass
class Replica:
    """What a replica watches with, and what it read itself."""

    broker: BrokerState
    key: str
    watcher: Watcher = field(init=False)
    shared: SharedObservations = field(init=False)
    client: AsyncEndpointsClient = field(init=False)
    reads: int = 0
    refused: set[str] = field(default_factory=set)
    """Namespaces that it must not read."""
    holds: asyncio.Event | None = None
    """What it has read is kept back until this is set."""
    held: int = 0

    @asynccontextmanager
    async def guard_request(self, request: Request) -> AsyncIterator[None]:
        self.check(str(request.arguments.get("namespace")))
        if request.operation is EVENTS:
            raise Refused("No event either.")
        self.reads += request.operation is GET
        yield
        if request.operation is GET and self.holds is not None:
            self.held += 1
            await self.holds.wait()

    @asynccontextmanager
    async def guard_call(self, call: EndpointCall) -> AsyncIterator[None]:
        yield

    def check(self, namespace: str) -> None:
        if namespace in self.refused:
            raise Refused("Not this namespace.")

    def waits(self, goal: Goal = Goal.RUNNING) -> "asyncio.Task[Endpoint | None]":
        return asyncio.create_task(self.watcher.wait("chat", "acme", goal))


async def no_tick(_: float) -> None:
    await asyncio.Event().wait()


@dataclass
class Replicas:
    broker: Broker
    driver: Driver
    stack: AsyncExitStack

    def one(
        self,
        *,
        key: str = OLD,
        token: str = TOKEN,
        profile: str = OWN,
        lease_s: float = LEASE_S,
        poll_interval: float = STREAMED_INTERVAL_S,
        permit: Callable[[str], None] | None = None,
    ) -> Replica:
        replica = Replica(BrokerState(self.broker.url, PASSWORD), key)
        client = AsyncEndpointsClient(local(self.driver.plane.url, TOKEN), namespace="acme", guard=replica)

        def share(pollers: ObservationSource) -> ObservationSource:
            replica.shared = SharedObservations(
                pollers,
                replica.broker.open_channel,
                lambda: (replica.key.encode(), (profile, client.backend.control_plane, token)),
                permit or replica.check,
                lease_s=lease_s,
            )
            return replica.shared

        replica.client = client
        replica.watcher = Watcher(client, poll_interval=poll_interval, wrap_source=share, sleep=no_tick)
        for close in (client.aclose, replica.broker.aclose, replica.shared.aclose):
            self.stack.push_async_callback(close)
        return replica

    def channel(self) -> BrokerChannel:
        """The channel of replicas with the usual key and token, for whoever has the broker."""
        state = BrokerState(self.broker.url, PASSWORD)
        self.stack.push_async_callback(state.aclose)
        return state.open_channel(self.seal(OLD).channel_name)

    @asynccontextmanager
    async def recorded(self) -> AsyncIterator[list[str]]:
        """The messages that replicas send during this block."""
        published = list[str]()

        async def listen(events: AsyncIterator[ChannelEvent]) -> None:
            async for event in events:
                published.extend([event.message] if event.message else [])

        async with self.channel().listen(FOR_EVER_S) as events:
            listening = asyncio.create_task(listen(events))
            yield published
            listening.cancel()
            await asyncio.wait([listening])

    def seal(self, key: str) -> MessageSeal:
        return MessageSeal(key.encode(), (OWN, local(self.driver.plane.url, TOKEN).control_plane, TOKEN))


@pytest.fixture
async def replicas(broker: Broker, driver: Driver, anyio_backend: str) -> AsyncIterator[Replicas]:
    await driver.create()
    async with AsyncExitStack() as stack:
        yield Replicas(broker, driver, stack)


async def leading(replica: Replica) -> "asyncio.Task[Endpoint | None]":
    """Let it lead, and wait."""
    wait = replica.waits()
    await eventually(lambda: replica.reads, "it reads")
    return wait


async def observed(replica: Replica, name: str = "chat") -> str:
    async with replica.watcher.watch(name, "acme", health=False) as subscription:
        return state_of(await subscription.next())


def state_of(observation: Observation) -> str:
    if observation.error is not None:
        raise observation.error
    assert observation.endpoint is not None
    return str(observation.endpoint.state)


async def test_one_reads_for_all_and_each_new_subscriber_gets_what_was_read_after_it_came(replicas: Replicas) -> None:
    first, *others = (replicas.one() for _ in range(4))
    wait = await leading(first)
    for number, other in enumerate(others, 2):
        assert await observed(other) == "pending"
        assert (first.reads, other.reads) == (number, 0)
    waits = [other.waits() for other in others for _ in range(5)]
    await replicas.driver.advance(200)
    assert await observed(others[0]) == "running"
    for each in (wait, *waits, others[1].waits()):
        endpoint = await asyncio.wait_for(each, HANG_TIMEOUT_S)
        assert endpoint is not None
        seen, now = dict(endpoint.raw), await replicas.driver.get("chat")
        for document in (seen, now):
            document["status"] = document["status"] | {"lastUsedAt": ""}  # a health check is a use
        assert seen == now
    assert [other.reads for other in others] == [0, 0, 0]


async def test_a_read_that_began_before_a_subscriber_came_does_not_answer_it(replicas: Replicas) -> None:
    leader, follower = replicas.one(), replicas.one()
    wait = await leading(leader)
    async with replicas.recorded() as published, follower.watcher.watch("chat", "acme", health=False) as earlier:
        await earlier.next()
        leader.holds = asyncio.Event()
        reading = asyncio.create_task(observed(leader))
        await eventually(lambda: leader.held, "the state before is read")
        await replicas.driver.advance(200)
        number = len(published)
        late = asyncio.create_task(observed(follower))
        await eventually(lambda: len(published) > number, "it asks")
        leader.holds.set()
        assert await late == "running"
        assert await reading == "pending"
    await wait


async def test_a_change_through_any_replica_is_seen_at_once_by_who_waits_at_another(replicas: Replicas) -> None:
    leader, follower, changer = (replicas.one() for _ in range(3))
    async with leader.watcher.watch("chat", "acme", health=False):
        await eventually(lambda: leader.reads)
        for replica, change, goal in (
            (changer, "pause", Goal.PAUSED),
            (follower, "resume", Goal.RUNNING),
            (leader, "pause", Goal.PAUSED),
        ):
            waiting = follower.waits(goal) if goal is Goal.PAUSED else None
            assert await observed(follower)
            replica.watcher.record_change("acme", await getattr(replica.client, change)("chat"))
            if waiting is not None:
                assert await asyncio.wait_for(waiting, HANG_TIMEOUT_S)
        waiting = follower.waits(Goal.DELETED)
        assert await observed(follower) == "paused"
        await changer.client.delete("chat")
        changer.watcher.record_deletion("acme", "chat")
        assert await asyncio.wait_for(waiting, HANG_TIMEOUT_S) is None
    assert follower.reads == changer.reads == 0


async def test_a_replica_that_ends_gives_the_lease_back_at_once(replicas: Replicas) -> None:
    """Nobody waits here until a lease ends by itself."""
    ending, staying = (replicas.one(lease_s=FOR_EVER_S) for _ in range(2))
    ended = await leading(ending)
    waiting = staying.waits()
    assert await observed(staying) == "pending"
    ended.cancel()
    await ending.shared.aclose()
    await eventually(lambda: staying.reads, "the other one reads")
    await replicas.driver.advance(200)
    assert await observed(staying) == "running"
    assert await asyncio.wait_for(waiting, HANG_TIMEOUT_S)


async def test_one_whose_own_waits_have_ended_reads_on_for_the_others(replicas: Replicas) -> None:
    first, other = replicas.one(), replicas.one()
    wait = await leading(first)
    waiting = other.waits()
    assert await observed(other) == "pending"
    wait.cancel()
    await asyncio.wait([wait])
    await replicas.driver.advance(200)
    assert await observed(other) == "running"
    assert await asyncio.wait_for(waiting, HANG_TIMEOUT_S)
    assert other.reads == 0
    await eventually(lambda: not first.watcher.polled, "nothing is polled any more")


async def test_one_that_leads_and_tells_nothing_counts_as_lost(replicas: Replicas) -> None:
    follower = replicas.one(lease_s=0.5, poll_interval=0.1)
    assert await replicas.channel().lead("silent", FOR_EVER_S) == "silent"
    assert await asyncio.wait_for(observed(follower), HANG_TIMEOUT_S) == "pending"
    assert follower.reads == 1


async def test_leaders_that_follow_each_other_and_tell_nothing_count_as_lost(replicas: Replicas) -> None:
    """Whoever has the broker can write another name each time that a replica asks who leads."""
    redis = Redis.from_url(replicas.broker.url, password=PASSWORD, decode_responses=True)
    replicas.stack.push_async_callback(redis.aclose)
    channel, follower = replicas.channel(), replicas.one(lease_s=0.5, poll_interval=0.1)
    assert await channel.lead("stranger 0", FOR_EVER_S) == "stranger 0"
    (lease,) = await redis.keys("*")

    async def lead_by_turns(events: AsyncIterator[ChannelEvent]) -> None:
        async for event in events:
            if event.leader is not None:
                await redis.set(lease, f"{event.leader}+")

    async with channel.listen(FOR_EVER_S) as events, anyio.create_task_group() as strangers:
        strangers.start_soon(lead_by_turns, events)
        assert await asyncio.wait_for(observed(follower), HANG_TIMEOUT_S) == "pending"
        assert follower.reads
        strangers.cancel_scope.cancel()


GARBAGE = {
    "no UTF-8": b"\xff\xfe",
    "no ASCII": "* \u00e9 \ud7ff".encode(),
    "half a notice": b"leader",
    "nobody leads": b"leader ",
    "a megabyte": b"* v1." + b"A" * 2**20,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
async def test_a_message_that_nobody_can_read_ends_no_wait(
    replicas: Replicas, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    redis = Redis.from_url(replicas.broker.url, password=PASSWORD)
    replicas.stack.push_async_callback(redis.aclose)
    leader, follower = replicas.one(), replicas.one()
    wait = await leading(leader)
    waiting = follower.waits()
    assert await observed(follower) == "pending"
    (channel,) = await redis.pubsub_channels()
    for _ in range(20):
        await redis.publish(channel, garbage)
    await replicas.driver.advance(200)
    for replica in (follower, leader):
        assert await asyncio.wait_for(observed(replica), HANG_TIMEOUT_S) == "running"
    for each in (wait, waiting):
        assert await asyncio.wait_for(each, HANG_TIMEOUT_S)
    assert "sharing observations failed" not in caplog.text


@pytest.mark.parametrize("differs", [{"token": "another"}, {"key": NEW}, {"profile": "another"}])
async def test_only_those_with_the_same_control_plane_token_profile_and_key_share(
    replicas: Replicas, differs: dict[str, Any]
) -> None:
    first, stranger = replicas.one(), replicas.one(**differs)
    wait = await leading(first)
    assert await observed(stranger) == "pending"
    assert (first.reads, stranger.reads) == (1, 1)
    wait.cancel()


@pytest.mark.parametrize("is_known", [True, False])
async def test_what_the_operator_refuses_one_replica_is_not_told_to_others(replicas: Replicas, is_known: bool) -> None:
    """It is known before anything is sent, or only found out then."""
    leader = replicas.one(permit=None if is_known else lambda _: None)
    follower = replicas.one()
    async with leader.watcher.watch("chat", "acme", health=False) as subscription:
        await subscription.next()
        leader.refused.add("acme")
        assert await observed(follower) == "pending"
        assert (leader.reads, follower.reads) == (1, 1)
        leader.refused.clear()
        assert await observed(follower) == "pending"


async def test_while_a_key_is_replaced_those_with_the_same_one_share(replicas: Replicas) -> None:
    first, other = replicas.one(), replicas.one()
    wait = await leading(first)
    assert await observed(other) == "pending"
    assert other.reads == 0
    waiting = other.waits()
    other.key = NEW
    assert await observed(other) == "pending"
    assert other.reads > 0
    first.key = NEW

    async def is_told() -> bool:
        reads = first.reads
        assert await observed(first) == "pending"
        return first.reads == reads

    await eventually(is_told, "the other one reads for it again")
    await replicas.driver.advance(200)
    assert await observed(first) == "running"
    for each in (wait, waiting):
        assert await asyncio.wait_for(each, HANG_TIMEOUT_S)


async def test_a_namespace_that_was_taken_away_here_is_not_shown_though_another_reads_it(replicas: Replicas) -> None:
    leader, follower = replicas.one(), replicas.one()
    wait = await leading(leader)
    assert await observed(follower) == "pending"
    follower.refused.add("acme")
    with pytest.raises(Refused):
        await observed(follower)
    wait.cancel()


async def test_what_is_told_can_be_neither_read_nor_repeated_nor_made_by_who_has_the_broker(
    replicas: Replicas,
) -> None:
    await replicas.driver.create("other")
    leader, follower = replicas.one(), replicas.one()
    wait = await leading(leader)
    async with replicas.recorded() as published, follower.watcher.watch("chat", "acme", health=False) as subscription:
        assert state_of(await subscription.next()) == "pending"
        await replicas.driver.advance(200)
        assert await observed(follower) == "running"
        assert state_of(await subscription.next()) == "running"
        assert not any(word in message for message in published for word in ("chat", "acme", "running", TOKEN))
        channel, strange, reads, messages = replicas.channel(), replicas.seal(NEW), leader.reads, list(published)
        for message in messages:
            receiver, _, sealed = message.partition(" ")
            known = replicas.seal(OLD).unseal(sealed)
            assert known is not None
            assert strange.unseal(sealed) is None
            made = strange.seal(replace(known, number=10_000))
            for forged in (sealed, f"{sealed[:-8]}AAAAAAAA", made, "v1.", ""):
                await channel.publish(f"{receiver} {forged}")
        assert await observed(follower, "other") == "running"  # it comes after them
        anew = asyncio.create_task(subscription.next())
        assert not (await asyncio.wait([anew], timeout=0))[0]
        anew.cancel()
        assert leader.reads == reads + 1
    wait.cancel()
