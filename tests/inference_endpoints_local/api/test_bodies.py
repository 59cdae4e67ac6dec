"""The bodies of create and update over raw HTTP: what they refuse, and what they set."""

import json
from typing import Any

import pytest
from tests.support.planes.plane_driver import Driver, cloud, merged

pytestmark = pytest.mark.anyio

ONE = "/v2/endpoint/acme/chat"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": "No_Good"}, "VALIDATION_FAILED: name: "),
        ({"name": "x" * 33}, "VALIDATION_FAILED: name: "),
        ({"name": None}, "VALIDATION_FAILED: name: "),
        ({"type": "protected"}, "VALIDATION_FAILED: type: "),
        ({"model": {"task": None}}, "Failed to parse the request body as JSON: model.task: expected value"),
        ({"model": {"image": {"vLLM": {}}}}, "VALIDATION_FAILED: model.image.vLLM: missing field `url`"),
        ({"model": {"image": {"hfServe": {}}}}, "VALIDATION_FAILED: model.image.hfServe: missing field `url`"),
        (
            {"model": {"image": {"llamacpp": {"url": "x"}}}},
            "VALIDATION_FAILED: model.image.llamacpp: missing field `modelPath`",
        ),
        ({"model": {"image": {"tgi": {"url": "x"}, "huggingface": {}}}}, "VALIDATION_FAILED: model.image: "),
        ({"experimentalFeatures": None}, "VALIDATION_FAILED: experimentalFeatures: must not be null"),
        ({"route": {"domain": "x.example"}}, "VALIDATION_FAILED: route: missing field `path`"),
        ({"model": {"env": {"A=B": "x"}}}, "VALIDATION_FAILED: model.env.A=B: "),
        ({"model": {"env": {"A": 1}}}, "VALIDATION_FAILED: model.env.A: "),
        ({"model": {"repository": ""}}, "VALIDATION_FAILED: model.repository: "),
        (
            {"compute": {"scaling": {"minReplica": 2}}},
            "VALIDATION_FAILED: compute.scaling.minReplica: above maxReplica",
        ),
        ({"compute": {"scaling": {"maxReplica": "1"}}}, "VALIDATION_FAILED: compute.scaling.maxReplica: "),
        (
            {"compute": {"scaling": {"minReplica": 0, "scaleToZeroTimeout": 14}}},
            "VALIDATION_FAILED: compute.scaling.scaleToZeroTimeout: must be between 15 and 2880 minutes",
        ),
        (
            {"compute": {"scaling": {"scaleToZeroTimeout": 15}}},
            "VALIDATION_FAILED: compute.scaling.scaleToZeroTimeout: requires minReplica 0",
        ),
        (
            {"compute": {"instanceType": "abacus"}},
            "VALIDATION_FAILED: compute: no abacus x1 in aws us-east-1; ",
        ),
        ({"compute": {"accelerator": "gpu"}}, "VALIDATION_FAILED: compute.accelerator: "),
        ({"provider": {"region": "mars"}}, "VALIDATION_FAILED: compute: "),
        ({"compute": {"instanceType": "intel-icl"}}, "Bad Request: Compute instance not available yet"),
    ],
)
async def test_an_invalid_create_is_refused_with_the_name_of_the_field(
    driver: Driver, changes: dict[str, Any], error: str
) -> None:
    answer = await driver.call("POST", "/v2/endpoint/acme", merged(cloud("chat"), changes))
    assert answer.status == 400
    assert answer.body["error"].startswith(error)
    assert answer.body["code"] == "BAD_REQUEST"
    assert (await driver.call("GET", "/v2/endpoint/acme")).body["totalItems"] == 0


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"type": "secret"}, "type: unknown variant `secret`, expected one of `public`, `authenticated`, `private`"),
        ({"model": {"framework": "vllm"}}, "model.framework: unknown variant `vllm`, expected one of `custom`, "),
        (
            {"model": {"task": "text-to-speech"}},
            "model.task: unknown variant `text-to-speech`, expected one of ",
        ),
        ({"model": {"image": {"vllm": {"url": "x"}}}}, "model.image: unknown variant `vllm`, expected one of "),
        (
            {"model": {"image": {"sGLang": {"url": "x", "kvCacheDtype": "fp8"}}}},
            "model.image.sGLang.kvCacheDtype: unknown variant `fp8`, expected one of `fp8-e4-m3`, `fp8-e5-m2`",
        ),
    ],
)
async def test_a_value_that_is_none_of_an_enum_cannot_be_processed(
    driver: Driver, changes: dict[str, Any], error: str
) -> None:
    answer = await driver.call("POST", "/v2/endpoint/acme", merged(cloud("chat"), changes))
    assert (answer.status, answer.body["code"]) == (422, "UNPROCESSABLE_ENTITY")
    assert error in answer.body["error"]


@pytest.mark.parametrize("field", ["name", "type", "provider", "compute", "model"])
async def test_a_missing_field_is_named(driver: Driver, field: str) -> None:
    body = cloud("chat")
    del body[field]
    answer = await driver.call("POST", "/v2/endpoint/acme", body)
    assert (answer.status, answer.body["error"]) == (400, f"VALIDATION_FAILED: missing field `{field}`")


