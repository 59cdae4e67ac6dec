"""What the operator allows, and the caller narrows: held around every send. No caller can widen it."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import Protocol

from inference_endpoints import operations
from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import InferenceEndpointError, Refused
from inference_endpoints.http import EndpointCall
from inference_endpoints.listing import HardwareListing
from inference_endpoints.operations import CALL_EFFECT, Effect, Request
from inference_endpoints_mcp.guard import intent as intents
from inference_endpoints_mcp.guard import rules
from inference_endpoints_mcp.guard.audit import Audit
from inference_endpoints_mcp.guard.ceiling import Ceilings
from inference_endpoints_mcp.guard.intent import Intent
from inference_endpoints_mcp.guard.limits import Limits

OPERATOR = "the operator of this server"
CALLER = "whoever configured this connection"

narrowed_to: ContextVar[Limits | None] = ContextVar("narrowed_to", default=None)
"""What the caller of the request under way narrowed the operator's limits to."""

log = logging.getLogger(__name__)


class Offered(Protocol):
    """What limits look at of a tool."""

    @property
    def name(self) -> str: ...

    @property
    def toolset(self) -> str: ...

    @property
    def effect(self) -> Effect: ...


class Policy:
    """Stands around the two sends of the model layer, so that no tool, prompt or resource gets round it."""

    def __init__(self, limits: Limits, audit: Audit | None = None) -> None:
        self.limits = limits
        self._audit = audit
        self._client: AsyncEndpointsClient | None = None
        self._ceilings: Ceilings | None = None

    def reads_through(self, client: AsyncEndpointsClient, listing: HardwareListing) -> None:
        """What endpoints and live prices are read with. Its own reads change nothing and pass."""
        self._client = client
        self._ceilings = Ceilings(client, listing)

    def layers(self) -> list[tuple[Limits, str]]:
        """The limits that hold for the request under way, with who can change them. Each must allow it."""
        narrowed = narrowed_to.get()
        return [(self.limits, OPERATOR), *([(narrowed, CALLER)] if narrowed is not None else [])]

    @property
    def allows_every_tool(self) -> bool:
        return not any(limits.read_only or limits.tools or limits.toolsets for limits, _ in self.layers())

    def offers(self, tool: Offered) -> bool:
        """Whether a tool may be listed and called."""
        return all(limits.offers(tool.name, tool.toolset, tool.effect) for limits, _ in self.layers())

    def check_tool(self, tool: Offered) -> None:
        """Raises `Refused` if a tool may not be called."""
        for limits, whose in self.layers():
            _check_effect(limits, tool.effect, whose)
            if not limits.offers(tool.name, tool.toolset, tool.effect):
                raise rules.refused("tools", "This tool is not among those allowed", whose)

    @asynccontextmanager
    async def control(self, request: Request) -> AsyncIterator[None]:
        """Raises `Refused` if this operation may not be sent."""
        effect = request.operation.effect
        async with self._noted(request.operation.name, request.subject, effect), AsyncExitStack() as stack:
            for limits, whose in self.layers():
                _check_effect(limits, effect, whose)
                _check_namespace(limits, request.arguments.get("namespace"), whose)
            if request.operation.name in intents.STARTS and self._restricted():
                await self._check_start(stack, await self._intent(request))
            yield

    @asynccontextmanager
    async def call(self, call: EndpointCall) -> AsyncIterator[None]:
        """Raises `Refused` if this call may not be made: one that wakes an endpoint has it billed."""
        subject = f"{call.namespace}/{call.endpoint.name}"
        async with self._noted("call_endpoint", subject, call.effect), AsyncExitStack() as stack:
            for limits, whose in self.layers():
                _check_namespace(limits, call.namespace, whose)
                if call.effect is not Effect.READS:
                    _check_effect(limits, CALL_EFFECT, whose)
            if call.effect is not Effect.READS and self._restricted():
                await self._check_start(stack, intents.of_wake(call))
            yield

    def _restricted(self) -> bool:
        return any(limits != Limits() for limits, _ in self.layers())

    async def _intent(self, request: Request) -> Intent:
        if request.operation is operations.CREATE:
            return intents.of_create(request)
        assert self._client is not None
        current = await self._client.get(request.arguments["name"], request.arguments["namespace"])
        return intents.of_change(request, current)

    async def _check_start(self, stack: AsyncExitStack, intent: Intent) -> None:
        for limits, whose in self.layers():
            rules.check(limits, intent, whose)
        priced = [layer for layer in self.layers() if _has_ceiling(layer[0])]
        if not priced or intent.costs_no_more:
            return
        assert self._ceilings is not None
        try:
            await stack.enter_async_context(self._ceilings.held(intent, priced))
        except Refused as over:
            if any(limits.budget == "enforce" for limits, _ in priced):
                raise
            log.warning("%s", over.message)
            self._note("warning", endpoint=f"{intent.namespace}/{intent.name}", said=over.message)

    @asynccontextmanager
    async def _noted(self, operation: str, subject: str, effect: Effect) -> AsyncIterator[None]:
        """Note a change, or that it was refused or failed. Reads are not noted."""
        if effect is Effect.READS:
            yield
            return
        about = {"operation": operation, "endpoint": subject, "effect": effect.value}
        try:
            yield
        except Refused as refusal:
            self._note("refusal", **about, said=refusal.message)
            raise
        except InferenceEndpointError as error:
            self._note("change", **about, outcome=error.code, request_id=error.request_id)
            raise
        self._note("change", **about, outcome="done")

    def _note(self, event: str, **facts: str | None) -> None:
        if self._audit is not None:
            self._audit.note(event, **facts)


def _has_ceiling(limits: Limits) -> bool:
    ceilings = (limits.max_price_per_hour, limits.max_total_price_per_hour)
    return limits.budget != "off" and any(ceiling is not None for ceiling in ceilings)


def _check_effect(limits: Limits, effect: Effect, whose: str) -> None:
    if not limits.allows(effect):
        raise rules.refused("read_only", "This server is read-only", whose)


def _check_namespace(limits: Limits, namespace: str | None, whose: str) -> None:
    if namespace is not None and limits.namespaces and namespace not in limits.namespaces:
        raise rules.refused("namespaces", f"Only these namespaces may be used: {', '.join(limits.namespaces)}", whose)
