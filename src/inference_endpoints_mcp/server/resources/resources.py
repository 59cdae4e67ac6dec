"""Endpoints as resources: what the tools answer about them, at addresses that can be watched."""

import base64
from typing import Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.types import (
    INVALID_PARAMS,
    CompleteRequestParams,
    CompleteResult,
    ListResourcesResult,
    Resource,
    ResourceTemplate,
)

from inference_endpoints.models import Endpoint
from inference_endpoints_mcp.policy.policy import Policy
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.privacy.untrusted_text import line
from inference_endpoints_mcp.server import results
from inference_endpoints_mcp.server.completion import Completions
from inference_endpoints_mcp.server.resources.uris import PARTS, SHAPE, Address
from inference_endpoints_mcp.server.tool_contract import specs
from inference_endpoints_mcp.tools.call_context import CallContext, open_call

PAGE = 50
"""Resources on one page of the list."""
JSON = "application/json"
LISTING = "list_endpoints"
"""The tool without which nobody is shown which endpoints exist."""

Request = ServerRequestContext[Any, Any]


class Resources:
    """Lists, reads and completes what a caller may see: what the tools that are offered to them would answer."""

    def __init__(self, policy: Policy, redactor: Redactor) -> None:
        self._policy = policy
        self._redactor = redactor
        self._completions = Completions(self._known_namespaces, self._offers)

    @property
    def templates(self) -> list[ResourceTemplate]:
        """The kinds of resources whose tools are offered."""
        return [
            ResourceTemplate(
                uri_template=SHAPE + part.suffix,
                name=part.title.lower().replace(" ", "_"),
                title=part.title,
                description=part.description,
                mime_type=JSON,
            )
            for part in PARTS
            if self._offers(part.tool)
        ]

    async def read(self, context: Context[Any, Any], address: Address) -> str:
        """What the tool answers, as JSON. Raises what the tool raises."""
        scope = await self.open(context.request_context, address)
        answer = await specs()[address.part.tool].fn(scope, address.name, address.namespace)
        return results.compact(results.facts_of(answer, self._redactor))

    async def page(self, ctx: Request, cursor: str | None) -> ListResourcesResult:
        """One page of the endpoints that exist, by name.

        The cursor is the last one seen, so that none is left out or seen twice when others come and go.
        """
        after = _decoded(cursor)
        if not (self._offers(LISTING) and self._offers(PARTS[0].tool)):
            return ListResourcesResult(resources=[])
        scope = await self.open(ctx, None)
        found = {_place(*pair): pair for pair in await self._endpoints(scope)}
        left = sorted(place for place in found if place > after)
        return ListResourcesResult(
            resources=[_listed(*found[place]) for place in left[:PAGE]],
            next_cursor=_encoded(left[PAGE - 1]) if len(left) > PAGE else None,
        )

    async def complete(self, ctx: Request, params: CompleteRequestParams) -> CompleteResult:
        others = (params.context.arguments if params.context else None) or {}
        scope = await self._scope(ctx)
        argument = params.argument
        return CompleteResult(completion=await self._completions.complete(scope, argument.name, argument.value, others))

    async def open(self, ctx: Request, address: Address | None) -> CallContext:
        """A scope to read an address with, or which endpoints exist. Raises `Refused` if policy does not allow it."""
        self._policy.check_tool(specs()[address.part.tool if address else LISTING])
        scope = await self._scope(ctx)
        if address is not None:
            await scope.resolve_namespace(address.namespace)
        return scope

    async def existing(self, scope: CallContext) -> tuple[str, ...]:
        """Which endpoints exist."""
        return tuple(sorted(_place(*pair) for pair in await self._endpoints(scope)))

    async def _endpoints(self, scope: CallContext) -> list[tuple[str, Endpoint]]:
        """Those of the namespaces policy names, else of the one a call means that names none."""
        allowed = self._policy.namespaces
        namespaces = [await scope.endpoints.resolve_namespace()] if allowed is None else sorted(allowed)
        return [(namespace, endpoint) for namespace in namespaces for endpoint in await scope.endpoints.list(namespace)]

    async def _known_namespaces(self, scope: CallContext) -> list[str]:
        allowed = self._policy.namespaces
        return sorted((await scope.endpoints.whoami()).namespaces if allowed is None else allowed)

    def _offers(self, tool: str) -> bool:
        return self._policy.allows_every_tool or self._policy.offers(specs()[tool])

    async def _scope(self, ctx: Request) -> CallContext:
        return await open_call(Context(request_context=ctx))


def _listed(namespace: str, endpoint: Endpoint) -> Resource:
    said = f"{endpoint.state.value} · {endpoint.model.repository} on {endpoint.hardware}"
    return Resource(
        uri=Address(namespace, endpoint.name).uri,
        name=_place(namespace, endpoint),
        description=line(said),
        mime_type=JSON,
    )


def _place(namespace: str, endpoint: Endpoint) -> str:
    return f"{namespace}/{endpoint.name}"


def _encoded(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).decode()


def _decoded(cursor: str | None) -> str:
    try:
        return base64.b64decode(cursor or "", altchars=b"-_", validate=True).decode()
    except ValueError:
        raise MCPError(INVALID_PARAMS, "This cursor was not given here. List from the start.") from None
