"""Pure: one change as it is proposed for approval, with everything an approval of it is bound to."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from inference_endpoints.deploy.plan import WAKE, Plan
from inference_endpoints.models import Endpoint, EndpointConfiguration, UpdateRequest
from inference_endpoints.transport import operations
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.operations import Effect, Request


@dataclass(frozen=True)
class Proposal:
    """A plan for one endpoint. `current` is the endpoint as it is, None for a new one; `backend` is where it runs:
    huggingface, local or simulated.
    """

    plan: Plan
    namespace: str
    name: str
    current: Endpoint | None
    backend: str

    @property
    def effects(self) -> frozenset[Effect]:
        """What this very call may do: an update disrupts, and spends or exposes only if it does."""
        more = {Effect.SPENDS: self.plan.spends, Effect.EXPOSES: self.plan.exposes}
        return frozenset({self.plan.effect, *(effect for effect, holds in more.items() if holds)})

    @property
    def price(self) -> float | None:
        """USD per hour it may come to cost, at the most replicas; None where no price is published."""
        return self.plan.cost.per_hour_at_max

    @cached_property
    def after(self) -> EndpointConfiguration:
        """The endpoint as the change would leave it."""
        request = self.plan.request or UpdateRequest()
        return request.applied_to(self.current)

    @cached_property
    def bound(self) -> dict[str, str]:
        """The facts an approval is valid for. Facts that change by themselves, such as the state, are left out."""
        current, cost = self.current, self.plan.cost
        return {
            "change": f"{self.plan.operation} {self.plan.endpoint}",
            "identity": current.identity if current else "",
            "configuration": _digest(current.configuration) if current else "",
            "payload": _digest(self.plan.request.to_json() if self.plan.request else None),
            "price": f"{sorted(self.effects)} {cost.per_hour_at_min} {cost.per_hour_at_max}",
        }

    @cached_property
    def id(self) -> str:
        """Twelve characters that change with any part of it, for people and the audit trail."""
        return _digest(self.bound)[:12]

    @property
    def request_to_send(self) -> Request | EndpointCall:
        """The request that an approval lets pass, for the policy to check."""
        if self.plan.operation == WAKE:
            assert self.current is not None
            return EndpointCall(self.current, self.namespace)
        operation = {each.name: each for each in operations.OPERATIONS}[self.plan.operation]
        if operation is operations.CREATE:
            return operation.build(body=self.plan.request, namespace=self.namespace)
        return operation.build(body=self.plan.request, namespace=self.namespace, name=self.name)

    def with_warnings(self, *more: str) -> "Proposal":
        """The same, with more warnings."""
        return replace(self, plan=self.plan.with_warnings(*more))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
