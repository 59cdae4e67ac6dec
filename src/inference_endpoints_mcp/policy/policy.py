"""What the operator allows, and the caller narrows: held around every send. No caller can widen it."""

import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import InferenceEndpointError, OutcomeUnknown, Refused
from inference_endpoints.hardware_cache import HardwareListing
from inference_endpoints.transport import operations
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.operations import CALL_EFFECT, Effect, Request
from inference_endpoints_mcp.policy import effects as intents
from inference_endpoints_mcp.policy import rules
from inference_endpoints_mcp.policy.audit_trail import Audit
from inference_endpoints_mcp.policy.budget import Ceilings
from inference_endpoints_mcp.policy.effects import Intent
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.policy.rules import Layer
from inference_endpoints_mcp.privacy.redact import Redactor

narrowed_to: ContextVar[Limits | None] = ContextVar("narrowed_to", default=None)
"""What the caller of the request under way narrowed the operator's limits to."""

_deciding: ContextVar[bool] = ContextVar("deciding", default=False)
"""Whether what is read now is read by the policy itself, which has to see what callers may not."""

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
        self._operator = rules.of_operator(limits)
        self._audit = audit or Audit(None, Redactor())
        self._client: AsyncEndpointsClient | None = None
        self._listing: HardwareListing | None = None
        self._ceilings: Ceilings | None = None

    def reads_through(self, client: AsyncEndpointsClient, listing: HardwareListing) -> None:
        """What endpoints and live prices are read with. Its own reads change nothing and pass."""
        self._client = client
        self._listing = listing
        self._ceilings = Ceilings(client, listing)

    def layers(self) -> list[Layer]:
        """The limits that hold for the request under way. Each must allow it."""
        narrowed = narrowed_to.get()
        return [self._operator, *([rules.of_caller(narrowed)] if narrowed is not None else [])]

    @property
    def allows_every_tool(self) -> bool:
        return not any(layer.limits.read_only or layer.limits.tools or layer.limits.toolsets for layer in self.layers())

    @property
    def namespaces(self) -> frozenset[str] | None:
        """The namespaces that may be used; None where none are named."""
        named = [frozenset(layer.limits.namespaces) for layer in self.layers() if layer.limits.namespaces]
        return frozenset.intersection(*named) if named else None

    def offers(self, tool: Offered) -> bool:
        """Whether a tool may be listed and called."""
        return not any(layer.limits.forbids(tool.name, tool.toolset, tool.effect) for layer in self.layers())

    def check_tool(self, tool: Offered) -> None:
        """Raises `Refused` if a tool may not be called."""
        with self._refusals_noted({"tool": tool.name}):
            for layer in self.layers():
                rule = layer.limits.forbids(tool.name, tool.toolset, tool.effect)
                if rule == "read_only":
                    raise layer.refuse(rule, "This server is read-only")
                if rule is not None:
                    raise layer.refuse(rule, "This tool is not among those allowed")

    def check_namespace(self, tool: str, namespace: str) -> None:
        """Raises `Refused` if nothing of this namespace may be used: what is answered from memory passes no send."""
        with self._refusals_noted({"tool": tool, "namespace": namespace}):
            self._check(Effect.READS, namespace)

    @asynccontextmanager
    async def guard_request(self, request: Request) -> AsyncIterator[None]:
        """Raises `Refused` if this operation may not be sent."""
        if _deciding.get():
            yield
            return
        name, effect = request.operation.name, request.operation.effect
        async with self._noted(name, request.subject, effect) as facts, AsyncExitStack() as stack:
            self._check(effect, request.arguments.get("namespace"))
            if name in intents.STARTS and (self._looks_closer or intents.names_file(request)):
                with _own_reads():
                    await self._check_start(stack, await self._intent(request), facts)
            yield

    @asynccontextmanager
    async def guard_call(self, call: EndpointCall) -> AsyncIterator[None]:
        """Raises `Refused` if this call may not be made: one that wakes an endpoint has it billed."""
        subject = f"{call.namespace}/{call.endpoint.name}"
        wakes = call.effect is not Effect.READS
        async with self._noted("call_endpoint", subject, call.effect) as facts, AsyncExitStack() as stack:
            self._check(CALL_EFFECT if wakes else Effect.READS, call.namespace)
            if wakes and self._looks_closer:
                with _own_reads():
                    await self._check_start(stack, intents.of_wake(call), facts)
            yield

    async def foresee(self, send: Request | EndpointCall) -> list[Refused]:
        """Every refusal this would meet if it were sent now. Nothing is sent, counted or noted."""
        if isinstance(send, EndpointCall):
            effect, namespace = send.effect, send.namespace
        else:
            effect, namespace = send.operation.effect, send.arguments["namespace"]
        try:
            self._check(effect, namespace)
            with _own_reads():
                intent = await self._foreseen(send)
                if intent is None:
                    return []
                found = [layer.refuse(*rule) for layer in self.layers() for rule in rules.broken(layer.limits, intent)]
                return found + await self._foresee_ceilings(intent)
        except Refused as refusal:
            return [refusal]

    async def check(self, send: Request | EndpointCall, facts: Mapping[str, Any]) -> None:
        """Raises the first refusal this would meet if it were sent now, and notes it."""
        with self._refusals_noted(facts):
            for refusal in await self.foresee(send):
                raise refusal

    async def _foreseen(self, send: Request | EndpointCall) -> Intent | None:
        """What it would bring about, None if nothing starts."""
        if isinstance(send, EndpointCall):
            return intents.of_wake(send)
        return await self._intent(send) if send.operation.name in intents.STARTS else None

    async def _foresee_ceilings(self, intent: Intent) -> list[Refused]:
        layers = [layer for layer in self.layers() if layer.limits.ceilings]
        if not layers or intent.costs_no_more:
            return []
        assert self._ceilings is not None
        return await self._ceilings.foresee(intent, layers)

    @property
    def _looks_closer(self) -> bool:
        """Whether anybody has to know what a start would bring about."""
        bounds = Limits.model_fields.keys() - {"model_folders"}  # a request itself tells whether it names a file
        unset = Limits().model_dump(include=bounds)
        return self._audit.kept or any(layer.limits.model_dump(include=bounds) != unset for layer in self.layers())

    def _check(self, effect: Effect, namespace: str | None) -> None:
        for layer in self.layers():
            limits = layer.limits
            if not limits.allows(effect):
                raise layer.refuse("read_only", "This server is read-only")
            if namespace is not None and limits.namespaces and namespace not in limits.namespaces:
                said = f"Only these namespaces may be used: {', '.join(limits.namespaces)}"
                raise layer.refuse("namespaces", said)

    async def _intent(self, request: Request) -> Intent:
        if request.operation is operations.CREATE:
            return intents.of_create(request)
        assert self._client is not None
        current = await self._client.get(request.arguments["name"], request.arguments["namespace"])
        return intents.of_change(request, current)

    async def _check_start(self, stack: AsyncExitStack, intent: Intent, facts: dict[str, Any]) -> None:
        for layer in self.layers():
            layer.check(intent)
        facts["price_per_hour_at_most_usd"] = await self._price(intent)
        priced = [layer for layer in self.layers() if layer.limits.ceilings]
        if not priced or intent.costs_no_more:
            return
        assert self._ceilings is not None
        for warning in await stack.enter_async_context(self._ceilings.held(intent, priced)):
            log.warning("%s/%s: %s", intent.namespace, intent.name, warning)
            self._audit.note("warning", **facts, said=warning)

    async def _price(self, intent: Intent) -> float | None:
        """USD per hour at the most replicas, for the audit trail. Nothing fails where it is not known."""
        if not self._audit.kept or self._listing is None:
            return None
        try:
            price = (await self._listing.prices(intent.namespace)).of(intent.hardware)
        except InferenceEndpointError:
            return None
        return None if price is None else round(price * intent.most, 4)

    @asynccontextmanager
    async def _noted(self, operation: str, subject: str, effect: Effect) -> AsyncIterator[dict[str, Any]]:
        """Note a refusal, and how a change ended; reads are not noted. Gives the facts, to be added to."""
        facts: dict[str, Any] = {"operation": operation, "endpoint": subject, "effect": effect.value}
        try:
            with self._refusals_noted(facts):
                yield facts
        except Refused:
            raise
        except InferenceEndpointError as error:
            self._note_change(facts, error.code, error.request_id)
            raise
        except BaseException:
            self._note_change(facts, OutcomeUnknown.code)
            raise
        self._note_change(facts, "DONE")

    def _note_change(self, facts: dict[str, Any], outcome: str, upstream_request_id: str | None = None) -> None:
        if facts["effect"] != Effect.READS:
            self._audit.note("change", **facts, outcome=outcome, upstream_request_id=upstream_request_id)

    @contextmanager
    def _refusals_noted(self, facts: Mapping[str, Any]) -> Iterator[None]:
        try:
            yield
        except Refused as refusal:
            self._audit.note("refusal", **facts, said=refusal.message)
            raise


@contextmanager
def _own_reads() -> Iterator[None]:
    before = _deciding.set(True)
    try:
        yield
    finally:
        _deciding.reset(before)
