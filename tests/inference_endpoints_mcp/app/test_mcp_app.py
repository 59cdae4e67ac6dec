"""The MCP App as hosts find it: declared, linked and readable for those that show it, absent for all others."""

import json
import re
from importlib import resources
from typing import Any

import jsonschema
import pytest
from mcp import Client, MCPError
from mcp.types import CallToolResult, TextResourceContents
from pydantic import BaseModel
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.inference_endpoints_mcp.tools.test_contract import nodes
from tests.manifests.__main__ import PACKAGE, generate
from tests.support.hosts.app_host import MIME_TYPE, UI, app_host
from tests.support.hosts.host import Host, Mode, text_of
from tests.support.planes.plane_driver import Driver
from tests.support.service.scripted_fleet import script_fleet
from tests.support.service.scripted_upstream import Upstream

from inference_endpoints_mcp.app.page import page_for_hosts
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.server.features.mcp_app import APP_URI, SHOWN_IN_APP
from inference_endpoints_mcp.tools.app.get_endpoint_graphs import GraphSeries
from inference_endpoints_mcp.tools.app.get_fleet import FleetRow
from inference_endpoints_mcp.tools.outputs import EndpointOutcome, EndpointOutput
from inference_endpoints_mcp.tools.plan_summary import PlanSummary
from inference_endpoints_mcp.tools.registry import APP_TOOLS, TOOLS

CHAT = {"endpoint_name": "chat"}

pytestmark = pytest.mark.anyio


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert isinstance(result, CallToolResult)
    assert not result.is_error, text_of(result)
    return dict(result.structured_content or {})


async def test_the_app_is_declared_and_read_as_one_page_that_may_reach_nothing(modern: Host) -> None:
    assert UI in (modern.client.server_capabilities.extensions or {})
    (page,) = (await modern.client.read_resource(APP_URI)).contents
    assert isinstance(page, TextResourceContents)
    assert page.mime_type == MIME_TYPE
    assert (page.meta or {})["ui"] == {"csp": {}, "prefersBorder": True}
    assert page.text.startswith("<!doctype html>")
    assert page.text == page_for_hosts()


async def test_tools_are_linked_to_the_app_only_for_hosts_that_show_it(driver: Driver, host: Host, mode: Mode) -> None:
    plain = {tool.name: tool for tool in (await host.client.list_tools()).tools}
    assert all(tool.meta is None for tool in plain.values())
    async with app_host(driver.plane.url, mode) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    linked = {name: tool.meta["ui"] for name, tool in listed.items() if tool.meta}
    own = {spec.name for spec in APP_TOOLS}
    assert linked == {name: {"resourceUri": APP_URI} for name in SHOWN_IN_APP} | {
        name: {"resourceUri": APP_URI, "visibility": ["app"]} for name in own
    }
    assert listed.keys() - own == plain.keys() == {spec.name for spec in TOOLS}
    for name, tool in plain.items():
        assert tool == listed[name].model_copy(update={"meta": None}), "only the link differs"


async def test_the_tools_of_the_app_are_those_that_the_registry_generates(driver: Driver) -> None:
    contract = generate()[PACKAGE / "app_contract.json"]
    assert (PACKAGE / "app_contract.json").read_text("utf-8") == contract
    for tool in json.loads(contract):
        assert tool["annotations"]["readOnlyHint"] is True
        for schema in (tool["inputSchema"], tool["outputSchema"]):
            assert not any({"$ref", "$defs"} & set(node) for node in nodes(schema)), tool["name"]


async def test_a_host_that_shows_no_apps_has_no_tools_of_the_app(modern: Host) -> None:
    for spec in APP_TOOLS:
        with pytest.raises(MCPError, match="Unknown tool"):
            await modern.send(spec.name, **CHAT)


async def test_the_app_gets_the_whole_fleet_at_once(upstream: Upstream, mode: Mode) -> None:
    names = script_fleet(upstream, 300)
    async with app_host(upstream.url, mode) as client:
        schemas = {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}
        fleet = await call(client, "get_fleet")
        assert len((await call(client, "list_endpoints", limit=100))["endpoints"]) < 100, "a model reads less"
    jsonschema.validate(fleet, schemas["get_fleet"] or False)
    assert {row["endpoint_name"] for row in fleet["endpoints"]} == set(names)
    most_expensive = fleet["endpoints"][0]
    assert most_expensive["state"] == "running"
    assert (most_expensive["cost_now_per_hour_usd"], most_expensive["cost_at_most_per_hour_usd"]) == (0.8, 1.6)
    assert fleet["cost_now_per_hour_usd"] == 60.0


