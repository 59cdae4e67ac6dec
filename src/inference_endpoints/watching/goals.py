"""What a wait is for, and whether an endpoint has reached it, can still reach it, or cannot."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum

from inference_endpoints.models import Endpoint
from inference_endpoints.models.status import InferenceEndpointStatus as State


class Goal(StrEnum):
    """The state a wait is for. RUNNING and UPDATED need a healthy endpoint.

    UPDATED needs the last configuration to run: during a rolling update the endpoint still runs the one before.

    >>> Goal.SCALED_TO_ZERO.needs_health
    False
    """

    RUNNING = "running"
    UPDATED = "updated"
    PAUSED = "paused"
    SCALED_TO_ZERO = "scaled_to_zero"
    DELETED = "deleted"

    @property
    def needs_health(self) -> bool:
        """Whether the endpoint's health route must answer."""
        return self in {Goal.RUNNING, Goal.UPDATED}


class Reachability(Enum):
    REACHED = "reached"
    REACHABLE = "reachable"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Evaluation:
    """`reason` completes a sentence about the endpoint: "… it is paused"."""

    reachability: Reachability
    reason: str = ""


REACHED = Evaluation(Reachability.REACHED)
REACHABLE = Evaluation(Reachability.REACHABLE)

_STATE_OF = {
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
    State.PAUSED: "it is paused until it is resumed",
    State.SCALED_TO_ZERO: "it is scaled to zero until it is called or resumed",
}


def evaluate(
    goal: Goal, endpoint: Endpoint | None, *, healthy: bool = True, changed_at: datetime | None = None
) -> Evaluation:
    """Evaluate one observation of an endpoint; None means that the endpoint does not exist.

    `changed_at` is the service's time of our own last change. A state older than that decides nothing.
    """
    if endpoint is None:
        return REACHED if goal is Goal.DELETED else Evaluation(Reachability.UNREACHABLE, "it does not exist")
    if endpoint.status.is_older_than(changed_at):
        return REACHABLE
    state = endpoint.state
    if state == _STATE_OF.get(goal):
        return REACHED if healthy or not goal.needs_health else REACHABLE
    if goal is Goal.DELETED:
        return REACHABLE
    reason = _FAILURES.get(state) or (_STOPPED.get(state) if goal is not Goal.PAUSED else None)
    return Evaluation(Reachability.UNREACHABLE, reason) if reason else REACHABLE
