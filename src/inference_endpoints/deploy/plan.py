"""Pure: an intent and the facts give a plan, before anything is sent.

The plan holds the exact payload, what it changes, what that costs and what to think of first. A dry run shows
it, the ceiling on spending reads it, and the tool sends its payload.
"""

import math
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from inference_endpoints.deploy.hardware import HOURS_PER_MONTH, Offer, offers
from inference_endpoints.deploy.specs import differences
from inference_endpoints.errors import BadRequest
from inference_endpoints.models import Endpoint, Scaling, Vendors
from inference_endpoints.transport import operations
from inference_endpoints.transport.operations import Effect, Operation

MASK = "***"
WAKE = "wake_endpoint"
"""What a plan calls a call that wakes an endpoint."""


class Cost(BaseModel):
    """USD, at the fewest and the most replicas the plan allows. None where no price is published."""

    hardware: str
    per_hour_at_min: float | None = None
    per_hour_at_max: float | None = None
    per_month_at_max: float | None = None

    @classmethod
    def of(cls, hardware: str, replica: float | None, fewest: int, most: int) -> "Cost":
        if replica is None:
            return cls(hardware=hardware)
        return cls(
            hardware=hardware,
            per_hour_at_min=round(replica * fewest, 4),
            per_hour_at_max=round(replica * most, 4),
            per_month_at_max=round(replica * most * HOURS_PER_MONTH, 2),
        )


class Change(BaseModel):
    """One setting, before and after."""

    setting: str
    before: Any = None
    after: Any = None


class Plan(BaseModel):
    """What would be done. `payload` is exactly what is sent; `shown()` is what may be looked at."""

    operation: str
    effect: Effect
    spends: bool = Field(default=False, description="Whether it may then cost more than it may now.")
    endpoint: str
    cost: Cost
    payload: dict[str, Any] | None = Field(default=None, repr=False)
    changes: list[Change] = Field(default_factory=list)
    quota_left: int | None = Field(default=None, description="Accelerators of this kind left at maximum replicas.")
    warnings: list[str] = Field(default_factory=list)

    def shown(self) -> dict[str, Any] | None:
        """The payload with every secret masked."""
        return None if self.payload is None else _masked(self.payload)


def plan_create(payload: dict[str, Any], namespace: str, vendors: Vendors) -> Plan:
    """Plan a new endpoint from the body of a create request."""
    compute = payload["compute"]
    hardware = hardware_id(payload["provider"]["vendor"], payload["provider"]["region"], compute)
    offer = _offer_of(offers(vendors), hardware)
    fewest, most = fewest_replicas(payload), most_replicas(payload)
    return Plan(
        operation=operations.CREATE.name,
        effect=operations.CREATE.effect,
        spends=True,
        endpoint=f"{namespace}/{payload['name']}",
        cost=Cost.of(hardware, offer.price if offer else None, fewest, most),
        payload=payload,
        quota_left=_quota_left(offer, most),
        warnings=_hardware_warnings(offer, most) + _always_on(fewest, offer),
    )


def plan_update(payload: dict[str, Any], current: Endpoint, namespace: str, vendors: Vendors) -> Plan:
    """Plan a change of an endpoint from the body of an update request.

    `changes` is empty if everything already is as asked.
    """
    found = differences(current, payload)
    hardware, known = hardware_after(payload, current), offers(vendors)
    offer = _offer_of(known, hardware)
    fewest, most = fewest_replicas(payload, current), most_replicas(payload, current)
    return Plan(
        operation=operations.UPDATE.name,
        effect=operations.UPDATE.effect if found else Effect.READS,
        spends=bool(found) and _may_cost_more(payload, current, known),
        endpoint=f"{namespace}/{current.name}",
        cost=Cost.of(hardware, offer.price if offer else None, fewest, most),
        payload=payload,
        changes=[
            Change(setting=path, before=_masked_at(path, before), after=_masked_at(path, after))
            for path, (before, after) in found.items()
        ],
        quota_left=_quota_left(offer, most - (current.status.target_replica if hardware == current.hardware else 0)),
        warnings=_hardware_warnings(offer, most) + _always_on(fewest, offer),
    )


def plan_step(operation: Operation[Any], current: Endpoint, namespace: str, vendors: Vendors) -> Plan:
    """Plan pausing, resuming, scaling to zero or deleting."""
    if operation is operations.RESUME:
        return _plan_start(operation.name, operation.effect, current, namespace, vendors)
    offer = _offer_of(offers(vendors), current.hardware)
    return Plan(
        operation=operation.name,
        effect=operation.effect,
        endpoint=f"{namespace}/{current.name}",
        cost=Cost.of(current.hardware, offer.price if offer else None, 0, 0),
    )


def plan_wake(current: Endpoint, namespace: str, vendors: Vendors) -> Plan:
    """Plan calling an endpoint that is asleep: a replica starts, and more may follow."""
    return _plan_start(WAKE, operations.CALL_EFFECT, current, namespace, vendors)