async def test_the_app_gets_every_point_of_every_metric(driver: Driver, mode: Mode) -> None:
    await driver.create("chat")
    await driver.advance(400)
    async with app_host(driver.plane.url, mode) as client:
        schemas = {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}
        graphs = await call(client, "get_endpoint_graphs", **CHAT)
    jsonschema.validate(graphs, schemas["get_endpoint_graphs"] or False)
    assert {one["metric"] for one in graphs["series"]} >= {"replica-running", "pending-request"}
    assert all(len(one["at"]) == len(one["values"]) > 0 for one in graphs["series"])
    assert graphs["replica_stages"]


async def test_policy_allows_the_app_what_it_allows_a_model(driver: Driver) -> None:
    async with app_host(driver.plane.url, limits=Limits(tools=("list_endpoints", "get_endpoint_metric"))) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert names == {"list_endpoints", "get_endpoint_metric", "get_endpoint_graphs"}
        result = await client.call_tool("get_fleet", {})
        assert isinstance(result, CallToolResult)
        assert text_of(result).startswith("REFUSED: This tool is not among those allowed")
    async with app_host(driver.plane.url, limits=Limits(namespaces=("other",))) as client:
        result = await client.call_tool("get_fleet", {"namespace": "acme"})
        assert isinstance(result, CallToolResult)
        assert "Only these namespaces may be used" in text_of(result)


async def test_the_app_gets_no_secret(driver: Driver) -> None:
    token = "hf_" + "abcdEFGH1234" * 3
    await driver.create(model={"repository": f"org/{token}"})
    async with app_host(driver.plane.url) as client:
        result = await client.call_tool("get_fleet", {})
    assert token not in result.model_dump_json()


def test_the_page_loads_nothing_and_its_parts_fit_in_one_scope() -> None:
    from inference_endpoints_mcp.app.page import script_modules

    page = page_for_hosts()
    own = re.sub(r"https://github\.com/leeoniya/uPlot|http://www\.w3\.org/\S+", "", page)
    assert not re.search(r"https?://|src=|url\(|@import|innerHTML|insertAdjacentHTML|document\.write", own)
    assert "default-src 'none'" in page
    modules = script_modules()
    assert list(modules)[-1] == "main.js"
    declared = [
        name
        for text in modules.values()
        for name in re.findall(r"^(?:export )?(?:async )?(?:const|class|function) (\w+)", text, re.MULTILINE)
    ]
    assert len(declared) == len(set(declared)), sorted(name for name in declared if declared.count(name) > 1)
    assert not any(re.search(r"^import ", text, re.MULTILINE) for text in page.split("<script>")[1:])


def test_the_page_knows_the_same_name_for_a_hidden_token_as_the_server() -> None:
    from inference_endpoints_mcp.tools.approved_change import PLAN_META

    assert f'PLAN_META = "{PLAN_META}"' in page_for_hosts()


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("FleetRow", FleetRow),
        ("GraphSeries", GraphSeries),
        ("Plan", PlanSummary),
        ("Outcome", EndpointOutcome),
        ("Planned", EndpointOutput),
    ],
)
def test_the_page_reads_fields_that_answers_have(name: str, model: type[BaseModel]) -> None:
    types = resources.files("inference_endpoints_mcp").joinpath("app", "source", "types.d.ts").read_text("utf-8")
    described = types.partition(f"interface {name} {{")[2].partition("}")[0]
    fields = set(re.findall(r"^  (\w+)\??:", described, re.MULTILINE))
    assert fields
    assert fields <= model.model_fields.keys()


async def test_answers_stay_complete_for_a_host_that_shows_no_apps(driver: Driver, host_of: HostOf) -> None:
    await driver.create()
    async with host_of() as plain, app_host(driver.plane.url) as client:
        shown = [await plain.call("list_endpoints"), await call(client, "list_endpoints")]
    assert shown[0] == shown[1]
