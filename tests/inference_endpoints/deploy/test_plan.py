"""An intent and the facts give a plan, before anything is sent."""

import re
from functools import partial
from typing import Any

import pytest

from inference_endpoints.deploy.plan import plan_create, plan_state_change, plan_update, plan_wake
from inference_endpoints.deploy.request_validation import validated
from inference_endpoints.errors import BadRequest
from inference_endpoints.models import CreateRequest, Endpoint, HardwareListing, UpdateRequest
from inference_endpoints.transport import operations
from inference_endpoints.transport.effect import Effect

L4: dict[str, Any] = {
    "id": "aws-east-l4-x1",
    "instanceType": "l4",
    "instanceSize": "x1",
    "accelerator": "gpu",
    "pricePerHour": 0.8,
    "quota": {"maxAccelerators": 4, "usedAccelerators": 1},
}
OLD = L4 | {"id": "aws-east-k80-x1", "instanceType": "k80", "pricePerHour": 0.2, "status": "deprecated", "quota": None}
LISTING = HardwareListing.model_validate(
    {"vendors": [{"name": "aws", "regions": [{"name": "east", "computes": [L4, OLD]}]}]}
)


def body(minimum: Any = 0, maximum: Any = 1, type_: str = "l4", **model: Any) -> dict[str, Any]:
    return {
        "name": "chat",
        "provider": {"vendor": "aws", "region": "east"},
        "compute": {
            "instanceType": type_,
            "instanceSize": "x1",
            "scaling": {"minReplica": minimum, "maxReplica": maximum},
        },
        "model": {"repository": "org/model", **model},
    }


def creation(minimum: Any = 0, maximum: Any = 1, type_: str = "l4", **model: Any) -> CreateRequest:
    return CreateRequest.model_validate(body(minimum, maximum, type_, **model))


def change(wish: dict[str, Any]) -> UpdateRequest:
    return UpdateRequest.model_validate(wish)


@pytest.fixture
def current() -> Endpoint:
    return Endpoint.model_validate(body(1, 2) | {"status": {"state": "running"}})


def test_a_creation_costs_from_its_fewest_to_its_most_replicas() -> None:
    plan = plan_create(creation(1, 3), "acme", LISTING)
    cost = plan.cost
    assert (cost.hardware_id, cost.per_hour_after, cost.per_hour_at_most) == ("aws-east-l4-x1", 0.8, 2.4)
    assert cost.per_month_at_most == pytest.approx(2.4 * 730)
    assert (plan.effect, plan.endpoint, plan.quota_left) == (Effect.SPENDS, "acme/chat", 0)


@pytest.mark.parametrize(
    ("wish", "warning"),
    [
        (creation(1, 1), r"always run: \$0.8/h"),
        (creation(0, 5), "2 accelerators over the namespace's quota"),
        (creation(type_="k80"), "listed as deprecated"),
        (creation(type_="b300"), "not in the current listing"),
    ],
)
def test_a_plan_warns_of_common_mistakes(wish: CreateRequest, warning: str) -> None:
    assert any(re.search(warning, found) for found in plan_create(wish, "acme", LISTING).warnings)


def test_a_harmless_creation_has_no_warnings() -> None:
    assert plan_create(creation(), "acme", LISTING).warnings == []


def test_hardware_without_a_price_has_no_cost_rather_than_none_at_all() -> None:
    cost = plan_create(creation(type_="b300"), "acme", LISTING).cost
    assert (cost.per_hour_after, cost.per_hour_at_most, cost.per_month_at_most) == (None, None, None)


@pytest.mark.parametrize("replicas", ["many", [1], 1.5, True, -1, float("nan"), float("inf"), {}])
def test_replicas_that_are_no_whole_number_are_refused(replicas: Any) -> None:
    for wish in (body(minimum=replicas), body(maximum=replicas)):
        with pytest.raises(BadRequest, match="is a whole number"):
            validated(partial(CreateRequest.model_validate, wish))


def test_an_update_shows_each_difference_and_keeps_what_is_not_given(current: Endpoint) -> None:
    wish = {"compute": {"scaling": {"maxReplica": 3}}, "model": {"repository": "org/model"}}
    plan = plan_update(change(wish), current, "acme", LISTING)
    assert [change.model_dump() for change in plan.changes] == [
        {"setting": "compute.scaling.maxReplica", "before": 2, "after": 3}
    ]
    assert (plan.cost.per_hour_after, plan.cost.per_hour_at_most) == (0.8, 2.4)
    assert plan.effect is Effect.DISRUPTS


def test_an_update_without_a_difference_has_no_effect(current: Endpoint) -> None:
    plan = plan_update(change({"model": {"repository": "org/model"}}), current, "acme", LISTING)
    assert (plan.changes, plan.effect) == ([], Effect.READS)


def test_an_update_to_other_hardware_costs_that(current: Endpoint) -> None:
    plan = plan_update(change({"compute": {"instanceType": "k80"}}), current, "acme", LISTING)
    assert (plan.cost.hardware_id, plan.cost.per_hour_at_most) == ("aws-east-k80-x1", 0.4)


