"""The URIs of resources, and the kinds of resources that an endpoint has."""

import re
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mcp import MCPError
from mcp.types import INVALID_PARAMS

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import BadRequest
from inference_endpoints.models import Graph
from inference_endpoints.transport.operations import check_segment

SCHEME = "endpoint://"
URI_TEMPLATE = SCHEME + "{namespace}/{endpoint_name}"

METRICS_WINDOW = timedelta(minutes=5)

ReadFingerprint = Callable[[AsyncEndpointsClient, str, str], Awaitable[Hashable]]
"""Of a client, a namespace and a name: a value that differs whenever the resource does."""


async def _fingerprint_logs(client: AsyncEndpointsClient, namespace: str, name: str) -> Hashable:
    return tuple((entry.timestamp, entry.line) for entry in await client.logs(name, namespace, tail=10))


async def _fingerprint_metrics(client: AsyncEndpointsClient, namespace: str, name: str) -> Hashable:
    """The newest value of each series, without its time: the passing of time is no change."""
    graphs = await client.metrics(name, namespace, start=datetime.now(UTC) - METRICS_WINDOW)
    return tuple(
        (kind, number, series.data[-1].y)
        for kind, graph in graphs
        if isinstance(graph, Graph)
        for number, series in enumerate(graph.series)
        if series.data
    )


@dataclass(frozen=True)
class ResourceKind:
    """One kind of resource: the suffix of its URI, and the tool that reads it.

    Without `read_fingerprint` the watcher of endpoints detects its changes.
    """

    suffix: str
    tool: str
    title: str
    description: str
    read_fingerprint: ReadFingerprint | None = None


ENDPOINT = ResourceKind("", "get_endpoint", "Endpoint", "State, replicas, price, address and settings of an endpoint.")
RESOURCE_KINDS = (
    ENDPOINT,
    ResourceKind(
        "/logs", "get_endpoint_logs", "Logs", "The newest log lines of an endpoint's replicas.", _fingerprint_logs
    ),
    ResourceKind(
        "/metrics", "get_endpoint_metric", "Metrics", "The metrics of the last half hour.", _fingerprint_metrics
    ),
)
_KINDS_BY_SUFFIX = {kind.suffix: kind for kind in RESOURCE_KINDS}
_PATH = re.compile(r"([^/]+)/([^/]+)(/[^/]+)?")


@dataclass(frozen=True)
class EndpointUri:
    """`endpoint://{namespace}/{endpoint_name}`, with the suffix of a kind."""

    namespace: str
    name: str
    kind: ResourceKind = ENDPOINT

    @classmethod
    def parse(cls, uri: str) -> "EndpointUri | None":
        """None if the URI is not one of ours."""
        match = _PATH.fullmatch(uri.removeprefix(SCHEME)) if uri.startswith(SCHEME) else None
        kind = _KINDS_BY_SUFFIX.get(match[3] or "") if match else None
        if match is None or kind is None:
            return None
        try:
            check_segment("namespace", match[1])
            check_segment("name", match[2])
        except BadRequest:
            return None
        return cls(match[1], match[2], kind)

    def __str__(self) -> str:
        return f"{SCHEME}{self.namespace}/{self.name}{self.kind.suffix}"


def unknown_resource(uri: str) -> MCPError:
    suffixes = " and ".join(kind.suffix for kind in RESOURCE_KINDS if kind.suffix)
    return MCPError(
        INVALID_PARAMS, f"This resource does not exist. There are {URI_TEMPLATE} and below it {suffixes}.", {"uri": uri}
    )
