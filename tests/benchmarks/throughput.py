"""Reads of an endpoint per second, one at a time and fifty at once. The plane has its own process on the same cores."""

import time
from functools import partial

from tests.benchmarks.measure import Figure, Report, in_turns
from tests.benchmarks.peers.clients import Client, both_clients
from tests.benchmarks.peers.plane import running_plane

NAME = "chat"
REQUESTS = {1: 200, 50: 500}
"""How many are sent in a round, by how many at once."""


def run(rounds: int = 9) -> Report:
    with running_plane() as plane, both_clients(plane.connection) as (ours, hub):
        plane.create(NAME)
        figures = [
            Figure.pair(
                f"GET of an endpoint, {at_once} at once",
                "requests/s",
                in_turns(rounds, partial(_per_second, ours, at_once), partial(_per_second, hub, at_once)),
            )
            for at_once in REQUESTS
        ]
    return Report("Throughput of the clients", "huggingface_hub in threads", figures, "More is better.")


def _per_second(client: Client, at_once: int) -> float:
    started = time.perf_counter()
    client.get_often(NAME, REQUESTS[at_once], at_once)
    return REQUESTS[at_once] / (time.perf_counter() - started)
