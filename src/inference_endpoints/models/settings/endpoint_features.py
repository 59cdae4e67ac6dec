"""Parts of create and update requests: an endpoint's network, routing and notifications.

Source: the service's OpenAPI document 2.0.0.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer
from pydantic.alias_generators import to_camel

from inference_endpoints.models.settings.literals import PrivateLinkRegion
from inference_endpoints.models.settings.strict_object import Int32, StrictObject, Text


class _Feature(StrictObject):
    @model_serializer(mode="wrap")
    def _as_given(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what was not given, which is not shown either."""
        given = {to_camel(name) for name in self.model_fields_set}
        return {key: value for key, value in serialize(self).items() if key in given}


class Route(_Feature):
    domain: Text
    path: Text


class McpBalancer(_Feature):
    stateful: bool = False


class ExperimentalFeatures(_Feature):
    cache_http_responses: bool = False
    load_balancer: Literal["random", "sticky", "least_connections"] | None = None
    mcp_lb: McpBalancer | None = None
    skip_repo_download: bool | None = None


class PrivateService(_Feature):
    account_id: Text
    region: PrivateLinkRegion
    shared: bool = False


class Network(_Feature):
    cidr_block: bool | None = None
    cidr_list: list[Text] | None = None


class Notifications(_Feature):
    email: bool
    push: bool


class CustomRouter(_Feature):
    """A null `tag`, or none, removes the router."""

    tag: Text | None = None
    protocol: Literal["http", "extProc"] = "http"
    port: Int32 | None = None
    grpc_port: Int32 | None = None
    env: dict[str, Text] = Field(default_factory=dict)


ENDPOINT_FEATURES: Mapping[str, type[StrictObject]] = {
    "route": Route,
    "experimentalFeatures": ExperimentalFeatures,
    "privateService": PrivateService,
    "network": Network,
    "notifications": Notifications,
    "customRouter": CustomRouter,
}
"""By their names in a request."""
