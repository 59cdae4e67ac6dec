"""Pure: a request and the facts give a plan, before anything is sent.

The plan holds the exact request, what it changes, what that costs, and warnings. A dry run shows it, a person or a
token approves it, and the tool sends its request.
"""

import math
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from inference_endpoints.deploy.exposure import Exposure, find_exposures
from inference_endpoints.deploy.offers import (
    QUOTAS_WITHOUT_PAYMENT_METHOD,
    Offer,
    cloud_quotas,
    find_offer,
    lack_payment_method,
    list_offers,
)
from inference_endpoints.deploy.prices import HOURS_PER_MONTH, Prices, to_money
from inference_endpoints.deploy.quota_use import quota_left, quota_taken
from inference_endpoints.deploy.specs import differences
from inference_endpoints.errors import ADD_PAYMENT_METHOD, BadRequest
from inference_endpoints.models import (
    CreateRequest,
    Endpoint,
    EndpointConfiguration,
    HardwareListing,
    Scaling,
    UpdateRequest,
)
from inference_endpoints.models.status import InferenceEndpointStatus as State
from inference_endpoints.transport import operations
from inference_endpoints.transport.effect import Effect
from inference_endpoints.transport.operations import Operation

MASK = "***"
WAKE = "wake_endpoint"
"""The operation in a plan for a call that wakes an endpoint."""


class PlannedCost(BaseModel, defer_build=True):
    """USD now, as soon as the change is made, and at most: at the most replicas. None where no price is published.

    `hardware_id` is the hardware after the change.
    """

    hardware_id: str
    per_hour_now: float | None = 0.0
    per_hour_after: float | None = None
    per_hour_at_most: float | None = None
    per_month_at_most: float | None = None

    @classmethod
    def of(cls, hardware_id: str, replica: float | None, after: int, most: int, now: float | None) -> "PlannedCost":
        """The cost of so many replicas after the change, and at most. No replicas cost 0, also at an unknown price."""
        at_most = replica * most if replica is not None else None if most else 0.0
        at_once = replica * after if replica is not None else None if after else 0.0
        return cls(
            hardware_id=hardware_id,
            per_hour_now=to_money(now),
            per_hour_after=to_money(at_once),
            per_hour_at_most=to_money(at_most),
            per_month_at_most=None if at_most is None else round(at_most * HOURS_PER_MONTH, 2),
        )


class SettingChange(BaseModel, defer_build=True):
    """One setting before and after a change."""

    setting: str
    before: Any = None
    after: Any = None


class Plan(BaseModel, defer_build=True):
    """What a change would do and cost. `request` is exactly what is sent; `masked()` may be shown.

    >>> client = EndpointsClient()
    >>> request = EndpointChange(max_replica=2, secrets={"KEY": "value"}).request()
    >>> plan = plan_update(request, client.get("chat"), "acme", client.hardware())
    >>> plan.spends, plan.cost.per_hour_at_most
    (True, 1.6)
    """

    operation: str
    effect: Effect
    spends: bool = Field(default=False, description="Whether the change can raise the cost.")
    exposes: list[Exposure] = Field(default_factory=list, description="What the change opens to others.")
    interrupts: str = Field(default="", description="What the change interrupts, as a sentence.")
    endpoint: str
    cost: PlannedCost
    request: UpdateRequest | None = Field(default=None, repr=False)
    changes: list[SettingChange] = Field(default_factory=list)
    quota_left: int | None = Field(default=None, description="Accelerators of this type left at maximum replicas.")
    quota_more: int | None = Field(default=None, description="Accelerators that it takes from the quota.")
    warnings: list[str] = Field(default_factory=list)

    def masked(self) -> dict[str, Any] | None:
        """The body of the request with every secret masked.

        >>> plan.masked()
        {'compute': {'scaling': {'maxReplica': 2}}, 'model': {'secrets': {'KEY': '***'}}}
        """
        return None if self.request is None else _masked(self.request.to_json())

    def with_warnings(self, *more: str) -> "Plan":
        """The same, with more warnings.

        >>> plan.with_warnings("It does not fit.").warnings
        ['It does not fit.']
        """
        return self.model_copy(update={"warnings": [*self.warnings, *more]})