async def test_one_engine_on_several_accelerators_must_state_how_it_splits(driver: Driver) -> None:
    hardware = {"accelerator": "gpu", "instanceType": "nvidia-l4", "instanceSize": "x4"}
    image = {"vLLM": {"url": "vllm/vllm-openai:latest"}}
    answer = await driver.create(compute=hardware, model={"image": image})
    assert answer.status == 400
    assert "tensorParallelSize" in answer.body["error"]
    split = {"vLLM": {"url": "vllm/vllm-openai:latest", "tensorParallelSize": 4, "unknown": 1}}
    created = await driver.create(compute=hardware, model={"image": split})
    assert created.body["model"]["image"] == {"vLLM": {"url": "vllm/vllm-openai:latest", "tensorParallelSize": 4}}
    assert created.body["model"]["task"] == "text-generation"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"name": NaN}',
        b'{"name": "\\ud800"}',
        b'{"name": 1e999}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"n": ' + b"9" * 10_000 + b"}",
    ],
)
async def test_a_body_that_is_no_json_object_is_a_400(driver: Driver, body: bytes) -> None:
    answer = await driver.call("POST", "/v2/endpoint/acme", body)
    assert answer.status == 400
    assert isinstance(answer.body["error"], str)
    assert (await driver.call("GET", "/healthz")).status == 200


async def test_a_body_nested_too_deeply_is_a_400(driver: Driver) -> None:
    for depth in (100, 300, 900, 2_000):
        body = json.dumps(cloud("chat"))[:-1] + ', "network": ' + '{"a":' * depth + "1" + "}" * depth + "}"
        answer = await driver.call("POST", "/v2/endpoint/acme", body.encode())
        assert answer.status == 400, depth
        assert "nested too deeply" in answer.body["error"]


async def test_a_huge_body_is_a_413(driver: Driver) -> None:
    answer = await driver.call("POST", "/v2/endpoint/acme", b" " * (2 * 1024 * 1024))
    assert answer.status == 413


async def test_secrets_and_registry_credentials_are_never_shown(driver: Driver) -> None:
    image = {"custom": {"url": "r/x", "credentials": {"username": "me", "password": "hunter2"}, "healthRoute": "/up"}}
    created = await driver.create(model={"image": image, "secrets": {"HF_TOKEN": "hf_hidden"}, "framework": "custom"})
    for document in (created.body, await driver.get("chat")):
        assert document["model"]["secrets"] == {"HF_TOKEN": None}
        assert document["model"]["image"]["custom"]["credentials"] == {"username": "", "password": None}
        assert document["healthRoute"] == "/up"
        assert "hunter2" not in json.dumps(document)
        assert "hf_hidden" not in json.dumps(document)


async def test_a_document_that_is_sent_back_as_it_was_read_changes_nothing(driver: Driver) -> None:
    image = {"custom": {"url": "r/x"}}
    before = (await driver.create(model={"image": image, "secrets": {"HF_TOKEN": "hf_x"}, "env": {"A": "1"}})).body
    after = (await driver.call("PUT", ONE, {k: v for k, v in before.items() if k != "status"})).body
    for document in (before, after):
        document.pop("status")
    assert after == before
    record = driver.endpoint("chat").record
    assert record.spec["model"]["secrets"] == {"HF_TOKEN": "hf_x"}
    assert record.generation == 1


async def test_an_update_merges_but_replaces_image_args_and_command_whole(driver: Driver) -> None:
    image = {"vLLM": {"url": "a", "maxNumSeqs": 8}}
    await driver.create(model={"image": image, "args": ["--a"], "command": ["run"], "env": {"A": "1", "B": "2"}})
    change = {"model": {"image": {"vLLM": {"url": "b"}}, "args": ["--b"], "command": [], "env": {"B": None, "C": "3"}}}
    model = (await driver.call("PUT", ONE, change)).body["model"]
    assert model["image"] == {"vLLM": {"url": "b"}}
    assert (model["args"], model["command"], model["env"]) == (["--b"], [], {"A": "1", "C": "3"})
    assert model["repository"] == "gpt2"


async def test_a_partial_image_is_refused_as_the_service_refuses_it(driver: Driver) -> None:
    await driver.create(model={"image": {"vLLM": {"url": "a"}}})
    answer = await driver.call("PUT", ONE, {"model": {"image": {"vLLM": {"tensorParallelSize": 8}}}})
    assert (answer.status, answer.body["error"]) == (400, "VALIDATION_FAILED: model.image.vLLM: missing field `url`")


async def test_an_update_can_change_hardware_and_scaling_metric(driver: Driver) -> None:
    await driver.create()
    change = {"compute": {"instanceSize": "x2", "scaling": {"measure": {"pendingRequests": 2.0}}}}
    compute = (await driver.call("PUT", ONE, change)).body["compute"]
    assert compute["id"] == "aws-us-east-1-intel-spr-x2"
    assert compute["scaling"]["measure"] == {"pendingRequests": 2.0}
    assert compute["scaling"]["metric"] == "pendingRequests"


async def test_an_update_cannot_rename_and_an_empty_one_changes_nothing(driver: Driver) -> None:
    before = (await driver.create(cacheHttpResponses=True)).body
    assert (await driver.call("PUT", ONE, {})).body["compute"] == before["compute"]
    assert (await driver.call("PUT", ONE, {"name": "other"})).status == 400
    # An update has no such setting, and unknown ones are dropped.
    assert (await driver.call("PUT", ONE, {"cacheHttpResponses": False})).body["cacheHttpResponses"] is True


async def test_scale_to_zero_defaults_to_fifteen_minutes_and_ends_with_a_minimum(driver: Driver) -> None:
    created = await driver.create(compute={"scaling": {"minReplica": 0}})
    assert created.body["compute"]["scaling"]["scaleToZeroTimeout"] == 15
    kept = await driver.call("PUT", ONE, {"compute": {"scaling": {"minReplica": 1}}})
    assert kept.body["compute"]["scaling"]["scaleToZeroTimeout"] is None
