"""Several replicas with many waits send about as many requests as one, and none is told later."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import cycle

import pytest
from tests.benchmarks.peers.peer import Era
from tests.benchmarks.peers.plane import Plane, running_plane
from tests.broker.conftest import OLD, Replicas
from tests.broker.counted_plane import CountedPlane, counted
from tests.load.callers import Caller
from tests.load.test_many_callers import in_words, open_waits
from tests.support.command import address_of
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.round_robin import round_robin
from tests.support.polling import eventually

pytestmark = pytest.mark.anyio

CALLERS, WAITS, NAMES = 60, 240, [f"fleet-{number}" for number in range(6)]
"""As few endpoints as are read one by one: more are read by one list."""
POLLS = 10


@pytest.fixture
def plane() -> Iterator[Plane]:
    with running_plane(speed=1e-6) as plane:
        for name in NAMES:
            plane.create(name)
        yield plane


async def pause_each(plane: CountedPlane) -> dict[str, float]:
    """When each endpoint was paused."""
    paused = {}
    for name in NAMES:
        await plane.pause(name)
        paused[name] = time.monotonic()
    return paused


@pytest.mark.parametrize("count", [1, 2, 4])
async def test_replicas_read_as_much_as_one_and_each_wait_is_told(replicas: Replicas, plane: Plane, count: int) -> None:
    async with AsyncExitStack() as stack:
        counting = await stack.enter_async_context(counted(plane, replicas.folder / "counted"))
        flags = ("--confirm", "off", "--max-waits", "1000", "--max-calls", "1000")
        counting.replicas = [replicas.one(f"{OLD}\n", *flags, plane=counting.folder) for _ in range(count)]
        addresses = [address_of(each) for each in counting.replicas]
        shared = await stack.enter_async_context(round_robin(addresses))
        sessions, eras = cycle(addresses), [Era.MODERN, Era.LEGACY] * (CALLERS // 2)
        callers = [Caller(shared if era is Era.MODERN else next(sessions), era, "none") for era in eras]
        for caller in callers:
            stack.push_async_callback(caller.end)
        await asyncio.gather(*(caller.begin() for caller in callers))
        waits = await open_waits(callers, NAMES, WAITS, "paused")
        before, began = counting.reads, time.monotonic()
        least = sum(before) + POLLS * len(NAMES)
        await eventually(lambda: sum(counting.reads) >= least, "endpoints are read")
        took, polled = time.monotonic() - began, [now - then for now, then in zip(counting.reads, before, strict=True)]
        paused = await pause_each(counting)
        async with asyncio.timeout(HANG_TIMEOUT_S):
            told = await asyncio.gather(*waits)
    late = [(at - paused[NAMES[number % len(NAMES)]]) * 1e3 for number, at in enumerate(told)]
    print(f"\n{count} replicas, {WAITS} waits of {CALLERS} callers on {len(NAMES)} endpoints:")
    print(
        f"  reads while waiting: {sum(polled) / took / len(NAMES):.2f} a second and endpoint, of each replica {polled}"
    )
    print(" ", in_words("told that it is paused, after it was", late, "ms"))
