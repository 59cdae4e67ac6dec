"""From the start of the process to the answer of the first `tools/list`, as a host waits for it."""

import time
from collections.abc import Sequence
from functools import partial

from tests.benchmarks.measure import AtMost, Figure, Report, in_turns
from tests.benchmarks.peers.peer import BARE_SERVER, OUR_SERVER, Era, Peer


def run(rounds: int = 21) -> Report:
    figures = [
        Figure.pair(
            f"start to tools/list, protocol {era}",
            "ms",
            in_turns(rounds, partial(_start, OUR_SERVER, era), partial(_start, BARE_SERVER, era)),
            AtMost(ratio=1.15),
        )
        for era in Era
    ]
    return Report("Start-up over stdio", "one-tool server of the bare SDK", figures)


def _start(server: Sequence[str], era: Era) -> float:
    started = time.perf_counter()
    with Peer(server, era) as peer:
        peer.begin()
        assert peer.tools()
        return (time.perf_counter() - started) * 1_000
