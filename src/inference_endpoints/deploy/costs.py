"""Pure: what endpoints cost, how long they are idle, and which change saves how much.

No billing API exists. All of it follows from published prices, replicas and the time of the last call.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal

from inference_endpoints.deploy.offers import Offer, comparable_offers, find_offer, list_offers
from inference_endpoints.deploy.prices import Prices, to_money
from inference_endpoints.deploy.sizing.known_model import KnownModel
from inference_endpoints.engines.model_config import NotComputable
from inference_endpoints.models import (
    DEFAULT_SCALE_TO_ZERO_TIMEOUT_MIN,
    Endpoint,
    HardwareListing,
    format_duration,
    rfc3339,
)
from inference_endpoints.models.status import InferenceEndpointStatus as State
from inference_endpoints.transport import operations
from inference_endpoints.transport.operations import Operation

IDLE = timedelta(hours=1)
"""An endpoint that is idle for longer should scale to zero."""
UNUSED = timedelta(days=7)
"""An endpoint that is idle for longer should be paused, so that no accidental call wakes it."""
BROKEN = timedelta(hours=1)
"""A start that takes longer will not end: the longest measured ones take twenty minutes."""
LONG_TIMEOUT_MIN = 60

Per = Literal["hour", "idle stretch"]


@dataclass(frozen=True)
class MeasuredRequests:
    """When an endpoint was called last, by its metrics, which begin at `since`; None if not since then.

    The service's own `lastUsedAt` also counts when it began to run.
    """

    since: datetime
    last: datetime | None = None


SavingName = Literal["broken", "unused", "kept_awake", "idle", "long_timeout", "oversized"]


@dataclass(frozen=True)
class Saving:
    """A change that saves `usd` every hour, or each time the endpoint becomes idle. `rule` names why."""

    rule: SavingName
    operation: Operation[Any]
    usd: float
    why: str
    settings: dict[str, Any] = field(default_factory=dict)
    per: Per = "hour"


@dataclass(frozen=True)
class EndpointCost:
    """USD per hour of one endpoint, now and at its maximum of replicas; None where no price is published.

    `idle` is the time since the last call; None unless the endpoint is billed now.
    """

    endpoint: Endpoint
    now: float | None
    at_most: float | None
    idle: timedelta | None
    saving: Saving | None


def cost_of(
    endpoint: Endpoint, listing: HardwareListing, at: datetime, requests: MeasuredRequests | None = None
) -> EndpointCost:
    """What an endpoint costs at a moment, in USD per hour, and the change that saves most. `requests` are its calls,
    where they were measured.

    >>> from datetime import UTC, datetime, timedelta
    >>> client = EndpointsClient()
    >>> cost = cost_of(client.get("chat"), client.hardware(), datetime.now(UTC) + timedelta(days=8))
    >>> print(cost.now, cost.saving.operation.name, cost.saving.usd, cost.saving.why)
    0.8 pause_endpoint 0.8 nobody has called it for 8 days
    """
    return Costs(listing).of(endpoint, at, requests)


class Costs:
    """What many endpoints cost on the hardware of one listing, which is read once for all of them."""

    def __init__(self, listing: HardwareListing) -> None:
        self.prices = Prices(listing)
        self._listing = listing

    @cached_property
    def _offers(self) -> list[Offer]:
        return list_offers(self._listing)

    def of(self, endpoint: Endpoint, at: datetime, requests: MeasuredRequests | None = None) -> EndpointCost:
        """As `cost_of`."""
        now = self.prices.now(endpoint)
        idle = idle_time(endpoint, at, requests) if endpoint.state.billed else None
        saving = None
        if now and idle is not None:
            saving = next((one for one in self._savings(endpoint, now, idle, at) if one is not None), None)
            if saving is not None and requests is not None and saving.rule in {"unused", "kept_awake", "idle"}:
                saving = replace(saving, why=f"{saving.why}{_by_metrics(requests)}")
        return EndpointCost(endpoint, now, _at_most(endpoint, self.prices), idle, saving)

    def _savings(self, endpoint: Endpoint, now: float, idle: timedelta, at: datetime) -> Iterator[Saving | None]:
        """Those that come first exclude the others. Each is computed when it is needed."""
        yield _pause_broken(endpoint, now, at)
        for rule in _RULES:
            yield rule(endpoint, now, idle)
        yield _smaller_hardware(endpoint, self._offers)


def idle_time(endpoint: Endpoint, at: datetime, requests: MeasuredRequests | None = None) -> timedelta | None:
    """The time since its last call, whatever its state; None if nothing is known. What the service counts as use, or
    where it knows none its last change, is the shortest that this can be; metrics may show that it is longer."""
    status = endpoint.status
    known = status.last_used_at or status.updated_at or status.created_at
    if requests is not None:
        measured = requests.last or requests.since
        measured = max(measured, status.created_at) if status.created_at else measured
        known = min(known, measured) if known else measured
    return None if known is None else max(at - known, timedelta(0))


def _by_metrics(requests: MeasuredRequests) -> str:
    if requests.last is not None:
        return " (by its metrics)"
    return f" (no request in its metrics; no data before {rfc3339(requests.since, 'minutes')})"


def _at_most(endpoint: Endpoint, prices: Prices) -> float | None:
    """USD per hour at the maximum of replicas; 0 for a paused or failed endpoint, which only a person can start."""
    if endpoint.state in {State.PAUSED, State.FAILED}:
        return 0.0
    replica = prices.replica(endpoint)
    return to_money(None if replica is None else replica * max(endpoint.compute.scaling.max_replica, 1))


def _pause_broken(endpoint: Endpoint, now: float, at: datetime) -> Saving | None:
    """It is billed, and nothing answers: an update failed, or it has been starting for longer than any start takes."""
    if endpoint.status.ready_replica or endpoint.state is State.RUNNING:
        return None
    changed = endpoint.status.updated_at
    if endpoint.state is State.UPDATE_FAILED:
        return Saving("broken", operations.PAUSE, now, "its update failed, no replica is ready, and it may be billed")
    if changed is None or at - changed < BROKEN:
        return None
    since = format_duration((at - changed).total_seconds())
    return Saving("broken", operations.PAUSE, now, f"it has been starting for {since}, and no replica is ready")


def _pause_unused(endpoint: Endpoint, now: float, idle: timedelta) -> Saving | None:
    if endpoint.state is not State.RUNNING or idle < UNUSED:
        return None
    return Saving("unused", operations.PAUSE, now, _describe_idle(idle))


def _stop_keeping_replicas(endpoint: Endpoint, now: float, idle: timedelta) -> Saving | None:
    kept = endpoint.compute.scaling.min_replica
    if endpoint.state is not State.RUNNING or idle < IDLE or not kept:
        return None
    why = f"min_replica={kept} keeps it running, and {_describe_idle(idle)}; a call can wake it"
    settings = {"min_replica": 0, "scale_to_zero_timeout": DEFAULT_SCALE_TO_ZERO_TIMEOUT_MIN}
    return Saving("kept_awake", operations.UPDATE, now, why, settings)


def _scale_idle_to_zero(endpoint: Endpoint, now: float, idle: timedelta) -> Saving | None:
    if endpoint.state is not State.RUNNING or idle < IDLE:
        return None
    why = f"{_describe_idle(idle)}; the next call wakes it"
    return Saving("idle", operations.SCALE_TO_ZERO, now, why)


def _shorten_timeout(endpoint: Endpoint, now: float, idle: timedelta) -> Saving | None:
    scaling = endpoint.compute.scaling
    timeout = scaling.scale_to_zero_timeout
    if scaling.min_replica or timeout is None or timeout < LONG_TIMEOUT_MIN:
        return None
    enough = DEFAULT_SCALE_TO_ZERO_TIMEOUT_MIN
    why = f"it is billed for {timeout} idle minutes before it scales to zero; {enough} are enough"
    wasted = now * (timeout - enough) / 60
    settings = {"scale_to_zero_timeout": enough}
    return Saving("long_timeout", operations.UPDATE, wasted, why, settings, per="idle stretch")


def _smaller_hardware(endpoint: Endpoint, listed: Sequence[Offer]) -> Saving | None:
    """Cheaper hardware of the same kind and region that also holds the model, by the size in the model's name.

    The number of accelerators stays: another number needs other settings of the engine.
    """
    own = find_offer(listed, endpoint.hardware_id)
    if own is None:
        return None
    memory = KnownModel(endpoint.model.repository).memory(endpoint.model, own.accelerators)
    if isinstance(memory, NotComputable) or endpoint.state is not State.RUNNING or not own.price:
        return None
    need = memory.to_choose_gb
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
        f"the model needs about {need:.3g} GB (estimated from its name); "
        f"{best.id} has {best.memory_gb:g} GB for ${best.price:g}/h, "
        f"the current hardware has {own.memory_gb:g} GB for ${own.price:g}/h"
    )
    return Saving(
        "oversized", operations.UPDATE, (own.price - (best.price or 0.0)) * replicas, why, {"hardware": best.id}
    )


def _describe_idle(idle: timedelta) -> str:
    return f"nobody has called it for {format_duration(idle.total_seconds())}"


SavingRule = Callable[[Endpoint, float, timedelta], Saving | None]

_RULES: tuple[SavingRule, ...] = (
    _pause_unused,
    _stop_keeping_replicas,
    _scale_idle_to_zero,
    _shorten_timeout,
)
"""The first rule that applies wins; smaller hardware comes last."""
