"""Many who wait, on one endpoint and on many: on our watcher, and in threads of huggingface_hub's `wait()`."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from statistics import quantiles
from threading import Thread

import psutil
from tests.benchmarks.measure import Figure, Report
from tests.benchmarks.peers.clients import Hub, counted_requests
from tests.benchmarks.peers.plane import running_plane

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.transport import backend
from inference_endpoints.transport.http import httpx
from inference_endpoints.watching.watcher import Watcher
from inference_endpoints_local.daemon.connect import RunningPlane

CASES = ((1, 1), (100, 1), (1_000, 1), (100, 100), (1_000, 1_000))
"""How many wait, and on how many endpoints."""
SETTLE_S, WINDOW_S = 5.0, 20.0
"""After the beginning nothing is counted; then requests are."""
START_S = 1_000.0
"""Simulated seconds in which any endpoint has started."""
NOTE = (
    "A change is that the endpoints become running, all at the same moment. huggingface_hub polls every 5 s, its "
    "default; ours listens to events as well. The plane that answers shares the cores with those who wait."
)


@dataclass(frozen=True)
class Waited:
    """What a crowd of waiters cost. Delays are from the change until each was notified, in seconds.

    Who was not `notified` at all, in percent, gave up: the wait ended with an error of the connection.
    """

    delays: Sequence[float]
    notified: float
    requests_per_minute: float
    kilobytes_each: float

    def percentile(self, number: int) -> float:
        return quantiles(self.delays, n=100, method="inclusive")[number - 1] if len(self.delays) > 1 else self.delays[0]


Crowd = Callable[[RunningPlane, Sequence[str], float, float], Waited]


def run(
    rounds: int = 1,
    cases: Sequence[tuple[int, int]] = CASES,
    settle_s: float = SETTLE_S,
    window_s: float = WINDOW_S,
) -> Report:
    figures: list[Figure] = []
    for waiters, endpoints in cases:
        waited = partial(_waited, waiters=waiters, endpoints=endpoints, settle_s=settle_s, window_s=window_s)
        pairs = [[waited(crowd) for crowd in (ours, hub)] for _ in range(rounds)]
        figures += _figures(f"{waiters:,} on {endpoints:,}", waiters > 1, pairs)
    return Report("Waiting", "huggingface_hub", figures, NOTE)


def _figures(case: str, many: bool, pairs: list[list[Waited]]) -> list[Figure]:
    measures: dict[tuple[str, str], Callable[[Waited], float]] = {
        (f"{case}: notified after, p50", "s"): lambda waited: waited.percentile(50),
        ("… p99", "s"): lambda waited: waited.percentile(99),
        ("… notified at all", "%"): lambda waited: waited.notified,
        ("… requests", "a minute"): lambda waited: waited.requests_per_minute,
    }
    if many:
        measures["… memory of each", "kB"] = lambda waited: waited.kilobytes_each
    return [
        Figure.pair(what, unit, [[measure(pair[side]) for pair in pairs] for side in (0, 1)])
        for (what, unit), measure in measures.items()
    ]


def _waited(crowd: Crowd, waiters: int, endpoints: int, settle_s: float, window_s: float) -> Waited:
    """A crowd in a process of its own, on a plane of its own whose time stands until everybody waits."""
    with running_plane(speed=1e-6, quota=endpoints) as plane:
        names = [f"slow-{number}" for number in range(endpoints)]
        for name in names:
            plane.create(name)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
            chosen = [names[number % endpoints] for number in range(waiters)]
            return processes.submit(crowd, plane.connection, chosen, settle_s, window_s).result()


def ours(plane: RunningPlane, names: Sequence[str], settle_s: float, window_s: float) -> Waited:
    return asyncio.run(_ours(plane, names, settle_s, window_s))


async def _ours(plane: RunningPlane, names: Sequence[str], settle_s: float, window_s: float) -> Waited:
    at = backend.local(plane.url, plane.token)
    notified: list[float] = []
    async with AsyncEndpointsClient(at, namespace=plane.namespace) as client:
        watcher = Watcher(client)

        async def wait(name: str) -> None:
            await watcher.wait(name, plane.namespace)
            notified.append(time.monotonic())

        await client.get(names[0])
        before = _resident()
        with counted_requests() as requests:
            waiting = [asyncio.create_task(wait(name)) for name in names]
            await asyncio.sleep(settle_s)
            sent = requests.sent
            await asyncio.sleep(window_s)
            sent, each = requests.sent - sent, (_resident() - before) / len(names)
        changed = await asyncio.to_thread(_start, plane)
        await asyncio.gather(*waiting)
    return _what_it_cost(notified, changed, len(names), sent / window_s, each)


def hub(plane: RunningPlane, names: Sequence[str], settle_s: float, window_s: float) -> Waited:
    notified: list[float] = []
    client = Hub(plane)

    def wait(name: str) -> None:
        with suppress(httpx.TransportError):
            client.wait(name)
            notified.append(time.monotonic())

    client.get(names[0])
    before = _resident()
    with counted_requests() as requests:
        waiting = [Thread(target=wait, args=(name,)) for name in names]
        for thread in waiting:
            thread.start()
        time.sleep(settle_s)
        sent = requests.sent
        time.sleep(window_s)
        sent, each = requests.sent - sent, (_resident() - before) / len(names)
    changed = _start(plane)
    for thread in waiting:
        thread.join()
    return _what_it_cost(notified, changed, len(names), sent / window_s, each)


def _what_it_cost(notified: Sequence[float], changed: float, waiters: int, sent_per_s: float, each: float) -> Waited:
    delays = [moment - changed for moment in notified]
    return Waited(delays, 100 * len(notified) / waiters, sent_per_s * 60, each)


def _start(plane: RunningPlane) -> float:
    """Let the endpoints have started; returns when they had."""
    headers = {"Authorization": f"Bearer {plane.token}"}
    moved = httpx.post(f"{plane.url}/local/clock", json={"advance_s": START_S}, headers=headers, timeout=120)
    moved.raise_for_status()
    return time.monotonic()


def _resident() -> float:
    """In kB."""
    return float(psutil.Process().memory_info().rss) / 1e3
