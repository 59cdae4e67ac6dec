"""What a call of a light model costs through the tool, beside a bare server whose tool makes the same POST."""

import os

from tests.benchmarks.measure import AtMost, Figure, Report, in_turns, milliseconds
from tests.benchmarks.peers.peer import OUR_SERVER, Peer
from tests.benchmarks.peers.plane import running_plane

MODEL, NAME, TEXT = "fasttext/lid.176-ftz", "language", "Wo ist der Bahnhof?"
BARE_CALLER = ("-m", "tests.benchmarks.peers.bare_caller")


def run(rounds: int = 300) -> Report:
    with running_plane() as plane, Peer([*OUR_SERVER, *plane.server_options, "--confirm", "off"]) as ours:
        ours.begin()
        ours.call("create_endpoint", endpoint_name=NAME, repository=MODEL)
        ours.call("wait_for_endpoint", endpoint_name=NAME)
        url = str(plane.get(NAME)["status"]["url"])
        os.environ["BENCHMARK_TOKEN"] = plane.connection.token
        with Peer(BARE_CALLER) as bare:
            bare.begin()
            samples = in_turns(
                rounds,
                lambda: milliseconds(lambda: ours.call("call_endpoint", endpoint_name=NAME, text=TEXT)),
                lambda: milliseconds(lambda: bare.call("post", url=url, text=TEXT)),
                warm_up=20,
            )
    figures = [Figure.pair(f"call_endpoint ({MODEL})", "ms", samples, AtMost(difference=1.0))]
    return Report("A call of a light model over stdio", "a bare server that makes the same POST", figures)
