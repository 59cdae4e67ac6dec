"""What a call costs the processor in the server's own process, as a multiple of an empty tool of the bare SDK.

Processor time does not count what others do on the machine. The system counts it in hundredths of a second, so each
sample is the mean of a hundred calls.
"""

from functools import partial
from typing import Any

import psutil
from tests.benchmarks.measure import AtMost, Figure, Report, in_turns
from tests.benchmarks.peers.peer import BARE_SERVER, OUR_SERVER, Peer
from tests.benchmarks.peers.plane import running_plane

FLEET, CALLS = 16, 100
TOOLS: dict[str, tuple[dict[str, Any], float]] = {
    "get_endpoint": ({"endpoint_name": "fleet-0"}, 1.5),
    "list_endpoints": ({}, 2.0),
    "get_costs": ({"namespace": "bench"}, 3.0),
}
"""The arguments of each, and the most that it may be of an empty tool."""


def run(rounds: int = 9, calls: int = CALLS) -> Report:
    with running_plane() as plane, Peer([*OUR_SERVER, *plane.server_options]) as ours, Peer(BARE_SERVER) as bare:
        plane.fill(FLEET)
        ours.begin()
        bare.begin()
        tools = [partial(_milliseconds_each, ours, calls, tool, arguments) for tool, (arguments, _) in TOOLS.items()]
        *samples, nothing = in_turns(rounds, *tools, partial(_milliseconds_each, bare, calls, "nothing", {}))
    figures = [
        Figure(f"{tool}, {FLEET} endpoints" if tool != "get_endpoint" else tool, "ms", of, nothing, AtMost(ratio=most))
        for (tool, (_, most)), of in zip(TOOLS.items(), samples, strict=True)
    ]
    return Report("Processor time of a call over stdio", "an empty tool of the bare SDK", figures)


def _milliseconds_each(peer: Peer, calls: int, tool: str, arguments: dict[str, Any]) -> float:
    process = psutil.Process(peer.pid)
    before = process.cpu_times()
    for _ in range(calls):
        peer.call(tool, **arguments)
    after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) * 1_000 / calls
