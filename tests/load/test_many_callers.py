"""Hundreds of callers, who wait, read and come again: none gets an error, none is forgotten, nothing is left open."""

import asyncio
import itertools
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import quantiles

import pytest
from tests.benchmarks.peers.peer import Era
from tests.load.callers import Caller
from tests.load.served import Served, serving_many
from tests.support.hang import HANG_TIMEOUT_S

pytestmark = pytest.mark.anyio

LOAD = int(os.environ.get("LOAD", "1"))
"""How many times longer than in its short form."""
CALLERS, WAITS, FLEET, ROUNDS = 200, 500, 25, 2
READS_PER_S, SECONDS = 80, 4 * LOAD
AT_ONCE = 20
"""Reads under way, so that memory tells of the server, and not of how many pile up on a busy machine."""
THOUSANDS = 2 * LOAD
MOST_GROWTH = 1.25
"""Of memory, from the first round of a load to the last."""
READS = ("get_endpoint", "list_endpoints", "get_costs")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving_many(tmp_path, CALLERS) as served:
        yield served


async def read(caller: Caller, tool: str, endpoint: str) -> None:
    if tool == "get_endpoint":
        await caller.call(tool, endpoint_name=endpoint)
    else:
        await caller.call(tool, namespace="bench")


async def open_waits(
    callers: Sequence[Caller], names: Sequence[str], count: int = WAITS, until: str = "running"
) -> "list[asyncio.Task[float]]":
    """So many waits, of all callers on all endpoints. Each is open, and returns when it was told."""
    opened = [asyncio.Event() for _ in range(count)]

    async def wait(number: int) -> float:
        await callers[number % len(callers)].wait(names[number % len(names)], opened[number].set, until)
        return time.monotonic()

    waits = [asyncio.create_task(wait(number)) for number in range(count)]
    async with asyncio.timeout(HANG_TIMEOUT_S):
        for is_open, waiting in zip(opened, waits, strict=True):
            opening = asyncio.create_task(is_open.wait())
            await asyncio.wait([opening, waiting], return_when=asyncio.FIRST_COMPLETED)
            opening.cancel()
            assert not waiting.done(), waiting.exception()
    return waits


async def paced_reads(callers: Sequence[Caller], names: Sequence[str]) -> dict[Era, list[float]]:
    """How long each took in milliseconds, from the moment at which it was due."""
    took = defaultdict[Era, list[float]](list)
    began, places = time.monotonic(), asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        due = began + number / READS_PER_S
        await asyncio.sleep(due - time.monotonic())
        caller = callers[number % len(callers)]
        async with places:
            await read(caller, READS[number % 2], names[number % len(names)])
        took[caller.era].append((time.monotonic() - due) * 1_000)

    await asyncio.gather(*(one(number) for number in range(READS_PER_S * SECONDS)))
    return took


def in_words(what: str, values: Sequence[float], unit: str) -> str:
    cuts = quantiles(values, n=100, method="inclusive")
    return f"{what}: p50 {cuts[49]:.0f} {unit}, p99 {cuts[98]:.0f} {unit}, {len(values)} of them"


async def test_many_wait_and_many_read_and_each_is_told(served: Served) -> None:
    async with served.callers(CALLERS) as callers:
        for caller in callers:
            await caller.call("whoami")
        used = [served.memory_kb]
        for number in range(ROUNDS):
            names = [f"fleet-{number}-{each}" for each in range(FLEET)]
            await asyncio.to_thread(served.create_fleet, names)
            waits = await open_waits(callers, names)
            waiting = served.memory_kb
            took = await paced_reads(callers, names)
            assert not any(each.done() for each in waits)
            await asyncio.to_thread(served.let_them_start)
            started = time.monotonic()
            async with asyncio.timeout(HANG_TIMEOUT_S):
                told = await asyncio.gather(*waits)
            await asyncio.to_thread(served.delete_fleet, names)
            used.append(served.memory_kb)
            print(f"\n{CALLERS} callers, {WAITS} waits open, {READS_PER_S} reads a second, round {number + 1}:")
            for era, values in took.items():
                print(" ", in_words(f"reads of {era.name.lower()} callers", values, "ms"))
            print(" ", in_words("told that it runs, after the change", [(at - started) * 1e3 for at in told], "ms"))
            print(f"  memory: {used[-2] / 1e3:.0f} MB before, {waiting / 1e3:.0f} MB with the waits, ", end="")
            print(f"{used[-1] / 1e3:.0f} MB after; {(waiting - used[0]) / WAITS:.0f} kB for each wait")
        assert used[-1] <= MOST_GROWTH * used[1], used


async def test_calls_leave_nothing_behind(served: Served) -> None:
    names = [f"read-{each}" for each in range(FLEET)]
    await asyncio.to_thread(served.create_fleet, names)
    used, tools = [], itertools.cycle(READS)
    async with served.callers(AT_ONCE) as callers:
        for _ in range(1 + THOUSANDS):
            began, left = time.monotonic(), iter(range(1_000))

            async def take_turns(caller: Caller, left: Iterator[int]) -> None:
                for number in left:
                    await read(caller, next(tools), names[number % len(names)])

            await asyncio.gather(*(take_turns(caller, left) for caller in callers))
            used.append(served.memory_kb)
            print(f"\n1,000 calls, {AT_ONCE} at once: {1_000 / (time.monotonic() - began):.0f} a second, ", end="")
            print(f"{used[-1] / 1e3:.1f} MB", end="")
    print(f"\n  memory: {(used[-1] - used[0]) / THOUSANDS:+.0f} kB for each thousand after the first")
    assert used[-1] <= MOST_GROWTH * used[0], used
