"""Wanted and observed state and the time give the next actions and the status to show. Pure.

Actions are steps, not a whole plan: once they are done, the question is asked again, until there are none.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from inference_endpoints.models import InferenceEndpointStatus as State
from inference_endpoints_local.engines.base import LIVE, Sighting, Stage
from inference_endpoints_local.state.record import Power, Record

ATTEMPTS = 3
"""Failures in a row after which a version is given up; the waits between them are 1, 2, 4 … seconds.

One that serves is not given up for a further replica that cannot start: that is tried again, up to once a minute.
"""
LONGEST_WAIT_S = 60.0
STEADY_S = 30.0
"""A replica that was ready this long started well: its end begins a new count of attempts."""


@dataclass(frozen=True)
class Seen:
    id: str
    generation: int
    sighting: Sighting

    @property
    def live(self) -> bool:
        return self.sighting.stage in LIVE

    @property
    def ready(self) -> bool:
        return self.sighting.stage is Stage.READY


@dataclass(frozen=True)
class Observed:
    """What is there. `attempts` are failures in a row, the last at `failed_at`; `requests` are being answered now.

    `asked` are the replicas the load asks for.
    """

    replicas: tuple[Seen, ...] = ()
    room: int = 1
    asked: int = 1
    attempts: int = 0
    failed_at: float = 0.0
    requests: int = 0
    used_at: float = 0.0


@dataclass(frozen=True)
class Launch:
    generation: int


@dataclass(frozen=True)
class Stop:
    replica: str
    drain: bool = False


@dataclass(frozen=True)
class Bury:
    """Forget a replica that ended; `attempts` is the new count of failures in a row."""

    replica: str
    attempts: int
    at: float


@dataclass(frozen=True)
class GiveUp:
    generation: int
    message: str


@dataclass(frozen=True)
class Served:
    """The version that should run does."""


@dataclass(frozen=True)
class Sleep:
    """Idle for long enough: scale to zero."""


Action = Launch | Stop | Bury | GiveUp | Served | Sleep


@dataclass(frozen=True)
class Status:
    state: State
    message: str
    error: str = ""
    ready: int = 0
    target: int = 0


@dataclass(frozen=True)
class Decision:
    """What to do now, what to show, and when to look again if nothing happens before.

    `starved`: a replica is wanted for which there is no room.
    """

    status: Status
    actions: tuple[Action, ...] = ()
    again_at: float | None = None
    starved: bool = False


def reconcile(wanted: Record, observed: Observed, now: float) -> Decision:
    status = _status(wanted, observed)
    if burials := tuple(_mourn(wanted, observed)):
        return Decision(status, burials)
    version = wanted.version
    if not wanted.on or version is None:
        return Decision(status, tuple(Stop(seen.id) for seen in observed.replicas if seen.live))
    current = [seen for seen in observed.replicas if seen.live and seen.generation == version.generation]
    others = [seen for seen in observed.replicas if seen.live and seen.generation != version.generation]
    if unfinished := tuple(Stop(seen.id) for seen in others if not seen.ready):
        return Decision(status, unfinished)
    if len(current) < status.target:
        return _start(wanted, observed, current, others, now, status)
    return _keep(wanted, observed, current, others, now, status)


def _mourn(wanted: Record, observed: Observed) -> Iterable[Action]:
    attempts, version = observed.attempts, wanted.version
    for seen in observed.replicas:
        sighting = seen.sighting
        if sighting.stage is not Stage.EXITED:
            continue
        # Ends of replicas that no longer matter are no failures of what should run.
        unexpected = bool(sighting.error) and wanted.on and version and version.generation == seen.generation
        if unexpected:
            steady = sighting.ready_at is not None and sighting.ended_at - sighting.ready_at >= STEADY_S
            attempts = 1 if steady else attempts + 1
        yield Bury(seen.id, attempts, sighting.ended_at if unexpected else observed.failed_at)
        if unexpected and (sighting.fatal or attempts >= ATTEMPTS) and not _serves(wanted, observed):
            yield GiveUp(seen.generation, sighting.error)
            return


def _serves(wanted: Record, observed: Observed) -> bool:
    """Whether the version that should run served before, and still does."""
    good, version = wanted.good, wanted.version
    if good is None or version is None or good.generation != version.generation:
        return False
    return any(seen.ready and seen.generation == good.generation for seen in observed.replicas)


def _start(
    wanted: Record, observed: Observed, current: list[Seen], others: list[Seen], now: float, status: Status
) -> Decision:
    assert wanted.version is not None
    wait = min(2.0 ** min(observed.attempts - 1, 10), LONGEST_WAIT_S) if observed.attempts else 0.0
    if now < observed.failed_at + wait:
        return Decision(status, again_at=observed.failed_at + wait)
    missing = status.target - len(current)
    if observed.room > 0:
        return Decision(status, (Launch(wanted.version.generation),) * min(missing, observed.room))
    leaving = any(seen.sighting.stage is Stage.STOPPING for seen in observed.replicas)
    if others and not leaving and all(seen.ready for seen in current):
        # No room for old and new side by side: the old gives way, one at a time.
        return Decision(status, (Stop(others[0].id, drain=True),), starved=True)
    return Decision(status, starved=True)


def _keep(
    wanted: Record, observed: Observed, current: list[Seen], others: list[Seen], now: float, status: Status
) -> Decision:
    version = wanted.version
    # Those that serve stay, of these the oldest.
    ranked = sorted(current, key=lambda seen: not seen.ready)
    kept, surplus = ranked[: status.target], ranked[status.target :]
    if not all(seen.ready for seen in kept):
        return Decision(status, tuple(Stop(seen.id, drain=True) for seen in surplus))
    actions: list[Action] = [Stop(seen.id, drain=True) for seen in (*others, *surplus)]
    if wanted.good != version:
        actions.append(Served())
    if actions or wanted.idle_s is None or observed.requests:
        return Decision(status, tuple(actions))
    ready_at = max(seen.sighting.ready_at or 0.0 for seen in current)
    asleep_at = max(observed.used_at, ready_at) + wanted.idle_s
    return Decision(status, (Sleep(),)) if now >= asleep_at else Decision(status, again_at=asleep_at)


def _status(wanted: Record, observed: Observed) -> Status:
    version = wanted.version
    if wanted.power in (Power.PAUSED, Power.GONE):
        return Status(State.PAUSED, "Endpoint is paused")
    if wanted.power is Power.ZERO:
        return Status(State.SCALED_TO_ZERO, "Endpoint is scaled to zero")
    error = wanted.failure.message if wanted.failure else ""
    target = max(wanted.least, min(observed.asked, wanted.most))
    if version is None:
        return Status(State.FAILED, "Endpoint failed to start", error, target=target)
    ready = [seen for seen in observed.replicas if seen.ready]
    current = [seen for seen in observed.replicas if seen.live and seen.generation == version.generation]
    state, message = _progress(wanted, observed, current, target)
    if wanted.update_failed:
        serving = "the version before it serves" if ready else "the version before it is being started"
        state, message = State.UPDATE_FAILED, f"Update failed; {serving}"
    return Status(state, message, error, ready=len(ready), target=target)


def _progress(wanted: Record, observed: Observed, current: list[Seen], target: int) -> tuple[State, str]:
    """The state of an endpoint that should run, and what is happening, in words for a progress line."""
    serving = [seen for seen in current if seen.ready]
    updating = wanted.good is not None and wanted.good.generation != wanted.generation
    if serving and not (updating and len(serving) < target):
        return State.RUNNING, "Endpoint is ready"
    starting = [seen for seen in current if seen.sighting.stage is Stage.STARTING]
    if starting:
        state, message = State.INITIALIZING, starting[0].sighting.message
    elif observed.attempts:
        state, message = State.INITIALIZING, f"Starting again (attempt {observed.attempts + 1} of {ATTEMPTS})"
    elif observed.room <= 0 and not current:
        state, message = State.PENDING, "Endpoint waiting to be scheduled: no core is free"
    else:
        state, message = State.PENDING, "Endpoint waiting to be scheduled"
    if updating:
        return State.UPDATING, message
    return State.INITIALIZING if wanted.power is Power.WOKEN else state, message
