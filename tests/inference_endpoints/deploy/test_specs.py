"""What goes on the wire of a wish, and what it would change."""

from typing import Any, get_args

import pytest

from inference_endpoints.deploy.specs import EndpointChange, EndpointSpec, Hardware, differences
from inference_endpoints.errors import BadRequest
from inference_endpoints.models import Endpoint, UpdateRequest
from inference_endpoints.models.settings.literals import EndpointTask, Framework

L4 = Hardware(vendor="aws", region="us-east-1", accelerator="gpu", instance_type="nvidia-l4", instance_size="x1")


def spec(**changes: Any) -> EndpointSpec:
    return EndpointSpec.checked(**{"name": "chat", "repository": "org/model", "hardware": L4, **changes})


def endpoint(**model: Any) -> Endpoint:
    return Endpoint.model_validate(
        {"name": "chat", "model": {"repository": "org/model", **model}, "status": {"state": "running"}}
    )


def test_a_minimal_endpoint_has_money_safe_defaults_and_nothing_unset() -> None:
    assert spec().request().to_json() == {
        "name": "chat",
        "provider": {"vendor": "aws", "region": "us-east-1"},
        "compute": {
            "accelerator": "gpu",
            "instanceType": "nvidia-l4",
            "instanceSize": "x1",
            "scaling": {"minReplica": 0, "maxReplica": 1, "scaleToZeroTimeout": 15},
        },
        "model": {"repository": "org/model", "framework": "pytorch", "image": {"huggingface": {}}},
        "type": "private",
    }


def test_an_unset_task_is_left_out_and_never_null() -> None:
    assert "task" not in spec(task=None).request().to_json()["model"]
    assert spec(task="text-generation").request().to_json()["model"]["task"] == "text-generation"


@pytest.mark.parametrize(
    ("setting", "values"), [("framework", get_args(Framework)), ("task", [*get_args(EndpointTask), "a-newer-task"])]
)
def test_a_value_of_the_services_own_is_sent_unchanged(setting: str, values: tuple[str, ...]) -> None:
    """A newer one too: it may come from the Hub or from another endpoint."""
    for value in values:
        assert spec(**{setting: value}).request().to_json()["model"][setting] == value


def test_an_endpoint_with_a_minimum_of_replicas_never_scales_to_zero() -> None:
    assert "scaleToZeroTimeout" not in spec(min_replica=1).request().to_json()["compute"]["scaling"]
    with pytest.raises(BadRequest, match="scale_to_zero_timeout needs min_replica 0"):
        spec(min_replica=1, scale_to_zero_timeout=15).request().to_json()


@pytest.mark.parametrize(
    ("wrong", "about"),
    [
        ({"name": "UPPER"}, "name"),
        ({"name": "a" * 33}, "name"),
        ({"name": "-a"}, "name"),
        ({"name": "chat\n"}, "name"),
        ({"repository": ""}, "repository"),
        ({"type": "protected"}, "type"),
        ({"private_link_region": "eu-central-1"}, "private_link_region"),
        ({"max_replica": 0}, "max_replica"),
        ({"scale_to_zero_timeout": 0}, "scale_to_zero_timeout"),
        ({"replicas": 2}, "replicas"),
    ],
)
def test_a_wrong_setting_is_named_without_its_value(wrong: dict[str, Any], about: str) -> None:
    with pytest.raises(BadRequest, match=about) as raised:
        spec(**wrong)
    assert "UPPER" not in str(raised.value)


@pytest.mark.parametrize("image", [{}, {"tgi": {}, "tei": {}}])
def test_an_image_has_exactly_one_engine(image: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="exactly one key"):
        spec(image=image).request().to_json()


def test_bounds_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(BadRequest, match=r"min_replica \(3\) is above max_replica \(2\)"):
        spec(min_replica=3, max_replica=2).request().to_json()


def test_a_change_sends_only_what_was_set_and_a_change_of_nothing_is_refused() -> None:
    change = EndpointChange.checked(max_replica=3, env={"A": "1"})
    assert change.request().to_json() == {"compute": {"scaling": {"maxReplica": 3}}, "model": {"env": {"A": "1"}}}
    with pytest.raises(BadRequest):
        EndpointChange.checked().request().to_json()


def test_secrets_are_in_no_representation() -> None:
    assert "hunter2" not in repr(spec(secrets={"A": "hunter2"}))


@pytest.mark.parametrize(
    ("model", "wanted", "changed"),
    [
        ({}, {"repository": "org/model"}, {}),
        ({}, {"repository": "org/other"}, {"model.repository": ("org/model", "org/other")}),
        ({"env": {"A": "1", "B": "2"}}, {"env": {"A": "1"}}, {}),
        ({"env": {"A": "1", "B": "2"}}, {"env": {"A": "3"}}, {"model.env": ({"A": "1"}, {"A": "3"})}),
        ({"env": {}}, {"env": {"A": "1"}}, {"model.env": ({"A": None}, {"A": "1"})}),
        ({"args": None}, {"args": []}, {}),
        ({"image": {"tgi": {"url": "a", "port": 80}}}, {"image": {"tgi": {"url": "a"}}}, {}),
        ({"image": {"tgi": {"url": "a"}}}, {"image": {"tgi": {"url": "b"}}}, {"model.image": ...}),
        ({"image": {"tgi": {"url": "a"}}}, {"image": {"vLLM": {"url": "a"}}}, {"model.image": ...}),
        ({"secrets": {"A": None}}, {"secrets": {"A": "x"}}, {"model.secrets": ...}),
    ],
)
def test_only_what_differs_is_a_difference(
    model: dict[str, Any], wanted: dict[str, Any], changed: dict[str, Any]
) -> None:
    found = differences(endpoint(**model), UpdateRequest.model_validate({"model": wanted}))
    assert found.keys() == changed.keys()
    assert all(expected in (..., found[path]) for path, expected in changed.items())
