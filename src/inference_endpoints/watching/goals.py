"""Pure: given where an endpoint stands and what is waited for, is it reached, still possible, or never to be?"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum

from inference_endpoints.models import Endpoint
from inference_endpoints.models.status import InferenceEndpointStatus as State


class Goal(StrEnum):
    """What a wait is for. RUNNING includes an answer of the health route; UPDATED is that of the configuration last
    asked for: a rolling update serves from the one before it until then."""

    RUNNING = "running"
    UPDATED = "updated"
    PAUSED = "paused"
    SCALED_TO_ZERO = "scaled_to_zero"
    DELETED = "deleted"

    @property
    def serves(self) -> bool:
        """Whether only an endpoint that answers its health route has reached it."""
        return self in {Goal.RUNNING, Goal.UPDATED}


class Prospect(Enum):
    REACHED = "reached"
    POSSIBLE = "possible"
    NEVER = "never"


@dataclass(frozen=True)
class Judgement:
    """`why` completes a sentence about the endpoint: "… it was paused"."""

    prospect: Prospect
    why: str = ""


POSSIBLE = Judgement(Prospect.POSSIBLE)
REACHED = Judgement(Prospect.REACHED)

_ARRIVED = {
    Goal.RUNNING: State.RUNNING,
    Goal.UPDATED: State.RUNNING,
    Goal.PAUSED: State.PAUSED,
    Goal.SCALED_TO_ZERO: State.SCALED_TO_ZERO,
}
_FAILURES = {
    State.FAILED: "it failed to deploy",
    State.UPDATE_FAILED: "its last update failed",
}
_STOPPED = {
    State.PAUSED: "it is paused and stays so until it is resumed",
    State.SCALED_TO_ZERO: "it is scaled to zero and wakes when it is called or resumed",
}


def judge(
    goal: Goal, endpoint: Endpoint | None, *, healthy: bool = True, changed_at: datetime | None = None
) -> Judgement:
    """Judge one look at an endpoint; None means it does not exist.

    `changed_at` is the service's time of our own last change: an older state says nothing about the future.
    """
    if endpoint is None:
        return REACHED if goal is Goal.DELETED else Judgement(Prospect.NEVER, "it does not exist")
    if _is_older(endpoint, changed_at):
        return POSSIBLE
    state = endpoint.state
    if state == _ARRIVED.get(goal):
        return REACHED if healthy or not goal.serves else POSSIBLE
    if goal is Goal.DELETED:
        return POSSIBLE
    why = _FAILURES.get(state) or (_STOPPED.get(state) if goal is not Goal.PAUSED else None)
    if goal is Goal.SCALED_TO_ZERO and state is State.SCALED_TO_ZERO:
        why = None
    return Judgement(Prospect.NEVER, why) if why else POSSIBLE


def _is_older(endpoint: Endpoint, changed_at: datetime | None) -> bool:
    seen = endpoint.status.updated_at
    return changed_at is not None and seen is not None and seen < changed_at
