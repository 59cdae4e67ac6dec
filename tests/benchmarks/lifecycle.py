"""Each lifecycle call, and the list of a thousand endpoints, through our client and through huggingface_hub."""

import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count
from multiprocessing import get_context

from tests.benchmarks.measure import Figure, Report, in_turns, milliseconds
from tests.benchmarks.peers.clients import Client, Hub, Ours, both_clients, counted_requests
from tests.benchmarks.peers.plane import running_plane

from inference_endpoints_local.daemon.connect import RunningPlane

FLEET = 1_000
CALLS = ("create", "get", "update", "pause", "resume", "scale_to_zero", "delete")
NOTE = "huggingface_hub 2.4.0 reads the first page of a list and stops; ours reads them all."

Walk = dict[str, tuple[float, int]]
"""The milliseconds and the requests of each call."""


def run(rounds: int = 30, fleet: int = FLEET) -> Report:
    with running_plane() as plane, both_clients(plane.connection) as (ours, hub):
        calls = _calls(ours, hub, rounds)
        plane.fill(fleet)
        lists = _lists(ours, hub, max(3, rounds // 6), fleet)
        peaks = [[_in_its_own_process(partial(peak_of_listing, kind, plane.connection))] for kind in (Ours, Hub)]
    return Report(
        "The model layer", "huggingface_hub", [*calls, *lists, Figure.pair("… peak memory", "MB", peaks)], NOTE
    )


def _calls(ours: Client, hub: Client, rounds: int) -> list[Figure]:
    names = (f"walk-{number}" for number in count())
    both = in_turns(rounds, lambda: _walk(ours, next(names)), lambda: _walk(hub, next(names)))
    times = [Figure.pair(call, "ms", [[walk[call][0] for walk in walks] for walks in both]) for call in CALLS]
    sent = [[sum(number for _, number in walk.values()) for walk in walks] for walks in both]
    return [*times, Figure.pair("all seven", "requests", sent)]


def _walk(client: Client, name: str) -> Walk:
    """One endpoint from its creation to its end."""
    walk = {}
    for call in CALLS:
        with counted_requests() as requests:
            walk[call] = (milliseconds(partial(getattr(client, call), name)), requests.sent)
    return walk


def _lists(ours: Client, hub: Client, rounds: int, fleet: int) -> list[Figure]:
    found, sent = [], []
    for client in (ours, hub):
        with counted_requests() as requests:
            found.append([client.list()])
        sent.append([requests.sent])
    times = in_turns(rounds, lambda: milliseconds(ours.list), lambda: milliseconds(hub.list))
    each = [[taken * 1_000 / number for taken in taken_by] for taken_by, (number,) in zip(times, found, strict=True)]
    return [
        Figure.pair(f"list {fleet:,} endpoints", "ms", times),
        Figure.pair("… returned", "endpoints", found),
        Figure.pair("… time for each returned", "µs", each),
        Figure.pair("… sent", "requests", sent),
    ]


def _in_its_own_process(measure: Callable[[], float]) -> float:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        return processes.submit(measure).result()


def peak_of_listing(kind: Callable[[RunningPlane], Client], plane: RunningPlane) -> float:
    """The most memory that listing takes beyond what was in use before, in MB."""
    client = kind(plane)
    client.get("fleet-0")  # what is imported and built on first use is no part of it
    tracemalloc.start()
    client.list()
    _, peak = tracemalloc.get_traced_memory()
    return peak / 1e6
