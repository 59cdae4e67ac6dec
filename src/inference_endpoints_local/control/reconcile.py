"""Computes the next actions and the status to show, from the wanted state, the observed state and the time. Pure.

Actions are steps, not a whole plan: after applying them, the caller reconciles again until there are none.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from inference_endpoints.models import InferenceEndpointStatus as State
from inference_endpoints_local.engines.engine import ALIVE, LOADING, NOT_SCHEDULED, ReplicaStage, ReplicaState
from inference_endpoints_local.state.record import EndpointRecord, PowerState

MAX_ATTEMPTS = 3
"""Consecutive failures after which a version is given up. The back-off between them is 1, 2, 4 … seconds.

A version that serves is not given up for an additional replica that cannot start: that one is retried, at last once a
minute.
"""
MAX_BACKOFF_S = 60.0
STABLE_AFTER_S = 30.0
"""The end of a replica that was ready this long begins a new count of attempts."""


@dataclass(frozen=True)
class ObservedReplica:
    id: str
    generation: int
    state: ReplicaState

    @property
    def alive(self) -> bool:
        return self.state.stage in ALIVE

    @property
    def ready(self) -> bool:
        return self.state.stage is ReplicaStage.READY


@dataclass(frozen=True)
class ObservedState:
    """The observed facts. `attempts` are consecutive failures, the last at `failed_at`; `requests` are in flight.

    `free_replicas` is how many further replicas could start, `no_capacity_reason` why none can; `replicas_for_load` is
    how many the load requires.
    """

    replicas: tuple[ObservedReplica, ...] = ()
    free_replicas: int = 1
    no_capacity_reason: str = ""
    replicas_for_load: int = 1
    attempts: int = 0
    failed_at: float = 0.0
    requests: int = 0
    last_request_at: float = 0.0


@dataclass(frozen=True)
class Launch:
    generation: int


@dataclass(frozen=True)
class Stop:
    replica_id: str
    drain: bool = False


@dataclass(frozen=True)
class Reap:
    """Remove a replica that ended. `attempts` is the new count of consecutive failures."""

    replica_id: str
    attempts: int
    at: float


@dataclass(frozen=True)
class GiveUp:
    generation: int
    message: str


@dataclass(frozen=True)
class MarkServed:
    """Record that the current version serves."""


@dataclass(frozen=True)
class ScaleToZero:
    """Scale to zero, as the endpoint was idle for its time-out."""


ReconcileAction = Launch | Stop | Reap | GiveUp | MarkServed | ScaleToZero


@dataclass(frozen=True)
class ReportedStatus:
    state: State
    message: str
    error: str = ""
    ready: int = 0
    target: int = 0


@dataclass(frozen=True)
class Reconciliation:
    """What to do now, what to show, and when to reconcile again if nothing happens before.

    `lacks_capacity`: no further wanted replica can start.
    """

    status: ReportedStatus
    actions: tuple[ReconcileAction, ...] = ()
    recheck_at: float | None = None
    lacks_capacity: bool = False


def reconcile(wanted: EndpointRecord, observed: ObservedState, now: float) -> Reconciliation:
    status = _status(wanted, observed)
    if reaped := tuple(_reap(wanted, observed)):
        return Reconciliation(status, reaped)
    version = wanted.version
    if not wanted.is_on or version is None:
        return Reconciliation(status, tuple(Stop(replica.id) for replica in observed.replicas if replica.alive))
    current = [replica for replica in observed.replicas if replica.alive and replica.generation == version.generation]
    others = [replica for replica in observed.replicas if replica.alive and replica.generation != version.generation]
    if unfinished := tuple(Stop(replica.id) for replica in others if not replica.ready):
        return Reconciliation(status, unfinished)
    if len(current) < status.target:
        return _launch_missing(wanted, observed, current, others, now, status)
    return _maintain(wanted, observed, current, others, now, status)


def _reap(wanted: EndpointRecord, observed: ObservedState) -> Iterable[ReconcileAction]:
    attempts, version = observed.attempts, wanted.version
    for replica in observed.replicas:
        state = replica.state
        if state.stage is not ReplicaStage.EXITED:
            continue
        # The end of a stopped replica, or of one of another version, is no failure of the current version.
        unexpected = bool(state.error) and wanted.is_on and version and version.generation == replica.generation
        if unexpected:
            was_stable = state.ready_at is not None and state.ended_at - state.ready_at >= STABLE_AFTER_S
            attempts = 1 if was_stable else attempts + 1
        yield Reap(replica.id, attempts, state.ended_at if unexpected else observed.failed_at)
        if unexpected and (state.fatal or attempts >= MAX_ATTEMPTS) and not _is_serving(wanted, observed):
            yield GiveUp(replica.generation, state.error)
            return


def _is_serving(wanted: EndpointRecord, observed: ObservedState) -> bool:
    """Whether the current version served before, and still does."""
    good, version = wanted.good, wanted.version
    if good is None or version is None or good.generation != version.generation:
        return False
    return any(replica.ready and replica.generation == good.generation for replica in observed.replicas)


def _launch_missing(
    wanted: EndpointRecord,
    observed: ObservedState,
    current: list[ObservedReplica],
    others: list[ObservedReplica],
    now: float,
    status: ReportedStatus,
) -> Reconciliation:
    assert wanted.version is not None
    wait = min(2.0 ** min(observed.attempts - 1, 10), MAX_BACKOFF_S) if observed.attempts else 0.0
    if now < observed.failed_at + wait:
        return Reconciliation(status, recheck_at=observed.failed_at + wait)
    missing = status.target - len(current)
    if observed.free_replicas > 0:
        return Reconciliation(status, (Launch(wanted.version.generation),) * min(missing, observed.free_replicas))
    leaving = any(replica.state.stage is ReplicaStage.STOPPING for replica in observed.replicas)
    if others and not leaving and all(replica.ready for replica in current):
        # No room for old and new replicas side by side: stop the old ones, one at a time.
        return Reconciliation(status, (Stop(others[0].id, drain=True),), lacks_capacity=True)
    return Reconciliation(status, lacks_capacity=True)


def _maintain(
    wanted: EndpointRecord,
    observed: ObservedState,
    current: list[ObservedReplica],
    others: list[ObservedReplica],
    now: float,
    status: ReportedStatus,
) -> Reconciliation:
    version = wanted.version
    # Ready replicas are kept first, and of these the oldest.
    ranked = sorted(current, key=lambda replica: not replica.ready)
    kept, surplus = ranked[: status.target], ranked[status.target :]
    if not all(replica.ready for replica in kept):
        return Reconciliation(status, tuple(Stop(replica.id, drain=True) for replica in surplus))
    actions: list[ReconcileAction] = [Stop(replica.id, drain=True) for replica in (*others, *surplus)]
    if wanted.good != version:
        actions.append(MarkServed())
    if actions or wanted.idle_timeout_s is None or observed.requests:
        return Reconciliation(status, tuple(actions))
    ready_at = max(replica.state.ready_at or 0.0 for replica in current)
    scale_to_zero_at = max(observed.last_request_at, ready_at) + wanted.idle_timeout_s
    return (
        Reconciliation(status, (ScaleToZero(),))
        if now >= scale_to_zero_at
        else Reconciliation(status, recheck_at=scale_to_zero_at)
    )


def _status(wanted: EndpointRecord, observed: ObservedState) -> ReportedStatus:
    version = wanted.version
    if wanted.power in (PowerState.PAUSED, PowerState.DELETED):
        return ReportedStatus(State.PAUSED, "Endpoint is paused")
    if wanted.power is PowerState.SCALED_TO_ZERO:
        return ReportedStatus(State.SCALED_TO_ZERO, "Endpoint is scaled to zero")
    error = wanted.failure.message if wanted.failure else ""
    target = max(wanted.min_replicas, min(observed.replicas_for_load, wanted.max_replicas))
    if version is None:
        return ReportedStatus(State.FAILED, "Endpoint failed to start", error, target=target)
    ready = [replica for replica in observed.replicas if replica.ready]
    current = [replica for replica in observed.replicas if replica.alive and replica.generation == version.generation]
    state, message = _progress(wanted, observed, current, target)
    if wanted.update_failed:
        serving = "the previous version serves" if ready else "the previous version is starting"
        state, message = State.UPDATE_FAILED, f"Update failed; {serving}"
    return ReportedStatus(state, message, error, ready=len(ready), target=target)


def _progress(
    wanted: EndpointRecord, observed: ObservedState, current: list[ObservedReplica], target: int
) -> tuple[State, str]:
    """The state of an endpoint that should run, and a message about its progress."""
    serving = [replica for replica in current if replica.ready]
    updating = wanted.good is not None and wanted.good.generation != wanted.generation
    if serving and not (updating and len(serving) < target):
        return State.RUNNING, "Endpoint is ready"
    starting = [replica for replica in current if replica.state.stage in LOADING]
    if starting:
        state, message = State.INITIALIZING, starting[0].state.message
    elif observed.attempts:
        state, message = State.INITIALIZING, f"Starting again (attempt {observed.attempts + 1} of {MAX_ATTEMPTS})"
    elif observed.free_replicas <= 0 and not current:
        state, message = State.PENDING, f"{NOT_SCHEDULED}: {observed.no_capacity_reason}"
    else:
        waiting = (replica.state.message for replica in current)
        state, message = State.PENDING, next(filter(None, waiting), NOT_SCHEDULED)
    if updating:
        return State.UPDATING, message
    return State.INITIALIZING if wanted.power is PowerState.WOKEN else state, message
