"""Checks the policy at every send of the model layer, so that no tool, prompt or resource can bypass the limits or the
audit trail."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import InferenceEndpointError, OutcomeUnknown, Refused
from inference_endpoints.hardware_cache import HardwareCache
from inference_endpoints.transport import operations
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.operations import CALL_EFFECT, Effect, Request
from inference_endpoints_mcp.policy import rules
from inference_endpoints_mcp.policy.budget import Budget
from inference_endpoints_mcp.policy.intent import STARTS, Intent, change_of, local_file
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.policy.policy import Policy

log = logging.getLogger(__name__)


class SendGuard:
    """Implements the model layer's `Guard`.

    `reader` reads the endpoints and prices that decisions need. It has no guard: it sees what callers may not.
    """

    def __init__(self, policy: Policy, reader: AsyncEndpointsClient, listing: HardwareCache) -> None:
        self._policy = policy
        self._audit = policy.audit
        self._reader = reader
        self._listing = listing
        self._budget = Budget(reader, listing)

    @asynccontextmanager
    async def guard_request(self, request: Request) -> AsyncIterator[None]:
        """Raises `Refused` if this operation may not be sent."""
        name, effect = request.operation.name, request.operation.effect
        async with self._audited(name, request.subject, effect) as facts, AsyncExitStack() as stack:
            self._policy.check_effect(effect, request.arguments.get("namespace"))
            if name in STARTS and (self._needs_intent or _names_local_file(request)):
                await self._check_start(stack, await self._intent(request), facts)
            yield

    @asynccontextmanager
    async def guard_call(self, call: EndpointCall) -> AsyncIterator[None]:
        """Raises `Refused` if this call may not be made: one that wakes an endpoint has it billed."""
        subject = f"{call.namespace}/{call.endpoint.name}"
        wakes = call.effect is not Effect.READS
        async with self._audited("call_endpoint", subject, call.effect) as facts, AsyncExitStack() as stack:
            self._policy.check_effect(CALL_EFFECT if wakes else Effect.READS, call.namespace)
            if wakes and self._needs_intent:
                await self._check_start(stack, Intent.of_call(call), facts)
            yield

    async def refusals(self, send: Request | EndpointCall) -> list[Refused]:
        """Every refusal this would meet if it were sent now. Nothing is sent, counted or audited."""
        if isinstance(send, EndpointCall):
            effect, namespace = send.effect, send.namespace
        else:
            effect, namespace = send.operation.effect, send.arguments["namespace"]
        try:
            self._policy.check_effect(effect, namespace)
            if isinstance(send, EndpointCall):
                intent = Intent.of_call(send)
            elif send.operation.name in STARTS:
                intent = await self._intent(send)
            else:
                return []
            layers = self._policy.layers()
            found = [layer.refuse(*rule) for layer in layers for rule in rules.violations(layer.limits, intent)]
            priced = self._priced(intent)
            return found + (await self._budget.refusals(intent, priced) if priced else [])
        except Refused as refusal:
            return [refusal]

    async def check(self, send: Request | EndpointCall, facts: Mapping[str, Any]) -> None:
        """Raises the first refusal this would meet if it were sent now, and audits it."""
        with self._policy.auditing_refusals(facts):
            for refusal in await self.refusals(send):
                raise refusal

    @property
    def _needs_intent(self) -> bool:
        """Whether a limit or the audit trail has to know what a start would bring about."""
        bounds = Limits.model_fields.keys() - {"model_folders"}  # read from the request alone
        unset = Limits().model_dump(include=bounds)
        limits = [layer.limits for layer in self._policy.layers()]
        return self._audit.enabled or any(each.model_dump(include=bounds) != unset for each in limits)

    async def _intent(self, request: Request) -> Intent:
        if request.operation is operations.CREATE:
            return Intent.of_request(request, None)
        current = await self._reader.get(request.arguments["name"], request.arguments["namespace"])
        return Intent.of_request(request, current)

    def _priced(self, intent: Intent) -> list[rules.Layer]:
        """The layers whose ceilings an intent has to keep."""
        return [] if intent.costs_no_more else [layer for layer in self._policy.layers() if layer.limits.ceilings]

    async def _check_start(self, stack: AsyncExitStack, intent: Intent, facts: dict[str, Any]) -> None:
        for layer in self._policy.layers():
            layer.check(intent)
        facts["price_per_hour_at_most_usd"] = await self._price(intent)
        if priced := self._priced(intent):
            for warning in await stack.enter_async_context(self._budget.reserved(intent, priced)):
                log.warning("%s/%s: %s", intent.namespace, intent.name, warning)
                self._audit.note("warning", **facts, message=warning)

    async def _price(self, intent: Intent) -> float | None:
        """USD per hour at the most replicas, for the audit trail. A price that cannot be read is left out."""
        if not self._audit.enabled:
            return None
        try:
            price = (await self._listing.prices(intent.namespace)).of(intent.after.hardware)
        except InferenceEndpointError:
            return None
        return None if price is None else round(price * intent.most_replicas, 4)

    @asynccontextmanager
    async def _audited(self, operation: str, subject: str, effect: Effect) -> AsyncIterator[dict[str, Any]]:
        """Write a refusal, or the outcome of a change, to the audit trail; reads are not written. Yields the facts, to
        which the caller adds."""
        facts: dict[str, Any] = {"operation": operation, "endpoint": subject, "effect": effect.value}
        try:
            with self._policy.auditing_refusals(facts):
                yield facts
        except Refused:
            raise
        except InferenceEndpointError as error:
            self._audit_change(facts, error.code, error.request_id)
            raise
        except BaseException:
            self._audit_change(facts, OutcomeUnknown.code)
            raise
        self._audit_change(facts, "DONE")

    def _audit_change(self, facts: dict[str, Any], outcome: str, upstream_request_id: str | None = None) -> None:
        if facts["effect"] != Effect.READS:
            self._audit.note("change", **facts, outcome=outcome, upstream_request_id=upstream_request_id)


def _names_local_file(request: Request) -> bool:
    return local_file(change_of(request).repository or "") is not None
