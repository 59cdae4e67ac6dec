"""What it takes an agent to see a thousand endpoints: `list_endpoints`, and huggingface_hub's list."""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from tests.benchmarks.measure import Figure, Report, in_turns, milliseconds
from tests.benchmarks.peers.clients import Hub, Requests, counted_requests
from tests.benchmarks.peers.peer import OUR_SERVER, Peer
from tests.benchmarks.peers.plane import running_plane
from tests.support.hosts.host import serving

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_local.daemon.connect import RunningPlane
from inference_endpoints_mcp.server.application import ServerOptions

FLEET = 1_000
PAGES: dict[str, dict[str, Any]] = {"20 rows (default)": {}, "100 rows": {"limit": 100}}
NOTE = (
    "Time is that of the call over stdio against huggingface_hub's call in its own process. Bytes are those of the "
    "control plane's answers. What is read is the tool's text against the documents as compact JSON. "
    "huggingface_hub 2.4.0 reads the first page of a list and stops; the tool reads all of them for its totals. "
    "The last line has all documents, which huggingface_hub does not give."
)


def run(rounds: int = 10, fleet: int = FLEET) -> Report:
    with running_plane() as plane, Peer([*OUR_SERVER, *plane.server_options]) as peer:
        plane.fill(fleet)
        peer.begin()
        hub = Hub(plane.connection)
        figures = []
        for what, page in PAGES.items():
            figures += _figures(what, page, peer, hub, plane.connection, rounds)
        pages = _all_pages(peer)
        assert sum(json.loads(page)["shown"] for page in pages) == fleet
        documents = asyncio.run(_all_documents(plane.connection))
        read = [[sum(map(len, pages))], [len(_compact(documents))]]
        figures.append(Figure.pair("all rows by page, all documents: to read", "characters", read))
    return Report(f"Listing {fleet:,} endpoints", "huggingface_hub", figures, NOTE)


def _all_pages(peer: Peer) -> list[str]:
    """What a model reads of all rows. A page has as many of a hundred as fit, and says where the next one begins."""
    pages = [peer.read("list_endpoints", limit=100)]
    while (offset := json.loads(pages[-1]).get("next_offset")) is not None:
        pages.append(peer.read("list_endpoints", limit=100, offset=offset))
    return pages


def _figures(what: str, page: dict[str, Any], peer: Peer, hub: Hub, plane: RunningPlane, rounds: int) -> list[Figure]:
    read: Callable[[], str] = partial(peer.read, "list_endpoints", **page)
    times = in_turns(rounds, lambda: milliseconds(read), lambda: milliseconds(hub.list))
    ours = asyncio.run(_requests_of_listing(plane, page))
    with counted_requests() as theirs:
        documents = hub.documents()
    text = read()
    raw = _compact(documents)
    facts = json.loads(text)
    covered = [[facts["total"]], [len(documents)]]
    each = [[taken * 1_000 / number for taken in taken_by] for taken_by, (number,) in zip(times, covered, strict=True)]
    return [
        Figure.pair(what, "ms", times),
        Figure.pair("… covered", "endpoints", covered),
        Figure.pair("… time for each covered", "µs", each),
        Figure.pair("… shown", "endpoints", [[facts["shown"]], [len(documents)]]),
        Figure.pair("… sent", "requests", [[ours.sent], [theirs.sent]]),
        Figure.pair("… received", "kB", [[ours.bytes_received / 1e3], [theirs.bytes_received / 1e3]]),
        Figure.pair("… to read", "characters", [[len(text)], [len(raw)]]),
        Figure.pair(
            "… to read for each shown", "characters", [[len(text) / facts["shown"]], [len(raw) / len(documents)]]
        ),
    ]


async def _requests_of_listing(plane: RunningPlane, page: dict[str, Any]) -> Requests:
    """Those of the same call to a server in this process, where they can be counted. Not its first, as in timing."""

    async def open_backend(_: AsyncExitStack) -> Backend:
        return local(plane.url, plane.token)

    async with serving(ServerOptions(open_backend=open_backend)) as host:
        await host.call("list_endpoints", **page)
        with counted_requests() as requests:
            await host.call("list_endpoints", **page)
    return requests


async def _all_documents(plane: RunningPlane) -> list[dict[str, Any]]:
    async with AsyncEndpointsClient(local(plane.url, plane.token), namespace=plane.namespace) as client:
        return [endpoint.raw for endpoint in await client.list()]


def _compact(documents: Sequence[dict[str, Any]]) -> str:
    return json.dumps(documents, ensure_ascii=False, separators=(",", ":"))
