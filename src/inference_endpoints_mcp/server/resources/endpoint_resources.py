"""List and read the resources of endpoints. Reading one returns what its tool returns."""

import base64
from typing import TYPE_CHECKING, Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.types import (
    INVALID_PARAMS,
    ListResourcesResult,
    Resource,
    ResourceTemplate,
)

from inference_endpoints_mcp.policy.policy import Policy
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.server.answers import rendering
from inference_endpoints_mcp.server.answers.answer_size import to_compact_json
from inference_endpoints_mcp.server.resources.uris import ENDPOINT, RESOURCE_KINDS, URI_TEMPLATE, EndpointUri
from inference_endpoints_mcp.server.tool_calls import is_offered, tool_specs
from inference_endpoints_mcp.tools.call_context import CallContext, open_call

if TYPE_CHECKING:
    from inference_endpoints.models import Endpoint

PAGE_SIZE = 50
JSON = "application/json"
LIST_TOOL = "list_endpoints"
"""The tool that policy must allow before a caller is shown which endpoints exist."""

RequestContext = ServerRequestContext[Any, Any]


class EndpointResources:
    """The resources that a caller may see: those whose tools policy allows."""

    def __init__(self, policy: Policy, redactor: Redactor) -> None:
        self._policy = policy
        self._redactor = redactor

    @property
    def templates(self) -> list[ResourceTemplate]:
        return [
            ResourceTemplate(
                uri_template=URI_TEMPLATE + kind.suffix,
                name=kind.title.lower().replace(" ", "_"),
                title=kind.title,
                description=kind.description,
                mime_type=JSON,
            )
            for kind in RESOURCE_KINDS
            if is_offered(self._policy, kind.tool)
        ]

    async def read(self, context: Context[Any, Any], uri: EndpointUri) -> str:
        """The tool's output as JSON. Raises the tool's errors."""
        call = await self.open_resource_call(context.request_context, uri)
        output = await tool_specs()[uri.kind.tool].fn(call, uri.name, uri.namespace)
        return to_compact_json(rendering.to_answer(output, self._redactor))

    async def list_page(self, ctx: RequestContext, cursor: str | None) -> ListResourcesResult:
        """One page of the existing endpoints, by name.

        The cursor is the last name of a page. So none is left out or repeated when other endpoints come and go.
        """
        after = _decode_cursor(cursor)
        if not all(is_offered(self._policy, tool) for tool in (LIST_TOOL, ENDPOINT.tool)):
            return ListResourcesResult(resources=[])
        call = await self.open_resource_call(ctx, None)
        found = {_full_name(*pair): pair for pair in await self._read_endpoints(call)}
        remaining = sorted(name for name in found if name > after)
        return ListResourcesResult(
            resources=[_to_resource(*found[name]) for name in remaining[:PAGE_SIZE]],
            next_cursor=_encode_cursor(remaining[PAGE_SIZE - 1]) if len(remaining) > PAGE_SIZE else None,
        )

    async def open_resource_call(self, ctx: RequestContext, uri: EndpointUri | None) -> CallContext:
        """A call context to read this resource, or for None the list of them. Raises `Refused` if policy forbids it."""
        self._policy.check_tool(tool_specs()[uri.kind.tool if uri else LIST_TOOL])
        call = await open_call(Context(request_context=ctx))
        if uri is not None:
            await call.resolve_namespace(uri.namespace)
        return call

    async def read_names(self, call: CallContext) -> tuple[str, ...]:
        """The full names of the existing endpoints."""
        return tuple(sorted(_full_name(*pair) for pair in await self._read_endpoints(call)))

    async def _read_endpoints(self, call: CallContext) -> list[tuple[str, "Endpoint"]]:
        """The endpoints of the namespaces that policy names, or else of the default namespace."""
        allowed = self._policy.namespaces
        namespaces = [await call.endpoints.resolve_namespace()] if allowed is None else sorted(allowed)
        return [(namespace, endpoint) for namespace in namespaces for endpoint in await call.endpoints.list(namespace)]


def _to_resource(namespace: str, endpoint: "Endpoint") -> Resource:
    return Resource(
        uri=str(EndpointUri(namespace, endpoint.name)),
        name=_full_name(namespace, endpoint),
        description=clean_line(f"{endpoint.state.value} · {endpoint.model.repository} on {endpoint.hardware_id}"),
        mime_type=JSON,
    )


def _full_name(namespace: str, endpoint: "Endpoint") -> str:
    return f"{namespace}/{endpoint.name}"


def _encode_cursor(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _decode_cursor(cursor: str | None) -> str:
    try:
        return base64.b64decode(cursor or "", altchars=b"-_", validate=True).decode()
    except ValueError:
        raise MCPError(INVALID_PARAMS, "This cursor is not from this server. List from the start.") from None
