"""The addresses of resources, and what is found at them."""

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
SHAPE = SCHEME + "{namespace}/{endpoint_name}"
"""The address of an endpoint, as a URI template."""

RECENT = timedelta(minutes=5)
"""What is looked at of metrics."""

Glance = Callable[[AsyncEndpointsClient, str, str], Awaitable[Hashable]]
"""Given a client, a namespace and a name: what differs as soon as the resource does."""


async def _newest_lines(client: AsyncEndpointsClient, namespace: str, name: str) -> Hashable:
    return tuple((entry.timestamp, entry.line) for entry in await client.logs(name, namespace, tail=10))


async def _newest_values(client: AsyncEndpointsClient, namespace: str, name: str) -> Hashable:
    """The newest value of each series. When it was measured is left out: time that passes is no change."""
    graphs = await client.metrics(name, namespace, start=datetime.now(UTC) - RECENT)
    return tuple(
        (kind, number, series.data[-1].y)
        for kind, graph in graphs
        if isinstance(graph, Graph)
        for number, series in enumerate(graph.series)
        if series.data
    )


@dataclass(frozen=True)
class Part:
    """What can be read of an endpoint, named by the end of its address: what one tool answers.

    Without a `glance`, the endpoint itself is what is watched.
    """

    suffix: str
    tool: str
    title: str
    description: str
    glance: Glance | None = None


PARTS = (
    Part("", "get_endpoint", "Endpoint", "State, replicas, price, address and settings of an endpoint."),
    Part("/logs", "get_endpoint_logs", "Logs", "The newest lines an endpoint's replicas wrote.", _newest_lines),
    Part("/metrics", "get_endpoint_metric", "Metrics", "What was measured in the last half hour.", _newest_values),
)
_PARTS = {part.suffix: part for part in PARTS}
_ADDRESS = re.compile(r"([^/]+)/([^/]+)(/[^/]+)?")


@dataclass(frozen=True)
class Address:
    """`endpoint://{namespace}/{endpoint_name}`, or a part of it."""

    namespace: str
    name: str
    part: Part = PARTS[0]

    @classmethod
    def of(cls, uri: str) -> "Address | None":
        """The address a URI is; None if it is none of ours."""
        match = _ADDRESS.fullmatch(uri.removeprefix(SCHEME)) if uri.startswith(SCHEME) else None
        part = _PARTS.get(match[3] or "") if match else None
        if match is None or part is None:
            return None
        try:
            check_segment("namespace", match[1])
            check_segment("name", match[2])
        except BadRequest:
            return None
        return cls(match[1], match[2], part)

    @property
    def uri(self) -> str:
        return f"{SCHEME}{self.namespace}/{self.name}{self.part.suffix}"


def unknown(uri: str) -> MCPError:
    return MCPError(
        INVALID_PARAMS, f"There is no such resource. There are {SHAPE}, and what is below each.", {"uri": uri}
    )
