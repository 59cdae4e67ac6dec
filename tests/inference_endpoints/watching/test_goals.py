"""What a look at an endpoint means for whoever waits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from inference_endpoints.models import Endpoint
from inference_endpoints.watching.goals import Goal, Judgement, Prospect, judge

REACHED, POSSIBLE, NEVER = Prospect.REACHED, Prospect.POSSIBLE, Prospect.NEVER
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)

OUTCOMES = {
    Goal.RUNNING: {
        "pending": POSSIBLE,
        "initializing": POSSIBLE,
        "updating": POSSIBLE,
        "running": REACHED,
        "updateFailed": NEVER,
        "failed": NEVER,
        "paused": NEVER,
        "scaledToZero": NEVER,
        "hibernating": POSSIBLE,
    },
    Goal.UPDATED: {
        "pending": POSSIBLE,
        "updating": POSSIBLE,
        "running": REACHED,
        "updateFailed": NEVER,
        "paused": NEVER,
        "scaledToZero": NEVER,
    },
    Goal.PAUSED: {"running": POSSIBLE, "paused": REACHED, "failed": NEVER, "scaledToZero": POSSIBLE},
    Goal.SCALED_TO_ZERO: {"running": POSSIBLE, "paused": NEVER, "failed": NEVER, "scaledToZero": REACHED},
    Goal.DELETED: {"running": POSSIBLE, "paused": POSSIBLE, "failed": POSSIBLE, "scaledToZero": POSSIBLE},
}


def endpoint(state: str, updated_at: datetime = NOW) -> Endpoint:
    return Endpoint.model_validate(
        {"name": "chat", "status": {"state": state, "updatedAt": updated_at.isoformat(), "url": "http://x"}}
    )


@pytest.mark.parametrize(
    ("goal", "state", "prospect"),
    [(goal, state, prospect) for goal, outcomes in OUTCOMES.items() for state, prospect in outcomes.items()],
)
def test_every_state_is_reached_possible_or_never_for_a_goal(goal: Goal, state: str, prospect: Prospect) -> None:
    judgement = judge(goal, endpoint(state))
    assert judgement.prospect is prospect
    assert bool(judgement.why) is (prospect is NEVER)


@pytest.mark.parametrize("goal", Goal)
def test_what_does_not_exist_is_deleted_and_nothing_else(goal: Goal) -> None:
    assert judge(goal, None).prospect is (REACHED if goal is Goal.DELETED else NEVER)


@pytest.mark.parametrize("goal", [Goal.RUNNING, Goal.UPDATED])
def test_running_without_an_answer_of_the_health_route_is_not_yet_running(goal: Goal) -> None:
    assert judge(goal, endpoint("running"), healthy=False) == Judgement(POSSIBLE)


@pytest.mark.parametrize("state", ["running", "paused", "failed", "scaledToZero"])
@pytest.mark.parametrize("goal", [Goal.RUNNING, Goal.UPDATED, Goal.PAUSED])
def test_a_state_from_before_our_own_change_says_nothing(goal: Goal, state: str) -> None:
    older = endpoint(state, NOW - timedelta(microseconds=1))
    assert judge(goal, older, changed_at=NOW) == Judgement(POSSIBLE)


@pytest.mark.parametrize("seen", [NOW, NOW + timedelta(seconds=1)])
def test_a_state_as_new_as_our_change_counts(seen: datetime) -> None:
    assert judge(Goal.RUNNING, endpoint("failed", seen), changed_at=NOW).prospect is NEVER


def test_a_state_without_a_time_counts() -> None:
    document: dict[str, Any] = {"name": "chat", "status": {"state": "failed"}}
    assert judge(Goal.RUNNING, Endpoint.model_validate(document), changed_at=NOW).prospect is NEVER
