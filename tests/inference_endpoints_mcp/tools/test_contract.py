"""What is published of the tools: names, schemas, annotations, sizes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from mcp import MCPError
from tests.manifests.__main__ import PACKAGE, generate
from tests.manifests.tools_page import count_model_characters
from tests.support.hosts.every_tool import EVERY_TOOL
from tests.support.hosts.host import Host
from tests.support.planes.plane_driver import Driver

from inference_endpoints.transport.effect import Effect
from inference_endpoints_mcp.tools.registry import TOOLS

pytestmark = pytest.mark.anyio

HOSTED = {
    "list_endpoints",
    "get_endpoint",
    "create_endpoint",
    "update_endpoint",
    "pause_endpoint",
    "resume_endpoint",
    "scale_endpoint_to_zero",
    "delete_endpoint",
    "call_endpoint",
    "get_recommended_config",
    "has_catalog_item",
    "list_catalog_items",
    "get_vendors",
    "get_quotas",
    "get_endpoint_logs",
    "get_endpoint_replicas",
    "get_endpoint_metric",
    "get_audit_logs",
    "whoami",
}
"""The tools of Hugging Face's hosted server. Prompts that name them work here as well."""


async def listed(host: Host) -> list[dict[str, Any]]:
    tools = (await host.client.list_tools()).tools
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema within a schema; the keys of `properties` are names, not keywords."""
    if isinstance(schema, list):
        for item in schema:
            yield from nodes(item)
    if not isinstance(schema, dict):
        return
    yield schema
    for key, value in schema.items():
        for item in value.values() if key == "properties" else [value]:
            yield from nodes(item)


async def test_every_tool_of_the_hosted_server_has_its_name_here(host: Host) -> None:
    assert {tool["name"] for tool in await listed(host)} >= HOSTED


async def test_the_served_tools_are_those_that_the_registry_generates(host: Host) -> None:
    contract = generate()[PACKAGE / "contract.json"]
    assert (PACKAGE / "contract.json").read_text("utf-8") == contract
    assert await listed(host) == json.loads(contract)


async def test_schemas_are_flat_objects_that_every_model_accepts(host: Host) -> None:
    for tool in await listed(host):
        for schema in (tool["inputSchema"], tool["outputSchema"]):
            assert schema["type"] == "object", tool["name"]
            for node in nodes(schema):
                assert not {"$ref", "$defs", "$schema", "title", "oneOf", "allOf"} & set(node), tool["name"]
                assert "anyOf" not in node or set(node) == {"anyOf"}, "Gemini refuses anything beside anyOf"
                assert not isinstance(node.get("additionalProperties"), bool), "Google's converter fails at it"
                assert "" not in node.get("enum", []), "Gemini refuses it"
                assert node.get("type") != "null", tool["name"]
                assert node.get("default", "") is not None, tool["name"]


async def test_arguments_are_flat_except_those_the_api_nests(host: Host) -> None:
    objects = set()
    for tool in await listed(host):
        for name, schema in tool["inputSchema"]["properties"].items():
            assert "type" in schema or schema["anyOf"][1]["type"] == "string", (tool["name"], name)
            if any(node.get("type") == "object" for node in nodes(schema)):
                objects.add(name)
    assert objects == {"config", "env", "body", "inputs", "parameters", "messages"}


async def test_an_object_may_be_given_as_json_text_and_an_empty_choice_is_none(driver: Driver, host: Host) -> None:
    given = {"type": "", "framework": "", "env": "", "config": '{"tags": ["blue"]}', "min_replica": 1}
    await host.call("create_endpoint", **EVERY_TOOL["create_endpoint"] | given | {"scale_to_zero_timeout": 15})
    created = await driver.get("chat")
    assert (created["type"], created["tags"]) == ("private", ["blue"])
    assert created["compute"]["scaling"]["minReplica"] == 1
    assert (await host.call("list_endpoints", state=""))["total"] == 1


async def test_no_tool_takes_an_address_or_a_secret(host: Host) -> None:
    for tool in await listed(host):
        assert not {"url", "token", "secret", "secrets", "api_key"} & set(tool["inputSchema"]["properties"])


async def test_every_tool_has_a_description_and_its_worst_effect(host: Host) -> None:
    effects = {spec.name: spec.effect for spec in TOOLS}
    for tool in await listed(host):
        effect, hints = effects[tool["name"]], tool["annotations"]
        assert tool["title"] == hints["title"]
        assert len(tool["description"]) > 30
        assert hints["readOnlyHint"] is (effect is Effect.READS)
        assert hints["destructiveHint"] is (effect in {Effect.DISRUPTS, Effect.DESTROYS})
        assert hints["openWorldHint"] is True
        assert hints["idempotentHint"] is (tool["name"] not in {"call_endpoint", "chat_with_endpoint"})


def test_the_tools_that_spend_disrupt_or_destroy_are_marked() -> None:
    assert {spec.name: spec.effect.value for spec in TOOLS if spec.effect is not Effect.READS} == {
        "create_endpoint": "spends",
        "update_endpoint": "disrupts",
        "pause_endpoint": "disrupts",
        "resume_endpoint": "spends",
        "scale_endpoint_to_zero": "disrupts",
        "delete_endpoint": "destroys",
        "call_endpoint": "spends",
        "chat_with_endpoint": "spends",
    }


async def test_defaults_are_money_safe(modern: Host) -> None:
    properties = next(tool for tool in await listed(modern) if tool["name"] == "create_endpoint")["inputSchema"][
        "properties"
    ]
    defaults = [properties[name]["default"] for name in ("min_replica", "max_replica", "scale_to_zero_timeout")]
    assert defaults == [0, 1, 15]


async def test_no_tool_takes_more_than_its_share(modern: Host) -> None:
    for tool in await listed(modern):
        most = {"create_endpoint": 2_800, "update_endpoint": 2_800}.get(tool["name"], 1_200)
        assert count_model_characters(tool) <= most, tool["name"]


async def test_all_tools_together_stay_below_eighteen_thousand_characters(modern: Host) -> None:
    assert sum(count_model_characters(tool) for tool in await listed(modern)) < 18_000


async def test_an_unknown_argument_is_refused_by_name_with_the_nearest(host: Host) -> None:
    message = await host.refused(
        "create_endpoint", "INVALID_ARGUMENTS", endpoint_name="a", repository="b", min_replicas=3
    )
    assert "min_replicas is not an argument (did you mean min_replica?)" in message
    assert "Its arguments: endpoint_name, repository, hardware" in message


@pytest.mark.parametrize(
    ("given", "meant"),
    [("repo", "repository"), ("nmae", "endpoint_name"), ("mn_replica", "min_replica"), ("Hardware", "hardware")],
)
async def test_the_nearest_argument_is_suggested(modern: Host, given: str, meant: str) -> None:
    message = await modern.refused("create_endpoint", "INVALID_ARGUMENTS", **{given: "x"})
    assert f"{given} is not an argument (did you mean {meant}?)" in message


async def test_a_missing_argument_is_named(modern: Host) -> None:
    message = await modern.refused("create_endpoint", "INVALID_ARGUMENTS", endpoint_name="a")
    assert "repository is missing" in message


async def test_an_unknown_tool_is_an_error_of_the_protocol(host: Host) -> None:
    with pytest.raises(MCPError) as raised:
        await host.send("create_endpoints", endpoint_name="a")
    assert raised.value.error.code == -32602
    assert "create_endpoint" in raised.value.error.message
