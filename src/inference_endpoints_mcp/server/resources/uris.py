"""The URIs of resources, and the kinds of resources that an endpoint has."""

import re
from dataclasses import dataclass

from mcp import MCPError
from mcp.types import INVALID_PARAMS

from inference_endpoints.errors import BadRequest
from inference_endpoints.transport.path_segment import check_segment
from inference_endpoints_mcp.server.resources.fingerprints import (
    OpenStream,
    ReadFingerprint,
    fingerprint_logs,
    fingerprint_metrics,
    follow_logs,
)

SCHEME = "endpoint://"
URI_TEMPLATE = SCHEME + "{namespace}/{endpoint_name}"


@dataclass(frozen=True)
class ResourceKind:
    """One kind of resource: the suffix of its URI, and the tool that reads it.

    Without `read_fingerprint` the watcher of endpoints detects its changes. `open_stream` shows when to read it again.
    """

    suffix: str
    tool: str
    title: str
    description: str
    read_fingerprint: ReadFingerprint | None = None
    open_stream: OpenStream | None = None


ENDPOINT = ResourceKind("", "get_endpoint", "Endpoint", "State, replicas, price, address and settings of an endpoint.")
RESOURCE_KINDS = (
    ENDPOINT,
    ResourceKind(
        "/logs",
        "get_endpoint_logs",
        "Logs",
        "The newest log lines of an endpoint's replicas.",
        fingerprint_logs,
        follow_logs,
    ),
    ResourceKind(
        "/metrics", "get_endpoint_metric", "Metrics", "The metrics of the last half hour.", fingerprint_metrics
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