def plan_create(request: CreateRequest, namespace: str, listing: HardwareListing) -> Plan:
    """Plan a new endpoint: nothing is sent.

    >>> client = EndpointsClient()
    >>> chat = client.get("chat")
    >>> request = CreateRequest.model_validate(chat.configuration | {"name": "copy"})
    >>> plan = plan_create(request, client.resolve_namespace(), client.hardware())
    >>> plan.cost.hardware_id, plan.cost.per_hour_at_most, plan.quota_left
    ('aws-us-east-1-nvidia-l4-x1', 0.8, 13)
    """
    after, known = request.applied_to(None), list_offers(listing)
    offer, scaling = find_offer(known, after.hardware_id), after.compute.scaling
    return Plan(
        operation=operations.CREATE.name,
        effect=operations.CREATE.effect,
        spends=True,
        endpoint=f"{namespace}/{request.name}",
        cost=_cost(after, offer, max(1, scaling.min_replica), 0.0),
        exposes=find_exposures(request, None),
        request=request,
        quota_left=quota_left(offer, after, None, known),
        quota_more=quota_taken(offer, after, None, known),
        warnings=_warnings(offer, after, None, known),
    )


def plan_update(request: UpdateRequest, current: Endpoint, namespace: str, listing: HardwareListing) -> Plan:
    """Plan a change of an endpoint: nothing is sent. `changes` is empty if the endpoint already is as requested.

    >>> client = EndpointsClient()
    >>> request = EndpointChange(max_replica=2).request()
    >>> plan = plan_update(request, client.get("chat"), "acme", client.hardware())
    >>> [(change.setting, change.before, change.after) for change in plan.changes]
    [('compute.scaling.maxReplica', 1, 2)]
    """
    found, after, known = differences(current, request), request.applied_to(current), list_offers(listing)
    offer = find_offer(known, after.hardware_id)
    return Plan(
        operation=operations.UPDATE.name,
        effect=operations.UPDATE.effect if found else Effect.READS,
        spends=bool(found) and may_cost_more(after, current, known),
        endpoint=f"{namespace}/{current.name}",
        cost=_cost(after, offer, _replicas_after(after, current), Prices(listing).now(current)),
        exposes=find_exposures(request, current),
        interrupts=REPLACES_REPLICAS if current.state.billed and any(map(_replaces_replicas, found)) else "",
        request=request,
        changes=[
            SettingChange(setting=path, before=_masked_at(path, before), after=_masked_at(path, after))
            for path, (before, after) in found.items()
        ],
        quota_left=quota_left(offer, after, current, known),
        quota_more=quota_taken(offer, after, current, known),
        warnings=[*_move_warnings(current, after), *_warnings(offer, after, current, known)],
    )


def plan_state_change(operation: Operation[Any], current: Endpoint, namespace: str, listing: HardwareListing) -> Plan:
    """Plan pausing, resuming, scaling to zero or deleting.

    Raises `BadRequest` for what the service would refuse, and for scaling a paused or failed endpoint to zero: any call
    could then start an endpoint that was paused.
    """
    if operation is operations.SCALE_TO_ZERO:
        _check_scale_to_zero(current, f"{namespace}/{current.name}")
    if operation is operations.RESUME:
        return _plan_start(operation.name, operation.effect, current, namespace, listing)
    offer = find_offer(list_offers(listing), current.hardware_id)
    most = current.compute.scaling.most_replicas if operation is operations.SCALE_TO_ZERO else 0  # a call wakes it
    return Plan(
        operation=operation.name,
        effect=operation.effect,
        endpoint=f"{namespace}/{current.name}",
        cost=_cost(current, offer, 0, Prices(listing).now(current), most),
        interrupts="" if current.state in _ANSWERS_NOBODY else _INTERRUPTIONS[operation.name],
    )


_ANSWERS_NOBODY = frozenset({State.PAUSED, State.FAILED})
_INTERRUPTIONS = {
    operations.PAUSE.name: "It stops answering until it is resumed.",
    operations.SCALE_TO_ZERO.name: "Its replicas end, and the next call waits for a new one.",
    operations.DELETE.name: "It stops answering for good.",
}
REPLACES_REPLICAS = "Its running replicas are replaced: calls can be slow or fail until the new ones are ready."


def _replaces_replicas(setting: str) -> bool:
    """Whether a change of this setting starts new replicas: all but scaling, tags and access do."""
    return setting.startswith(("model.", "provider", "compute.")) and not setting.startswith("compute.scaling")


def _check_scale_to_zero(current: Endpoint, label: str) -> None:
    if current.state is State.PAUSED:
        raise BadRequest(
            f"Endpoint {label} is paused: it costs nothing, and no call wakes it.",
            hint="Resume it first if calls should wake it.",
        )
    if current.state is State.FAILED:
        raise BadRequest(
            f"Endpoint {label} has failed: it costs nothing, and no call wakes it.",
            hint="diagnose_endpoint finds the cause and what helps.",
        )
    if current.compute.scaling.scale_to_zero_timeout is None:
        raise BadRequest(
            f"Endpoint {label} has no time-out for scaling to zero, and the service requires one.",
            hint="Update it with min_replica 0 and scale_to_zero_timeout 15 (minutes), or pause it.",
        )


