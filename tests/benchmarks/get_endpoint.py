"""What `get_endpoint` through the tool costs beyond its parts: an empty tool, and the same GET sent plainly."""

from tests.benchmarks.measure import AtMost, Figure, Report, in_turns, milliseconds
from tests.benchmarks.peers.peer import BARE_SERVER, OUR_SERVER, Peer
from tests.benchmarks.peers.plane import running_plane

NAME = "chat"


def run(rounds: int = 300) -> Report:
    with running_plane() as plane:
        plane.create(NAME)
        with Peer([*OUR_SERVER, *plane.server_options]) as ours, Peer(BARE_SERVER) as bare:
            ours.begin()
            bare.begin()
            tool, nothing, get = in_turns(
                rounds,
                lambda: milliseconds(lambda: ours.call("get_endpoint", endpoint_name=NAME)),
                lambda: milliseconds(lambda: bare.call("nothing")),
                lambda: milliseconds(lambda: plane.get(NAME)),
                warm_up=20,
            )
    parts = [call + request for call, request in zip(nothing, get, strict=True)]
    figures = [
        Figure("get_endpoint through the tool", "ms", tool, parts, AtMost(difference=1.0)),
        Figure("of which an empty tool of the bare SDK", "ms", nothing),
        Figure("of which the GET through a bare httpx2 client", "ms", get),
    ]
    return Report("Reading an endpoint over stdio", "an empty tool + the same GET", figures)
