"""What a call costs the processor in the server's own process, as a multiple of an empty tool of the bare SDK.

Processor time does not count what others do on the machine. The system counts it in hundredths of a second, so each
sample is the mean of a hundred calls.
"""

import os
from functools import partial
from typing import Any

import psutil
from tests.benchmarks.measure import AtMost, Figure, Report, in_turns
from tests.benchmarks.peers.http_peer import HttpPeer
from tests.benchmarks.peers.peer import OUR_SERVER, Era
from tests.benchmarks.peers.plane import running_plane

FLEET, CALLS = 16, 100
BARE_SERVER = ("-m", "tests.benchmarks.peers.bare_http_server")
TOOLS: dict[str, tuple[dict[str, Any], float]] = {
    "get_endpoint": ({"endpoint_name": "fleet-0"}, 1.5),
    "list_endpoints": ({}, 2.0),
    "get_costs": ({"namespace": "bench"}, 3.0),
}
"""The arguments of each, and the most that it may be of an empty tool."""


def run(rounds: int = 9, calls: int = CALLS) -> Report:
    with running_plane() as plane:
        plane.fill(FLEET)
        ours_over_http = [*OUR_SERVER, "serve", "--http", "--port", "0", *plane.server_options]
        token = os.environ | {"BENCHMARK_TOKEN": plane.connection.token}
        with HttpPeer(ours_over_http) as ours, HttpPeer(BARE_SERVER, token) as bare:
            figures = [
                figure for era in Era for figure in _figures(era, ours, bare, plane.path("fleet-0"), rounds, calls)
            ]
    return Report(f"Processor time of a call over HTTP, {FLEET} endpoints", "an empty tool of the bare SDK", figures)


def _figures(era: Era, ours: HttpPeer, bare: HttpPeer, url: str, rounds: int, calls: int) -> list[Figure]:
    tools = [partial(_milliseconds_each, ours, era, calls, name, given) for name, (given, _) in TOOLS.items()]
    get = partial(_milliseconds_each, bare, era, calls, "get", {"url": url})
    nothing = partial(_milliseconds_each, bare, era, calls, "nothing", {})
    *samples, read, empty = in_turns(rounds, *tools, get, nothing)
    return [
        *(
            Figure(f"{tool}, {era}", "ms", of, empty, AtMost(ratio=most))
            for (tool, (_, most)), of in zip(TOOLS.items(), samples, strict=True)
        ),
        Figure(f"a GET in a tool of the bare SDK, {era}", "ms", read, empty),
    ]


def _milliseconds_each(peer: HttpPeer, era: Era, calls: int, tool: str, arguments: dict[str, Any]) -> float:
    process = psutil.Process(peer.pid)
    before = process.cpu_times()
    for _ in range(calls):
        peer.call(era, tool, **arguments)
    after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) * 1_000 / calls