def plan_wake(current: Endpoint, namespace: str, listing: HardwareListing) -> Plan:
    """Plan a call of an endpoint at zero replicas: one replica starts, and more may follow."""
    return _plan_start(WAKE, operations.CALL_EFFECT, current, namespace, listing)


def _plan_start(name: str, effect: Effect, current: Endpoint, namespace: str, listing: HardwareListing) -> Plan:
    known, scaling = list_offers(listing), current.compute.scaling
    offer = find_offer(known, current.hardware_id)
    return Plan(
        operation=name,
        effect=effect,
        spends=True,
        endpoint=f"{namespace}/{current.name}",
        cost=_cost(current, offer, max(1, scaling.min_replica), Prices(listing).now(current)),
        quota_left=quota_left(offer, current, current, known),
        quota_more=quota_taken(offer, current, current, known),
        warnings=_warnings(offer, current, current, known),
    )


def _cost(
    after: EndpointConfiguration, offer: Offer | None, replicas: int, now: float | None, most: int | None = None
) -> PlannedCost:
    most = after.compute.scaling.most_replicas if most is None else most
    return PlannedCost.of(after.hardware_id, offer.price if offer else None, replicas, most, now)


def _replicas_after(after: EndpointConfiguration, current: Endpoint) -> int:
    """Replicas as soon as an update is made: a paused endpoint stays paused, one without replicas may start one."""
    if current.state is State.PAUSED:
        return 0
    replicas, scaling = max(current.status.target_replica, current.status.ready_replica, 1), after.compute.scaling
    return max(scaling.min_replica, min(replicas, scaling.most_replicas))


def may_cost_more(after: EndpointConfiguration, current: Endpoint, known: Sequence[Offer]) -> bool:
    """Whether an update may start replicas, keep more of them, use more expensive hardware, or let them idle longer.

    A paused endpoint stays paused: only what it could cost once it is resumed counts.
    """
    if not current.state.billed and current.state is not State.PAUSED:
        return True
    now, then = current.compute.scaling, after.compute.scaling
    if then.min_replica > now.min_replica or _idle_minutes(then) > _idle_minutes(now):
        return True
    if after.hardware_id == current.hardware_id:
        return then.most_replicas > now.most_replicas
    offer_now, offer_then = find_offer(known, current.hardware_id), find_offer(known, after.hardware_id)
    if offer_now is None or offer_now.price is None or offer_then is None or offer_then.price is None:
        return True
    return offer_then.price * then.most_replicas > offer_now.price * now.most_replicas


def _idle_minutes(scaling: Scaling) -> float:
    """Minutes a replica idles before it scales to zero; infinite where it never does."""
    return math.inf if scaling.scale_to_zero_timeout is None else float(scaling.scale_to_zero_timeout)


def _warnings(
    offer: Offer | None, after: EndpointConfiguration, current: Endpoint | None, known: Sequence[Offer]
) -> list[str]:
    if offer is None:
        return ["This hardware is not in the current listing: its price and availability are unknown."]
    warnings = []
    if offer.instance.status != "available":
        warnings.append(f"This hardware is listed as {offer.instance.status.replace('_', ' ')}.")
    left, kept = quota_left(offer, after, current, known), after.compute.scaling.min_replica
    if not offer.is_this_machine and lack_payment_method(cloud_quotas(known)):
        warnings.append(f"{QUOTAS_WITHOUT_PAYMENT_METHOD} {ADD_PAYMENT_METHOD}")
    elif left is not None and left < 0:
        warnings.append(f"The maximum of replicas is {-left} accelerators over the namespace's quota.")
    if kept and offer.price:
        warnings.append(f"{kept} replica(s) always run: ${offer.price * kept:g}/h even when idle.")
    return warnings


def _move_warnings(current: Endpoint, after: EndpointConfiguration) -> list[str]:
    there = (after.provider.vendor, after.provider.region)
    if there == (current.provider.vendor, current.provider.region):
        return []
    return [f"It moves to {' '.join(there)}: its replicas are replaced there, and its URL may change."]


def _masked(payload: dict[str, Any]) -> dict[str, Any]:
    return {key: _masked_at(key, value) for key, value in payload.items()}


def _masked_at(path: str, value: Any) -> Any:
    if path.rpartition(".")[2] in {"secrets", "credentials"} and isinstance(value, dict):
        return dict.fromkeys(value, MASK)
    if isinstance(value, dict):
        return _masked(value)
    return value
