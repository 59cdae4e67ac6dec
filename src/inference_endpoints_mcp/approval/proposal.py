"""Pure: a change of one endpoint or of several as it is proposed for approval, with everything an approval of it is
bound to."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from inference_endpoints.deploy.plan import WAKE, Plan, PlannedCost
from inference_endpoints.models import Endpoint, EndpointConfiguration, UpdateRequest
from inference_endpoints.models.status import InferenceEndpointStatus as State
from inference_endpoints.transport import operations
from inference_endpoints.transport.effect import Effect
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.operations import Request


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
    def members(self) -> "tuple[Proposal, ...]":
        """The changes that are approved together: this one."""
        return (self,)

    @property
    def operation(self) -> str:
        return self.plan.operation

    @property
    def subject(self) -> str:
        """`namespace/name`."""
        return self.plan.endpoint

    @property
    def effect(self) -> Effect:
        """The worst effect of the operation."""
        return self.plan.effect

    @property
    def cost(self) -> PlannedCost:
        return self.plan.cost

    @property
    def is_paused(self) -> bool:
        """Whether only a person starts it again."""
        return self.current is not None and self.current.state is State.PAUSED

    @property
    def effects(self) -> frozenset[Effect]:
        """What this very call may do: an update disrupts, and spends or exposes only if it does."""
        more = {Effect.SPENDS: self.plan.spends, Effect.EXPOSES: self.plan.exposes}
        return frozenset({self.plan.effect, *(effect for effect, holds in more.items() if holds)})

    @property
    def price(self) -> float | None:
        """USD per hour it may come to cost, at the most replicas; None where no price is published."""
        return self.plan.cost.per_hour_at_most

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
            "price": f"{sorted(self.effects)} {cost.per_hour_after} {cost.per_hour_at_most}",
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


@dataclass(frozen=True)
class ProposedSet:
    """One operation on several endpoints, approved together, by their names in order. `where` is the filter that chose
    them, empty where they were named.
    """

    members: tuple[Proposal, ...]
    where: str

    @property
    def pattern(self) -> str:
        """What whoever deletes them types: the filter, or the first name."""
        return self.where or self.members[0].name

    @property
    def operation(self) -> str:
        return self.members[0].operation

    @property
    def subject(self) -> str:
        return ", ".join(member.subject for member in self.members)

    @property
    def effect(self) -> Effect:
        return self.members[0].effect

    @property
    def effects(self) -> frozenset[Effect]:
        """What any of the changes may do."""
        return frozenset().union(*(member.effects for member in self.members))

    @property
    def cost(self) -> PlannedCost:
        """The sums; None where a price is not published."""
        costs = [member.cost for member in self.members]
        hardware = {cost.hardware_id for cost in costs}
        sums = {name: _sum(getattr(cost, name) for cost in costs) for name in _SUMMED}
        return PlannedCost(hardware_id=hardware.pop() if len(hardware) == 1 else "several kinds of hardware", **sums)

    @property
    def price(self) -> float | None:
        """USD per hour that those of them which may cost more may come to cost together."""
        return _sum(member.price for member in self.members if Effect.SPENDS in member.effects)

    @property
    def backend(self) -> str:
        """Where they run: huggingface if any of them does, since that is billed."""
        places = {member.backend for member in self.members}
        return next(place for place in ("huggingface", "simulated", "local") if place in places)

    @cached_property
    def bound(self) -> dict[str, str]:
        """The facts of each change and of the choice: no endpoint may join, leave or change."""
        facts = [member.bound for member in self.members]
        names = [member.subject for member in self.members]
        bound = {name: _digest([each[name] for each in facts]) for name in facts[0]}
        return bound | {
            "change": f"{self.operation} of several: {self.where}",
            "identity": _digest([names, bound["identity"]]),
        }

    @cached_property
    def id(self) -> str:
        """Twelve characters that change with any part of it."""
        return _digest(self.bound)[:12]


AnyProposal = Proposal | ProposedSet

_SUMMED = ("per_hour_now", "per_hour_after", "per_hour_at_most", "per_month_at_most")


def shared_lines(proposal: AnyProposal, lines_of: Callable[[Proposal], Iterable[str]]) -> list[str]:
    """The lines about each change, each line once: after the names of those it is about, unless it is about all."""
    about: dict[str, list[str]] = {}
    in_one = len({member.namespace for member in proposal.members}) == 1
    for member in proposal.members:
        for line in dict.fromkeys(lines_of(member)):
            about.setdefault(line, []).append(member.name if in_one else member.subject)
    everyone = len(proposal.members)
    return [line if len(names) == everyone else f"{', '.join(names)}: {line}" for line, names in about.items()]


def _sum(values: Iterable[float | None]) -> float | None:
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return round(total, 4)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
