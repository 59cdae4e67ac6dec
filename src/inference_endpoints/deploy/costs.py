"""Pure: what endpoints cost, how long they have stood idle, and which change would save how much.

No billing API exists: all of it follows from published prices, replicas and when an endpoint was last called.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from inference_endpoints.deploy.hardware import Offer, Prices, comparable_offers, offers
from inference_endpoints.deploy.recommend import GB, needed_gb
from inference_endpoints.models import Endpoint, Vendors
from inference_endpoints.models.hub import weight_bytes_by_name
from inference_endpoints.models.status import InferenceEndpointStatus as Status
from inference_endpoints.transport import operations
from inference_endpoints.transport.operations import Operation

IDLE = timedelta(hours=1)
"""From then on an endpoint that could sleep is worth a word."""
FORGOTTEN = timedelta(days=7)
"""From then on one that nobody will miss, and that no stray call should wake."""
GOOD_TIMEOUT_MIN = 15
LONG_TIMEOUT_MIN = 60

Per = Literal["hour", "idle stretch"]


@dataclass(frozen=True)
class Saving:
    """A change that costs less: `usd` for every hour, or for every time the endpoint falls idle."""

    operation: Operation[Any]
    usd: float
    why: str
    settings: dict[str, Any] = field(default_factory=dict)
    per: Per = "hour"


@dataclass(frozen=True)
class Cost:
    """USD per hour of one endpoint, now and with all replicas it may have; None where no price is published.

    `idle` is the time since it was last called, or last changed if it never was; None unless it is billed now.
    """

    endpoint: Endpoint
    now: float | None
    at_most: float | None
    idle: timedelta | None
    saving: Saving | None


def cost_of(endpoint: Endpoint, vendors: Vendors, at: datetime) -> Cost:
    """What an endpoint costs at a moment, in USD per hour, and the change that would save most.

    >>> from datetime import UTC, datetime, timedelta
    >>> client = EndpointsClient()
    >>> cost = cost_of(client.get("chat"), client.hardware(), datetime.now(UTC) + timedelta(days=8))
    >>> print(cost.now, cost.saving.operation.name, cost.saving.usd, cost.saving.why)
    0.8 pause_endpoint 0.8 nobody has called it for 8 days
    """
    prices = Prices(vendors)
    now = prices.now(endpoint)
    idle = _idle(endpoint, at)
    saving = None
    if now and idle is not None:
        found = (rule(endpoint, now, idle) for rule in _RULES)
        told = (one for one in (*found, _oversized(endpoint, offers(vendors))) if one is not None)
        saving = next(told, None)
    return Cost(endpoint, now, _at_most(endpoint, prices), idle, saving)


def _last_sign(endpoint: Endpoint) -> datetime | None:
    status = endpoint.status
    return max((seen for seen in (status.last_used_at, status.updated_at) if seen), default=status.created_at)


def _idle(endpoint: Endpoint, at: datetime) -> timedelta | None:
    seen = _last_sign(endpoint)
    if seen is None or not endpoint.state.billed:
        return None
    return max(at - seen, timedelta(0))  # the control plane's clock may be ahead of ours


def _at_most(endpoint: Endpoint, prices: Prices) -> float | None:
    """What stands still until somebody starts it can cost nothing."""
    if endpoint.state in {Status.PAUSED, Status.FAILED}:
        return 0.0
    replica = prices.replica(endpoint)
    return None if replica is None else replica * max(endpoint.compute.scaling.max_replica, 1)


def _forgotten(endpoint: Endpoint, now: float, idle: timedelta) -> Saving | None:
    if endpoint.state is not Status.RUNNING or idle < FORGOTTEN:
        return None
    return Saving(operations.PAUSE, now, f"nobody has called it for {_spoken(idle)}")


def _kept_awake(endpoint: Endpoint, now: float, idle: timedelta) -> Saving | None:
    kept = endpoint.compute.scaling.min_replica
    if endpoint.state is not Status.RUNNING or idle < IDLE or not kept:
        return None
    why = f"min_replica={kept} keeps it running, and nobody has called it for {_spoken(idle)}; a call would wake it"
    settings = {"min_replica": 0, "scale_to_zero_timeout": GOOD_TIMEOUT_MIN}
    return Saving(operations.UPDATE, now, why, settings)


def _idle_but_awake(endpoint: Endpoint, now: float, idle: timedelta) -> Saving | None:
    if endpoint.state is not Status.RUNNING or idle < IDLE:
        return None
    why = f"nobody has called it for {_spoken(idle)}; the next call wakes it"
    return Saving(operations.SCALE_TO_ZERO, now, why)


def _slow_to_sleep(endpoint: Endpoint, now: float, idle: timedelta) -> Saving | None:
    scaling = endpoint.compute.scaling
    timeout = scaling.scale_to_zero_timeout
    if scaling.min_replica or timeout is None or timeout < LONG_TIMEOUT_MIN:
        return None
    why = f"it is billed for {timeout} idle minutes before it sleeps; {GOOD_TIMEOUT_MIN} do"
    wasted = now * (timeout - GOOD_TIMEOUT_MIN) / 60
    settings = {"scale_to_zero_timeout": GOOD_TIMEOUT_MIN}
    return Saving(operations.UPDATE, wasted, why, settings, per="idle stretch")


def _oversized(endpoint: Endpoint, listed: Sequence[Offer]) -> Saving | None:
    """Cheaper hardware of the same kind and place that would hold the model as well, going by the size in its name.

    Never with another number of accelerators: the engine would have to be told.
    """
    own = next((offer for offer in listed if offer.id == endpoint.hardware), None)
    weight = weight_bytes_by_name(endpoint.model.repository)
    if own is None or weight is None or endpoint.state is not Status.RUNNING or not own.price:
        return None
    need = needed_gb(weight / GB, endpoint.model.task)
    cheaper = [
        offer
        for offer in comparable_offers(listed, own, same_region=True)
        if offer.instance.num_accelerators == own.instance.num_accelerators
        and offer.price
        and offer.price < own.price
        and offer.memory_gb >= need
    ]
    if not cheaper:
        return None
    best = cheaper[0]
    replicas = max(endpoint.status.target_replica, endpoint.status.ready_replica, 1)
    why = (
        f"it needs about {need:.3g} GB, going by its name: {best.id} has {best.memory_gb:g} GB for ${best.price:g}/h, "
        f"this one {own.memory_gb:g} GB for ${own.price:g}/h"
    )
    return Saving(operations.UPDATE, (own.price - (best.price or 0.0)) * replicas, why, {"hardware": best.id})


def _spoken(idle: timedelta) -> str:
    hours = int(idle.total_seconds() // 3600)
    return f"{hours // 24} days" if hours >= 48 else f"{hours} h"


Rule = Callable[[Endpoint, float, timedelta], Saving | None]

_RULES: tuple[Rule, ...] = (_forgotten, _kept_awake, _idle_but_awake, _slow_to_sleep)
"""The first that fits is told; where none does, smaller hardware, if it would do."""