@pytest.mark.parametrize(
    ("operation", "costs"),
    [
        (operations.PAUSE, (0, 0)),
        (operations.SCALE_TO_ZERO, (0, 1.6)),
        (operations.DELETE, (0, 0)),
        (operations.RESUME, (0.8, 1.6)),
    ],
)
def test_a_step_costs_what_runs_after_it(
    current: Endpoint, operation: operations.Operation[Any], costs: tuple[float, float]
) -> None:
    current.compute.scaling.scale_to_zero_timeout = 15
    plan = plan_state_change(operation, current, "acme", LISTING)
    assert (plan.cost.per_hour_after, plan.cost.per_hour_at_most) == costs
    assert plan.effect is operation.effect


def test_secrets_are_sent_and_never_shown() -> None:
    image = {"custom": {"url": "r/x", "credentials": {"username": "me", "password": "hunter2"}}}
    plan = plan_create(creation(secrets={"HF_TOKEN": "hunter2"}, image=image), "acme", LISTING)
    assert plan.request is not None
    assert plan.request.to_json()["model"]["secrets"] == {"HF_TOKEN": "hunter2"}
    assert "hunter2" not in str(plan.masked())
    assert "hunter2" not in repr(plan)


@pytest.mark.parametrize(
    ("wish", "spends"),
    [
        ({"model": {"env": {"A": "1"}}}, False),
        ({"compute": {"scaling": {"maxReplica": 2}}}, False),
        ({"compute": {"scaling": {"maxReplica": 1}}}, False),
        ({"compute": {"scaling": {"maxReplica": 3}}}, True),
        ({"compute": {"scaling": {"minReplica": 2}}}, True),
        ({"compute": {"instanceType": "k80"}}, False),
        ({"compute": {"instanceType": "k80", "scaling": {"maxReplica": 9}}}, True),
        ({"compute": {"instanceType": "b300"}}, True),
    ],
)
def test_an_update_spends_if_it_may_cost_more_than_it_may_now(
    current: Endpoint, wish: dict[str, Any], spends: bool
) -> None:
    assert plan_update(change(wish), current, "acme", LISTING).spends is spends
    paused = Endpoint.model_validate(current.raw | {"status": {"state": "paused"}})
    assert plan_update(change(wish), paused, "acme", LISTING).spends is spends
    asleep = Endpoint.model_validate(current.raw | {"status": {"state": "scaledToZero"}})
    plan = plan_update(change(wish), asleep, "acme", LISTING)
    assert plan.spends is bool(plan.changes)


@pytest.mark.parametrize(("minutes", "spends"), [(15, False), (20, False), (30, True), (None, True)])
def test_idling_longer_is_spending(minutes: int | None, spends: bool) -> None:
    now = body(0, 2)
    now["compute"]["scaling"]["scaleToZeroTimeout"] = 20
    current = Endpoint.model_validate(now | {"status": {"state": "running"}})
    wish = {"compute": {"scaling": {"scaleToZeroTimeout": minutes}}}
    assert plan_update(change(wish), current, "acme", LISTING).spends is spends


def test_what_starts_replicas_spends_and_what_ends_them_does_not(current: Endpoint) -> None:
    current.compute.scaling.scale_to_zero_timeout = 15
    steps = {
        op.name: plan_state_change(op, current, "acme", LISTING).spends for op in operations.OPERATIONS if _is_step(op)
    }
    assert steps == {
        "delete_endpoint": False,
        "pause_endpoint": False,
        "resume_endpoint": True,
        "scale_endpoint_to_zero": False,
    }
    wake = plan_wake(current, "acme", LISTING)
    assert (wake.spends, wake.cost.per_hour_at_most) == (True, 1.6)


def _is_step(operation: operations.Operation[Any]) -> bool:
    changes = operation.effect is not Effect.READS
    return changes and operation not in (operations.CREATE, operations.UPDATE)


@pytest.mark.parametrize(
    ("state", "wish", "left"),
    [
        ("running", {"compute": {"scaling": {"maxReplica": 2}}}, 3),
        ("running", {"compute": {"scaling": {"maxReplica": 3}}}, 2),
        ("running", {"compute": {"scaling": {"maxReplica": 1}}}, 4),
        ("scaledToZero", {"model": {"env": {"A": "1"}}}, 3),
        ("paused", {"compute": {"scaling": {"maxReplica": 3}}}, 3),
    ],
)
def test_replicas_that_are_replaced_count_once_against_the_quota(
    current: Endpoint, state: str, wish: dict[str, Any], left: int
) -> None:
    there = Endpoint.model_validate(current.raw | {"status": {"state": state}})
    assert plan_update(change(wish), there, "acme", LISTING).quota_left == left


def test_resuming_counts_all_its_replicas_against_the_quota(current: Endpoint) -> None:
    paused = Endpoint.model_validate(current.raw | {"status": {"state": "paused"}})
    assert plan_state_change(operations.RESUME, paused, "acme", LISTING).quota_left == 1
