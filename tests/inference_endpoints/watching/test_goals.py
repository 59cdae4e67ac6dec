"""What an observation of an endpoint means for a wait."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from inference_endpoints.models import Endpoint
from inference_endpoints.watching.goals import Evaluation, Goal, Reachability, evaluate

REACHED, REACHABLE, UNREACHABLE = Reachability.REACHED, Reachability.REACHABLE, Reachability.UNREACHABLE
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)

OUTCOMES = {
    Goal.RUNNING: {
        "pending": REACHABLE,
        "initializing": REACHABLE,
        "updating": REACHABLE,
        "running": REACHED,
        "updateFailed": UNREACHABLE,
        "failed": UNREACHABLE,
        "paused": UNREACHABLE,
        "scaledToZero": UNREACHABLE,
        "hibernating": REACHABLE,
    },
    Goal.UPDATED: {
        "pending": REACHABLE,
        "updating": REACHABLE,
        "running": REACHED,
        "updateFailed": UNREACHABLE,
        "paused": UNREACHABLE,
        "scaledToZero": UNREACHABLE,
    },
    Goal.PAUSED: {"running": REACHABLE, "paused": REACHED, "failed": UNREACHABLE, "scaledToZero": REACHABLE},
    Goal.SCALED_TO_ZERO: {"running": REACHABLE, "paused": UNREACHABLE, "failed": UNREACHABLE, "scaledToZero": REACHED},
    Goal.DELETED: {"running": REACHABLE, "paused": REACHABLE, "failed": REACHABLE, "scaledToZero": REACHABLE},
}


def endpoint(state: str, updated_at: datetime = NOW) -> Endpoint:
    return Endpoint.model_validate(
        {"name": "chat", "status": {"state": state, "updatedAt": updated_at.isoformat(), "url": "http://x"}}
    )


@pytest.mark.parametrize(
    ("goal", "state", "reachability"),
    [(goal, state, reachability) for goal, outcomes in OUTCOMES.items() for state, reachability in outcomes.items()],
)
def test_a_goal_is_reached_reachable_or_unreachable_in_every_state(
    goal: Goal, state: str, reachability: Reachability
) -> None:
    evaluation = evaluate(goal, endpoint(state))
    assert evaluation.reachability is reachability
    assert bool(evaluation.reason) is (reachability is UNREACHABLE)


@pytest.mark.parametrize("goal", Goal)
def test_a_missing_endpoint_reaches_no_goal_but_deleted(goal: Goal) -> None:
    assert evaluate(goal, None).reachability is (REACHED if goal is Goal.DELETED else UNREACHABLE)


@pytest.mark.parametrize("goal", [Goal.RUNNING, Goal.UPDATED])
def test_an_unhealthy_endpoint_is_not_yet_running(goal: Goal) -> None:
    assert evaluate(goal, endpoint("running"), healthy=False) == Evaluation(REACHABLE)


@pytest.mark.parametrize("state", ["running", "paused", "failed", "scaledToZero"])
@pytest.mark.parametrize("goal", [Goal.RUNNING, Goal.UPDATED, Goal.PAUSED])
def test_a_state_from_before_our_own_change_decides_nothing(goal: Goal, state: str) -> None:
    older = endpoint(state, NOW - timedelta(microseconds=1))
    assert evaluate(goal, older, changed_at=NOW) == Evaluation(REACHABLE)


@pytest.mark.parametrize("seen", [NOW, NOW + timedelta(seconds=1)])
def test_a_state_as_new_as_our_change_counts(seen: datetime) -> None:
    assert evaluate(Goal.RUNNING, endpoint("failed", seen), changed_at=NOW).reachability is UNREACHABLE


def test_a_state_without_a_time_counts() -> None:
    document: dict[str, Any] = {"name": "chat", "status": {"state": "failed"}}
    assert evaluate(Goal.RUNNING, Endpoint.model_validate(document), changed_at=NOW).reachability is UNREACHABLE