def _plan_start(name: str, effect: Effect, current: Endpoint, namespace: str, vendors: Vendors) -> Plan:
    offer, scaling = _offer_of(offers(vendors), current.hardware), current.compute.scaling
    most = max(1, scaling.max_replica)
    return Plan(
        operation=name,
        effect=effect,
        spends=True,
        endpoint=f"{namespace}/{current.name}",
        cost=Cost.of(current.hardware, offer.price if offer else None, max(1, scaling.min_replica), most),
        warnings=_hardware_warnings(offer, most) + _always_on(scaling.min_replica, offer),
    )


def fewest_replicas(payload: dict[str, Any], current: Endpoint | None = None) -> int:
    """The replicas a create or update body keeps running."""
    return _replicas(payload, "minReplica", _scaling_of(current).min_replica)


def most_replicas(payload: dict[str, Any], current: Endpoint | None = None) -> int:
    """The replicas a create or update body allows for, at most."""
    return max(1, _replicas(payload, "maxReplica", _scaling_of(current).max_replica))


def hardware_after(payload: dict[str, Any], current: Endpoint) -> str:
    """The hardware an endpoint runs on after an update body; vendor and region cannot change."""
    now = {"instanceType": current.compute.instance_type, "instanceSize": current.compute.instance_size}
    return hardware_id(current.provider.vendor, current.provider.region, now | payload.get("compute", {}))


def hardware_id(vendor: str, region: str, compute: dict[str, Any]) -> str:
    """`{vendor}-{region}-{instance type}-{instance size}`, as the service forms it."""
    return "-".join((vendor, region, str(compute.get("instanceType")), str(compute.get("instanceSize"))))


def _may_cost_more(payload: dict[str, Any], current: Endpoint, known: Sequence[Offer]) -> bool:
    """Whether an update may bring replicas that are not there now, dearer ones, or ones that idle longer."""
    if not current.state.billed:
        return True
    if fewest_replicas(payload, current) > fewest_replicas({}, current) or _idle(payload, current) > _idle({}, current):
        return True
    before, after = current.hardware, hardware_after(payload, current)
    most_before, most_after = most_replicas({}, current), most_replicas(payload, current)
    if before == after:
        return most_after > most_before
    offer_before, offer_after = _offer_of(known, before), _offer_of(known, after)
    if offer_before is None or offer_before.price is None or offer_after is None or offer_after.price is None:
        return True
    return offer_after.price * most_after > offer_before.price * most_before


def _idle(payload: dict[str, Any], current: Endpoint) -> float:
    """Minutes a replica idles before it sleeps; infinite where it never does."""
    scaling = payload.get("compute", {}).get("scaling", {})
    minutes = scaling.get("scaleToZeroTimeout", current.compute.scaling.scale_to_zero_timeout)
    return float(minutes) if isinstance(minutes, int | float) else math.inf


def _replicas(payload: dict[str, Any], setting: str, otherwise: int) -> int:
    asked = payload.get("compute", {}).get("scaling", {}).get(setting)
    if asked is None:
        return otherwise
    if not isinstance(asked, int) or isinstance(asked, bool) or asked < 0:
        raise BadRequest(f"compute.scaling.{setting} is a whole number, 0 or more.")
    return asked


def _scaling_of(current: Endpoint | None) -> Scaling:
    return current.compute.scaling if current else Scaling()


def _offer_of(known: Sequence[Offer], hardware_id: str) -> Offer | None:
    return next((offer for offer in known if offer.id == hardware_id), None)


def _quota_left(offer: Offer | None, replicas: int) -> int | None:
    if offer is None or offer.instance.quota is None:
        return None
    return offer.instance.quota.left - replicas * offer.instance.num_accelerators


def _hardware_warnings(offer: Offer | None, most: int) -> list[str]:
    if offer is None:
        return ["This hardware is not in the current listing: its price and availability are unknown."]
    warnings = []
    if offer.instance.status != "available":
        warnings.append(f"This hardware is listed as {offer.instance.status.replace('_', ' ')}.")
    left = _quota_left(offer, most)
    if left is not None and left < 0:
        warnings.append(f"At maximum replicas this is {-left} accelerators over the namespace's quota.")
    return warnings


def _always_on(fewest: int, offer: Offer | None) -> list[str]:
    if fewest == 0 or offer is None or not offer.price:
        return []
    return [f"It keeps {fewest} replica(s) running day and night: ${offer.price * fewest:g}/h even when idle."]


def _masked(payload: dict[str, Any]) -> dict[str, Any]:
    return {key: _masked_at(key, value) for key, value in payload.items()}


def _masked_at(path: str, value: Any) -> Any:
    if path.rpartition(".")[2] in {"secrets", "credentials"} and isinstance(value, dict):
        return dict.fromkeys(value, MASK)
    if isinstance(value, dict):
        return _masked(value)
    return value
