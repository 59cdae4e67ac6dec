"""Resident memory of an idle server, after `tools/list` and after its first call."""

from collections.abc import Sequence
from typing import Any

import psutil
from tests.benchmarks.measure import Figure, Report, in_turns
from tests.benchmarks.peers.peer import BARE_SERVER, OUR_SERVER, Peer
from tests.benchmarks.peers.plane import running_plane

NAME = "chat"


def run(rounds: int = 5) -> Report:
    with running_plane() as plane:
        plane.create(NAME)
        server = [*OUR_SERVER, *plane.server_options]
        listed = in_turns(rounds, lambda: _resident(server), lambda: _resident(BARE_SERVER))
        called = in_turns(
            rounds,
            lambda: _resident(server, "get_endpoint", endpoint_name=NAME),
            lambda: _resident(BARE_SERVER, "nothing"),
        )
    figures = [
        Figure.pair("resident after tools/list", "MB", listed),
        Figure.pair("resident after one call", "MB", called),
    ]
    return Report("Memory of the server", "one-tool server of the bare SDK", figures)


def _resident(server: Sequence[str], tool: str | None = None, **arguments: Any) -> float:
    with Peer(server) as peer:
        peer.begin()
        peer.tools()
        if tool is not None:
            peer.call(tool, **arguments)
        return float(psutil.Process(peer.pid).memory_info().rss) / 1e6
