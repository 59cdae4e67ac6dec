"""Fingerprints of resources: values that differ whenever the resource does."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference_endpoints.clients.client import AsyncEndpointsClient
    from inference_endpoints.models import Endpoint

METRICS_WINDOW = timedelta(minutes=5)

ReadFingerprint = Callable[["AsyncEndpointsClient", str, str], Awaitable[Hashable]]
"""Reads the fingerprint with a client, for a namespace and a name."""
OpenStream = Callable[["AsyncEndpointsClient", str, str], AsyncGenerator[object]]
"""Opens a stream that brings something whenever the fingerprint may differ."""


def fingerprint_endpoint(endpoint: "Endpoint | None") -> Hashable:
    """The whole document without the time of its last use: a call is no change."""
    if endpoint is None:
        return None
    status = {key: value for key, value in endpoint.raw["status"].items() if key != "lastUsedAt"}
    return json.dumps({**endpoint.raw, "status": status}, sort_keys=True)


async def fingerprint_logs(client: "AsyncEndpointsClient", namespace: str, name: str) -> Hashable:
    return tuple((entry.timestamp, entry.line) for entry in await client.logs(name, namespace, tail=10))


def follow_logs(client: "AsyncEndpointsClient", namespace: str, name: str) -> AsyncGenerator[object]:
    """The newest line, which may have come between the last read and now, and each new one."""
    return client.follow_logs(name, namespace, tail=1)


async def fingerprint_metrics(client: "AsyncEndpointsClient", namespace: str, name: str) -> Hashable:
    """The newest value of each series, without its time: the passing of time is no change."""
    from inference_endpoints.models import Graph  # the handshake does not need the models

    graphs = await client.metrics(name, namespace, start=METRICS_WINDOW)
    return tuple(
        (kind, number, series.data[-1].y)
        for kind, graph in graphs
        if isinstance(graph, Graph)
        for number, series in enumerate(graph.series)
        if series.data
    )
