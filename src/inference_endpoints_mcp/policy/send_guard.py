"""Checks the policy at every send of the model layer, so that no tool, prompt or resource can bypass the limits or the
audit trail."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.clients.hardware_cache import HardwareCache
from inference_endpoints.deploy.offers import Offer, list_offers
from inference_endpoints.errors import InferenceEndpointError, OutcomeUnknown, Refused
from inference_endpoints.models import Endpoint
from inference_endpoints.transport import operations
from inference_endpoints.transport.effect import Effect
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.operations import CALL_EFFECT, Request
from inference_endpoints_mcp.policy import rules
from inference_endpoints_mcp.policy.budget import Budget
from inference_endpoints_mcp.policy.connection_shares import ConnectionShares
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.policy.owned_limits import OwnedLimits
from inference_endpoints_mcp.policy.planned_start import START_OPERATIONS, PlannedStart, update_of
from inference_endpoints_mcp.policy.policy import Policy
from inference_endpoints_mcp.replicas.shared_state import SharedState

log = logging.getLogger(__name__)

MAX_READS_AT_ONCE = 8
"""Endpoints that are read at the same time before several are changed."""


class SendGuard:
    """Implements the model layer's `Guard`.

    `reader` reads the endpoints and prices that decisions need. No limit applies to it: it sees what callers may not.
    """

    def __init__(
        self, policy: Policy, reader: AsyncEndpointsClient, hardware_cache: HardwareCache, shared: SharedState
    ) -> None:
        self._policy = policy
        self._audit = policy.audit
        self._reader = reader
        self._hardware_cache = hardware_cache
        self._budget = Budget(reader, hardware_cache, shared)
        self._connections = ConnectionShares()
        self._reading = asyncio.Semaphore(MAX_READS_AT_ONCE)

    @asynccontextmanager
    async def guard_request(self, request: Request) -> AsyncIterator[None]:
        """Raises `Refused` if this operation may not be sent."""
        name, effect = request.operation.name, request.operation.effect
        async with self._audited(name, request.subject, effect) as facts, AsyncExitStack() as stack:
            self._policy.check_effect(effect, request.arguments.get("namespace"))
            await stack.enter_async_context(self._connections.guard_request(request))
            await self._check_model_file(request)
            if name in START_OPERATIONS and self._needs_planned_start:
                await self._check_start(stack, await self._planned_start(request), facts)
            yield

    @asynccontextmanager
    async def guard_call(self, call: EndpointCall) -> AsyncIterator[None]:
        """Raises `Refused` if this call may not be made. A call that wakes an endpoint is checked as its start."""
        subject = f"{call.namespace}/{call.endpoint.name}"
        wakes = call.effect is not Effect.READS
        async with self._audited("call_endpoint", subject, call.effect) as facts, AsyncExitStack() as stack:
            self._policy.check_effect(CALL_EFFECT if wakes else Effect.READS, call.namespace)
            await stack.enter_async_context(self._connections.guard_call(call))
            if wakes:
                self._check_in_folders(call.endpoint.model.repository)
            if wakes and self._needs_planned_start:
                await self._check_start(stack, await self._planned_start(call), facts)
            yield

    def must_check_waking(self, endpoint: Endpoint) -> bool:
        """Whether waking this endpoint may be refused or must be audited. Its state is then read before each call."""
        limits = [owned.limits for owned in self._policy.all_limits()]
        outside = any(rules.outside_model_folders(each, endpoint.model.repository) for each in limits)
        return outside or self._needs_planned_start or not all(each.allows(CALL_EFFECT) for each in limits)

    async def refusals(self, *requests: Request | EndpointCall) -> list[Refused]:
        """Every refusal these would meet if all of them were sent now. Nothing is sent, counted or audited."""
        try:
            planned = await asyncio.gather(*map(self._start_of, requests))
            starts = [start for start in planned if start is not None]
            owned_limits = self._policy.all_limits()
            found = [
                owned.refuse(*rule)
                for owned, start in itertools.product(owned_limits, starts)
                for rule in rules.violations(owned.limits, start)
            ]
            priced = [start for start in starts if self._price_limits(start)]
            found += await self._budget.refusals(priced, self._price_limits(priced[0])) if priced else []
        except Refused as refusal:
            found = [refusal]
        return list({refusal.message: refusal for refusal in found}.values())

    async def _start_of(self, request: Request | EndpointCall) -> PlannedStart | None:
        """What this would start; None for what starts nothing. Raises `Refused` where its effect is not allowed."""
        if isinstance(request, EndpointCall):
            effect, namespace = request.effect, request.namespace
        else:
            effect, namespace = request.operation.effect, request.arguments["namespace"]
        self._policy.check_effect(effect, namespace)
        if not isinstance(request, EndpointCall) and request.operation.name not in START_OPERATIONS:
            return None
        async with self._reading:
            return await self._planned_start(request)

    async def check(self, requests: Sequence[Request | EndpointCall], facts: Mapping[str, Any]) -> None:
        """Raises the first refusal these would meet if all of them were sent now, and audits it."""
        with self._policy.auditing_refusals(facts):
            for refusal in await self.refusals(*requests):
                raise refusal

    async def _check_model_file(self, request: Request) -> None:
        """The file is read to start a model, and already to suggest how."""
        starts, suggests = request.operation.name in START_OPERATIONS, request.operation is operations.SUGGESTION
        bounded = any(owned.limits.model_folders for owned in self._policy.all_limits())
        if not bounded or not (starts or suggests):
            return
        if suggests:
            repository = request.query["model_id"]
        elif (changed := update_of(request).repository) is not None:
            repository = changed
        else:
            current = await self._reader.get(request.arguments["name"], request.arguments["namespace"])
            repository = current.model.repository
        self._check_in_folders(repository)

    def _check_in_folders(self, repository: str) -> None:
        for owned in self._policy.all_limits():
            if reason := rules.outside_model_folders(owned.limits, repository):
                raise owned.refuse("model_folders", reason)

    @property
    def _needs_planned_start(self) -> bool:
        """Whether a limit or the audit trail needs the planned start."""
        bounds = Limits.model_fields.keys() - {"model_folders"}  # checked for every look at a file
        unset = Limits().model_dump(include=bounds)
        limits = [owned.limits for owned in self._policy.all_limits()]
        return self._audit.enabled or any(each.model_dump(include=bounds) != unset for each in limits)

    async def _planned_start(self, request: Request | EndpointCall) -> PlannedStart:
        if isinstance(request, EndpointCall):
            start = PlannedStart.of_call(request)
        elif request.operation is operations.CREATE:
            start = PlannedStart.of_request(request, None)
        else:
            current = await self._reader.get(request.arguments["name"], request.arguments["namespace"])
            start = PlannedStart.of_request(request, current)
        return start.at_prices_of(await self._offers(start.namespace))

    async def _offers(self, namespace: str) -> list[Offer]:
        """The hardware and its prices at this moment. Raises where a limit needs them and they cannot be read."""
        limits = [owned.limits for owned in self._policy.all_limits()]
        try:
            return list_offers(await self._hardware_cache.fresh_listing(namespace))
        except InferenceEndpointError:
            if any(each.price_limits or each.no_always_on for each in limits):
                raise
            return []  # the audit trail then leaves the price out

    def _price_limits(self, start: PlannedStart) -> list[OwnedLimits]:
        """The limits whose prices apply to this start."""
        return (
            []
            if start.cannot_cost_more
            else [owned for owned in self._policy.all_limits() if owned.limits.price_limits]
        )

    async def _check_start(self, stack: AsyncExitStack, start: PlannedStart, facts: dict[str, Any]) -> None:
        for owned in self._policy.all_limits():
            rules.check_start(owned, start)
        price = start.per_hour_at_most
        facts["price_per_hour_at_most_usd"] = None if price is None else round(price, 4)
        if priced := self._price_limits(start):
            for warning in await stack.enter_async_context(self._budget.reserve(start, priced)):
                log.warning("%s/%s: %s", start.namespace, start.name, warning)
                self._audit.write("warning", **facts, message=warning)

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
            self._audit.write("change", **facts, outcome=outcome, upstream_request_id=upstream_request_id)
