"""What a request sends, what it refuses, and the configuration an endpoint has after it."""

from typing import Any

import pytest
from tests.support.service.schema_facts import facts_of
from tests.support.service.service_document import needs_document, service_document

from inference_endpoints.deploy.request_validation import validated
from inference_endpoints.errors import BadRequest
from inference_endpoints.models import CreateRequest, Endpoint, UpdateRequest
from inference_endpoints.models.settings.endpoint_features import ENDPOINT_FEATURES
from inference_endpoints_mcp.live.service_document import ServiceDocument

BODY: dict[str, Any] = {
    "name": "chat",
    "provider": {"vendor": "aws", "region": "us-east-1"},
    "compute": {"accelerator": "cpu", "instanceType": "intel-spr", "instanceSize": "x1", "scaling": {"minReplica": 1}},
    "model": {"repository": "org/model", "image": {"tgi": {"url": "a"}}, "env": {"A": "1"}},
    "aSettingOfANewerService": {"b": [1]},
}


@pytest.fixture
def current() -> Endpoint:
    compute = BODY["compute"] | {"id": "aws-us-east-1-intel-spr-x1"}
    return Endpoint.model_validate(BODY | {"compute": compute, "status": {"state": "running"}})


def test_given_settings_are_sent_unchanged_and_nothing_else() -> None:
    assert CreateRequest.model_validate(BODY).to_json() == BODY
    assert UpdateRequest.model_validate({"model": {"revision": None}}).to_json() == {"model": {"revision": None}}


def test_further_settings_are_merged_and_an_image_is_replaced_whole() -> None:
    more = {"compute": {"scaling": {"maxReplica": 2}}, "model": {"image": {"vLLM": {"url": "b"}}, "env": {"B": "2"}}}
    merged = CreateRequest.model_validate(BODY).merged(more).to_json()
    assert merged["compute"]["scaling"] == {"minReplica": 1, "maxReplica": 2}
    assert merged["model"] == {"repository": "org/model", "image": {"vLLM": {"url": "b"}}, "env": {"A": "1", "B": "2"}}


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"compute": None}, "compute cannot be null"),
        ({"compute": {"scaling": None}}, "compute.scaling cannot be null"),
        ({"compute": {"scaling": []}}, "compute.scaling is an object"),
        ({"compute": {"scaling": {"minReplica": True}}}, "compute.scaling.minReplica is a whole number"),
        ({"compute": {"scaling": {"maxReplica": -1}}}, "compute.scaling.maxReplica is a whole number"),
        ({"model": {"args": ["--x", 1]}}, "model.args holds texts only"),
        ({"model": {"env": {"hunter2": 1}}}, "model.env holds texts only"),
        ({"model": {"image": {"hunter2": 1}}}, "model.image is an object"),
        ({"model": {"image": {"tgi": {}, "tei": {}}}}, "model.image has exactly one key"),
        ({"tags": "hunter2"}, "tags is a list"),
        ({"compute": {"scaling": {"scaleToZeroTimeout": 14}}}, "scaleToZeroTimeout is 15 to 2880 minutes"),
        ({"compute": {"scaling": {"scaleToZeroTimeout": 2881}}}, "scaleToZeroTimeout is 15 to 2880 minutes"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_path_without_its_value(more: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadRequest, match=problem) as raised:
        validated(lambda: CreateRequest.model_validate(BODY).merged(more))
    assert "hunter2" not in str(raised.value)


def test_secrets_are_replaced_by_name_and_shown_in_no_representation(current: Endpoint) -> None:
    request = UpdateRequest().with_secrets({"HF_TOKEN": "hunter2"})
    assert request.to_json() == {"model": {"secrets": {"HF_TOKEN": "hunter2"}}}
    assert request.secret_names == {"HF_TOKEN"}
    assert request.without_secrets().to_json() == {"model": {}}
    assert "hunter2" not in repr(request)


def test_what_a_request_leaves_out_stays_as_it_is(current: Endpoint) -> None:
    after = UpdateRequest.model_validate({"compute": {"scaling": {"maxReplica": 3}}}).applied_to(current)
    assert (after.hardware_id, after.compute.accelerator) == ("aws-us-east-1-intel-spr-x1", "cpu")
    assert (after.compute.scaling.min_replica, after.compute.scaling.max_replica) == (1, 3)
    assert after.model.repository == "org/model"


def test_other_hardware_has_another_id_and_only_the_accelerator_that_is_named(current: Endpoint) -> None:
    wish = {"compute": {"id": "aws-us-east-1-intel-spr-x1", "instanceType": "nvidia-l4"}}
    after = UpdateRequest.model_validate(wish).applied_to(current)
    assert (after.hardware_id, after.compute.accelerator) == ("aws-us-east-1-nvidia-l4-x1", "")


@pytest.mark.parametrize(("name", "value"), [("cacheHttpResponses", True), ("privateService", None)])
def test_a_setting_that_no_update_has_is_refused(name: str, value: Any) -> None:
    assert CreateRequest.model_validate(BODY | {name: value}).to_json()[name] is value
    with pytest.raises(BadRequest, match=f": {name} can only be set when an endpoint is created"):
        validated(lambda: UpdateRequest.model_validate({name: value}))


@needs_document
@pytest.mark.parametrize(("request_type", "body"), [(CreateRequest, "Endpoint"), (UpdateRequest, "EndpointUpdate")])
def test_every_documented_setting_has_a_name_in_the_request(request_type: type[UpdateRequest], body: str) -> None:
    documented = facts_of({"$ref": body}, service_document())
    schema = request_type.model_json_schema(by_alias=True)
    ours = set(facts_of(schema, ServiceDocument({"components": {"schemas": schema["$defs"]}})))
    # What the service sets itself, and ignores where it is sent.
    theirs = documented.keys() - {".compute.id", ".model.fromCatalog"}
    checked = (".model.image.", ".compute.scaling.measure.", *(f".{name}." for name in ENDPOINT_FEATURES))
    assert {path for path in theirs if not path.startswith(checked)} == {
        path for path in ours if not path.startswith(checked)
    }


def test_another_region_is_other_hardware_of_the_same_kind(current: Endpoint) -> None:
    after = UpdateRequest.model_validate({"provider": {"vendor": "gcp", "region": "us-east4"}}).applied_to(current)
    assert (after.hardware_id, after.compute.accelerator) == ("gcp-us-east4-intel-spr-x1", "cpu")
