"""Replicas as processes, with waits of both eras on one endpoint: one of them reads it, whatever happens to it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from tests.benchmarks.peers.plane import Plane, running_plane
from tests.broker.conftest import OLD, Replicas, host_at
from tests.broker.counted_plane import CountedPlane, counted
from tests.broker.test_replicas import wish
from tests.inference_endpoints_mcp.server.resources.test_subscriptions import Subscriber
from tests.support.command import address_of
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Host, Mode
from tests.support.polling import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:resources.(un)?subscribe is removed")]

MODES: list[Mode] = ["auto", "legacy"]
WAITS = 4
"""Of each era at each replica."""


@pytest.fixture
def plane() -> Iterator[Plane]:
    with running_plane(speed=1e-6) as plane:
        plane.create("chat")
        yield plane


@dataclass
class Site:
    """Replicas on a plane that counts, and hosts of both eras at each."""

    plane: CountedPlane
    processes: list[Any]
    addresses: list[str]
    hosts: list[list[Host]]

    async def wait_everywhere(self) -> "list[list[asyncio.Task[dict[str, Any]]]]":
        """The waits at each replica. All are open."""
        waits: list[list[asyncio.Task[dict[str, Any]]]] = []
        opened = []
        for hosts in self.hosts:
            waits.append([])
            for host in hosts * WAITS:
                opened.append(asyncio.Event())
                waits[-1].append(asyncio.create_task(_wait(host, opened[-1])))
        async with asyncio.timeout(HANG_TIMEOUT_S):
            await asyncio.gather(*(each.wait() for each in opened))
        return waits


async def _wait(host: Host, opened: asyncio.Event) -> dict[str, Any]:
    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        if "0/1 replicas" in (message or ""):
            opened.set()

    result = await host.client.call_tool(
        "wait_for_endpoint", {"endpoint_name": "chat", "until": "paused"}, progress_callback=on_progress
    )
    return dict(result.structured_content or {})


async def reached(waits: "list[asyncio.Task[dict[str, Any]]]") -> bool:
    async with asyncio.timeout(HANG_TIMEOUT_S):
        return all([(await each)["reached"] for each in waits])


@asynccontextmanager
async def site(replicas: Replicas, plane: Plane, count: int) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        counting = await stack.enter_async_context(counted(plane, replicas.folder / "counted"))
        flags = ("--confirm", "off", "--subscriptions", "9")
        processes = [replicas.one(f"{OLD}\n", *flags, plane=counting.folder) for _ in range(count)]
        counting.replicas = processes
        addresses = [address_of(each) for each in processes]
        hosts = [[await stack.enter_async_context(host_at(address, mode)) for mode in MODES] for address in addresses]
        yield Site(counting, processes, addresses, hosts)


@pytest.mark.parametrize("count", [1, 2, 4])
async def test_one_replica_reads_for_the_waits_and_subscriptions_of_all(
    replicas: Replicas, plane: Plane, count: int
) -> None:
    async with site(replicas, plane, count) as site_, AsyncExitStack() as stack:
        waits = await site_.wait_everywhere()
        subscribers = []
        for mode, address in [(mode, address) for mode in MODES for address in site_.addresses]:
            subscribers.append(await stack.enter_async_context(subscriber(address, mode)))
        await site_.plane.one_that_polls(range(count))
        await site_.plane.pause()
        assert all([await reached(each) for each in waits])
        for each in subscribers:
            assert await each.wait_for(1)


@asynccontextmanager
async def subscriber(address: str, mode: Mode, uri: str = "endpoint://bench/chat") -> AsyncIterator[Subscriber]:
    async def on_message(message: Any) -> None:
        await subscribed.on_message(message)

    async with Client(streamable_http_client(address), mode=mode, message_handler=on_message) as client:
        subscribed = Subscriber(client, mode)
        await subscribed.subscribe(uri)
        try:
            yield subscribed
        finally:
            await subscribed.close()


@pytest.mark.parametrize("mode", MODES)
async def test_a_wait_that_begins_after_a_change_at_another_replica_sees_no_older_state(
    replicas: Replicas, mode: Mode
) -> None:
    """Else it would end, because the endpoint was paused when it was read last."""
    flags = ("--confirm", "off", "--subscriptions", "9", "--simulated-speed", "1000")
    polls, changes, waits = replicas.addresses(*flags, count=3)
    async with host_at(changes, mode) as changer, host_at(waits, mode) as waiter:
        created = await changer.call("create_endpoint", **wish("chat"))
        async with subscriber(polls, mode, f"endpoint://{created['namespace']}/chat"):
            for _ in range(3):
                for change, until in (("pause", "paused"), ("resume", "running")):
                    assert (await changer.call(f"{change}_endpoint", endpoint_name="chat"))["changed"] is True
                    waited = await waiter.call("wait_for_endpoint", endpoint_name="chat", until=until)
                    assert waited["reached"] is True


@pytest.mark.parametrize("ends", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
async def test_another_reads_on_when_the_one_that_polls_is_killed_or_stands_still(
    replicas: Replicas, plane: Plane, ends: signal.Signals
) -> None:
    async with site(replicas, plane, 3) as site_:
        waits = await site_.wait_everywhere()
        polls = await site_.plane.one_that_polls(range(3))
        others = {0, 1, 2} - {polls}
        site_.processes[polls].send_signal(ends)
        assert await site_.plane.one_that_polls(others) in others
        await site_.plane.pause()
        for other in others:
            assert await reached(waits[other])
        if ends is signal.SIGSTOP:
            site_.processes[polls].send_signal(signal.SIGCONT)
            assert await reached(waits[polls])
        else:
            await asyncio.gather(*waits[polls], return_exceptions=True)


@pytest.mark.parametrize("away", ["killed", "stopped"])
async def test_each_reads_for_itself_while_the_broker_is_away_and_one_for_all_when_it_is_back(
    replicas: Replicas, plane: Plane, away: str
) -> None:
    async with site(replicas, plane, 3) as site_:
        waits = await site_.wait_everywhere()
        await site_.plane.one_that_polls(range(3))
        broker = replicas.broker
        (broker.kill if away == "killed" else broker.stand_still)()
        before = site_.plane.reads
        await eventually(
            lambda: all(now >= then + 3 for now, then in zip(site_.plane.reads, before, strict=True)), "each reads"
        )
        (broker.start if away == "killed" else broker.go_on)()
        await site_.plane.one_that_polls(range(3))
        await site_.plane.pause()
        assert all([await reached(each) for each in waits])
