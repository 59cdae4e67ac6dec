"""What the plane bears with a Ray cluster: many endpoints on the seam of the Ray engine, whose replicas run nothing.

The cluster is another process, so memory and processor time are the plane's alone. With its default size it takes some
minutes: `python -m tests.benchmarks ray_scale`.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from tests.benchmarks.measure import Figure, Report
from tests.support.planes.plane_driver import RawClient, local, tiny_programs
from tests.support.polling import eventually

from inference_endpoints_local.daemon.cluster.cluster_engine import Cluster
from inference_endpoints_local.daemon.plane import Plane, PlaneOptions
from inference_endpoints_local.engines.engine import WorkerAddress
from inference_endpoints_local.engines.ray.cluster_hardware import ClusterPrices
from inference_endpoints_local.engines.ray.ray_replica import RayReplica
from inference_endpoints_local.loopback import HOST
from inference_endpoints_local.state.audit_event import Actor

ENDPOINTS, REPLICAS = 1_000, 5
WINDOW_S = 20.0
"""How long the fleet is watched once every replica is ready."""
_ACTOR = Actor("bench", HOST, "bench")


def run(rounds: int = 5, endpoints: int = ENDPOINTS, window_s: float = WINDOW_S) -> Report:
    with TemporaryDirectory(prefix="inference-endpoints-benchmark-") as folder, _fleet(endpoints * REPLICAS) as port:
        figures = asyncio.run(_measured(Path(folder), port, rounds, endpoints, window_s))
    note = f"{endpoints} endpoints with {REPLICAS} replicas each, none of which runs anything. The plane has one core."
    return Report("A fleet on Ray", "", figures, note)


async def _measured(folder: Path, port: int, rounds: int, endpoints: int, window_s: float) -> list[Figure]:
    process, client = psutil.Process(), RawClient(f"http://{HOST}:{port}")
    before = process.memory_info().rss
    async with _plane(folder, port) as plane:
        started = time.perf_counter()
        for number in range(endpoints):
            await plane.lifecycle.create(_document(f"fleet-{number}"), _ACTOR)
            await asyncio.sleep(0)
        accepted_s = time.perf_counter() - started
        await eventually(lambda: all(len(each.ready) == REPLICAS for each in plane.executor), within=1_800)
        ready_s = time.perf_counter() - started
        reconciled = [_reconciled_ms(plane) for _ in range(rounds)]
        asked, worked, looked = await _count(client), sum(process.cpu_times()[:2]), time.perf_counter()
        lags = await _lags_ms(window_s)
        window = time.perf_counter() - looked
        per_minute = (await _count(client) - asked) / window * 60
        busy = (sum(process.cpu_times()[:2]) - worked) / window * 100
        delays = [await _delay_s(plane, client, number) for number in range(rounds)]
        resident = (process.memory_info().rss - before) / 1e6
    return [
        Figure("all are accepted and stored", "s", [accepted_s]),
        Figure("every replica is ready", "s", [ready_s]),
        Figure("all endpoints are reconciled once", "ms", reconciled),
        Figure("memory of the plane, more than without endpoints", "MB", [resident]),
        Figure("processor time while nothing changes", "% of a core", [busy]),
        Figure("requests to Ray while nothing changes", "a minute", [per_minute]),
        Figure("longest hold of the plane's loop", "ms", [max(lags)]),
        Figure("a replica's loss is known", "s", delays),
    ]


@asynccontextmanager
async def _plane(folder: Path, port: int) -> AsyncIterator[Plane]:
    cluster = Cluster(WorkerAddress(HOST, port, "token"), ClusterPrices(region="rack"))
    plane = Plane(PlaneOptions(folder, "token", "bench", programs=tiny_programs, cluster=cluster))
    await plane.start()
    try:
        await eventually(lambda: not plane.lifecycle.instances.own.unavailable_reason)
        yield plane
    finally:
        await plane.stop()


def _document(name: str) -> dict[str, Any]:
    scaling = {"minReplica": REPLICAS, "maxReplica": REPLICAS}
    return local(name, provider={"region": "rack"}, compute={"scaling": scaling})


def _reconciled_ms(plane: Plane) -> float:
    for endpoint in plane.executor:
        plane.executor.enqueue(endpoint.record.id)
    started = time.perf_counter()
    plane.executor.step()
    return (time.perf_counter() - started) * 1_000


async def _lags_ms(seconds: float) -> list[float]:
    """How much later than asked for the loop goes on, which is what each request waits in addition."""
    lags, end = [0.0], time.perf_counter() + seconds
    while (now := time.perf_counter()) < end:
        await asyncio.sleep(0.01)
        lags.append((time.perf_counter() - now - 0.01) * 1_000)
    return lags


async def _count(client: RawClient) -> int:
    return int((await client.call("GET", "/count")).body["requests"])


async def _delay_s(plane: Plane, client: RawClient, number: int) -> float:
    """From a replica's loss on its node until whoever watches the endpoint is told."""
    endpoint = list(plane.executor)[number % len(list(plane.executor))]
    replica = endpoint.replicas[0]
    assert isinstance(replica, RayReplica)
    await asyncio.sleep(0.7 * number)  # at no particular moment between two reports
    lost = time.perf_counter()
    await client.call("GET", f"/unready/{replica.name}")
    await plane.executor.wait_until(endpoint, lambda endpoint: len(endpoint.ready) < REPLICAS)
    return time.perf_counter() - lost


@contextmanager
def _fleet(cpus: int) -> Iterator[int]:
    """The port of a cluster with so many CPUs."""
    command = [sys.executable, "-m", "tests.benchmarks.peers.ray_fleet", str(cpus)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(json.loads(process.stdout.readline())["port"])
        finally:
            process.terminate()
