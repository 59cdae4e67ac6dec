"""Endpoints as resources: listed page by page, read, completed, and under the same rules as the tools."""

import json
from typing import Any

import pytest
from mcp import MCPError
from mcp.types import PromptReference, ResourceTemplateReference, TextResourceContents
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.host import Host
from tests.support.planes.plane_driver import Driver

from inference_endpoints_mcp.policy.limits import Limits

pytestmark = pytest.mark.anyio

CHAT = "endpoint://acme/chat"
SHAPE = "endpoint://{namespace}/{endpoint_name}"


async def read(host: Host, uri: str) -> dict[str, Any]:
    (content,) = (await host.client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    assert (content.uri, content.mime_type) == (uri, "application/json")
    return dict(json.loads(content.text))


async def refused(host: Host, uri: str) -> MCPError:
    with pytest.raises(MCPError) as refusal:
        await host.client.read_resource(uri)
    assert refusal.value.code == -32602
    return refusal.value


async def listed(host: Host) -> list[str]:
    """The names on all pages."""
    names: list[str] = []
    cursor: str | None = None
    while True:
        page = await host.client.list_resources(cursor=cursor)
        names += [resource.name for resource in page.resources]
        if (cursor := page.next_cursor) is None:
            return names


async def completed(host: Host, argument: str, prefix: str, **others: str) -> list[str]:
    ref = ResourceTemplateReference(uri=SHAPE)
    result = await host.client.complete(ref, {"name": argument, "value": prefix}, others or None)
    return result.completion.values


async def test_a_resource_shows_what_its_tool_returns(driver: Driver, host: Host) -> None:
    await driver.create()
    shown = await read(host, CHAT)
    returned = await host.call("get_endpoint", endpoint_name="chat", namespace="acme")
    fenced, again = shown.pop("message"), returned.pop("message")
    assert shown == returned
    assert fenced.splitlines()[1] == again.splitlines()[1]
    assert fenced != again, "each answer has marks of its own"


async def test_logs_are_fenced_in_a_resource_as_in_a_tool(driver: Driver, host: Host) -> None:
    await driver.create()
    await driver.advance(60)
    facts = await read(host, CHAT + "/logs")
    assert facts["shown"] > 0
    assert facts["lines"].startswith("<untrusted-")


async def test_metrics_are_summed_up_in_a_resource_as_in_a_tool(driver: Driver, host: Host) -> None:
    await driver.create()
    facts = await read(host, CHAT + "/metrics")
    assert facts.keys() == (await host.call("get_endpoint_metric", endpoint_name="chat")).keys()


async def test_the_kinds_of_resources_are_templates(host: Host) -> None:
    templates = (await host.client.list_resource_templates()).resource_templates
    *kinds, output = templates
    assert [template.uri_template for template in kinds] == [SHAPE, SHAPE + "/logs", SHAPE + "/metrics"]
    assert all(template.description and template.mime_type == "application/json" for template in kinds)
    assert output.uri_template == "endpoint-output://{output_id}/{offset}"


async def test_endpoints_are_listed_page_by_page_while_others_come_and_go(driver: Driver, host: Host) -> None:
    names = [f"e{number:03}" for number in range(120)]
    for name in names:
        await driver.create(name)
    first = await host.client.list_resources()
    assert [resource.uri for resource in first.resources] == [f"endpoint://acme/{name}" for name in names[:50]]
    assert first.resources[0].description == "pending · gpt2 on aws-us-east-1-intel-spr-x1"
    await driver.call("DELETE", "/v2/endpoint/acme/e003")
    await driver.create("a-new-one")
    second = await host.client.list_resources(cursor=first.next_cursor)
    assert [resource.name for resource in second.resources] == [f"acme/{name}" for name in names[50:100]]
    third = await host.client.list_resources(cursor=second.next_cursor)
    assert len([resource for resource in third.resources if resource.uri.startswith("endpoint://")]) == 20
    assert third.next_cursor is None


@pytest.mark.parametrize("cursor", ["nonsense!", "/w==", "ä"])
async def test_a_cursor_of_another_server_is_refused(host: Host, cursor: str) -> None:
    with pytest.raises(MCPError, match="List from the start"):
        await host.client.list_resources(cursor=cursor)


@pytest.mark.parametrize(
    "uri",
    [
        "endpoint://acme/chat/secrets",
        "endpoint://acme",
        "endpoint://acme/../whoami",
        "endpoint://acme/..%2Fother",
        "endpoint://acme/chat/logs/more",
        "endpoint:///chat",
        "test://anything",
    ],
)
async def test_an_invalid_uri_is_not_found_and_nothing_is_sent(driver: Driver, host: Host, uri: str) -> None:
    error = await refused(host, uri)
    assert error.error.data == {"uri": uri}


async def test_an_endpoint_that_does_not_exist_is_not_found(host: Host) -> None:
    error = await refused(host, "endpoint://acme/nothing")
    assert error.error.message.startswith("NOT_FOUND: ")


async def test_the_allowed_namespaces_hold_for_resources(driver: Driver, host_of: HostOf) -> None:
    await driver.create()
    async with host_of(limits=Limits(namespaces=("elsewhere",))) as host:
        assert (await refused(host, CHAT)).error.message.startswith("REFUSED: Only these namespaces")
        assert await completed(host, "namespace", "") == ["elsewhere"]
        assert await completed(host, "endpoint_name", "", namespace="acme") == []


@pytest.mark.parametrize("limits", [{"toolsets": ("lifecycle",)}, {"tools": ("get_endpoint", "list_endpoints")}])
async def test_a_resource_exists_only_where_its_tool_is_allowed(
    driver: Driver, host_of: HostOf, limits: dict[str, tuple[str, ...]]
) -> None:
    await driver.create()
    async with host_of(limits=Limits(**limits)) as host:
        templates = (await host.client.list_resource_templates()).resource_templates
        assert [template.uri_template for template in templates] == [SHAPE]
        assert (await read(host, CHAT))["state"] == "pending"
        assert (await refused(host, CHAT + "/logs")).error.message.startswith("REFUSED: ")


async def test_without_list_endpoints_no_resource_is_listed(driver: Driver, host_of: HostOf) -> None:
    await driver.create()
    async with host_of(limits=Limits(tools=("get_endpoint",))) as host:
        assert await listed(host) == []


async def test_secrets_are_masked_in_a_resource(driver: Driver, host: Host) -> None:
    await driver.create(model={"env": {"API_TOKEN": "correct-horse-battery", "MODE": "hf_" + "x" * 30}})
    assert (await read(host, CHAT))["env"].splitlines()[1:-1] == ["API_TOKEN=***", "MODE=***"]


async def test_namespaces_and_names_are_completed(driver: Driver, host: Host) -> None:
    for name in ("chat", "chat-2", "embed"):
        await driver.create(name)
    assert await completed(host, "namespace", "a") == ["acme"]
    assert await completed(host, "namespace", "b") == []
    assert await completed(host, "endpoint_name", "CH", namespace="acme") == ["chat", "chat-2"]
    assert await completed(host, "endpoint_name", "") == ["chat", "chat-2", "embed"]
    assert await completed(host, "anything", "") == []


async def test_an_unknown_argument_has_no_completion(host: Host) -> None:
    result = await host.client.complete(PromptReference(name="no_such_prompt"), {"name": "x", "value": ""})
    assert result.completion.values == []


async def test_at_most_a_hundred_values_are_returned_and_the_rest_is_counted(driver: Driver, host: Host) -> None:
    for number in range(120):
        await driver.create(f"e{number}")
    ref = ResourceTemplateReference(uri=SHAPE)
    completion = (await host.client.complete(ref, {"name": "endpoint_name", "value": "e"})).completion
    assert (len(completion.values), completion.total, completion.has_more) == (100, 120, True)
