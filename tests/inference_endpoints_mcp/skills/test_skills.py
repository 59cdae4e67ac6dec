"""The skills: what they say exists, hosts can read and copy them, and who follows them gets there."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from mcp import MCPError
from mcp.types import INVALID_PARAMS, PaginatedRequestParams, Request, RequestParams, Result, TextResourceContents
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.inference_endpoints_mcp.skills.scripted_agent import ScriptedAgent, filled
from tests.support.command import Run
from tests.support.hosts.host import Host, Mode
from tests.support.planes.plane_driver import CAN_SLEEP, Driver, PlaneOf

from inference_endpoints_local.engines.programs import from_catalogue
from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.server.tool_calls import published_tools
from inference_endpoints_mcp.skills.library import FILE, Skill, load_skills

EXTENSION = "io.modelcontextprotocol/skills"
DEPLOY, DIAGNOSE, CUT = (
    "deploy-inference-endpoint",
    "diagnose-inference-endpoint",
    "cut-inference-endpoint-costs",
)
WORDS = {"name": "chat", "model": "org/model"}
_QUOTED = re.compile(r"`([a-z]+(?:_[a-z_]+)+)`")

pytestmark = pytest.mark.anyio


class UriParams(RequestParams):
    uri: str


class SkillResult(Result):
    skills: list[dict[str, Any]] = []  # noqa: RUF012
    skill: dict[str, Any] = {}  # noqa: RUF012


def skill_of(name: str) -> Skill:
    return load_skills()[f"skill://{name}/{FILE}"]


def names_in(schema: Any) -> Iterator[str]:
    """Every property of a schema."""
    for value in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else []:
        yield from names_in(value)
    if isinstance(schema, dict):
        yield from schema.get("properties", {})


async def ask(host: Host, method: str, params: RequestParams) -> SkillResult:
    request: Request[Any, Any] = Request(method=method, params=params)
    return await host.client.session.send_request(request, SkillResult)


async def listed(host: Host) -> list[dict[str, Any]]:
    return (await ask(host, "skills/list", PaginatedRequestParams())).skills


def test_there_are_three() -> None:
    assert [skill.name for skill in load_skills().values()] == sorted((DEPLOY, DIAGNOSE, CUT))


@pytest.mark.parametrize("skill", load_skills().values(), ids=lambda skill: skill.name)
class TestEachSkill:
    def test_is_a_folder_as_agent_skills_are(self, skill: Skill) -> None:
        _, head, body = skill.text.split("---\n", 2)
        assert yaml.safe_load(head) == skill.frontmatter
        assert skill.frontmatter["name"] == skill.name
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", skill.name)
        assert len(skill.name) <= 64
        assert len(skill.description) <= 1_024
        assert len(skill.frontmatter["compatibility"]) <= 500
        assert len(body.splitlines()) < 100

    def test_names_only_tools_arguments_and_fields_that_exist(self, skill: Skill) -> None:
        tools = {tool.name: tool for tool in published_tools()}
        for name, arguments in skill.calls:
            given = filled(arguments, WORDS)
            jsonschema.validate(given, tools[name].input_schema)
            assert given.keys() <= tools[name].input_schema["properties"].keys()
        blocks = re.findall(r"```\n(.*?)```", skill.text, re.DOTALL)
        assert sum(len(block.strip().splitlines()) for block in blocks) == len(skill.calls)
        fields = {field for name, _ in skill.calls for field in names_in(tools[name].output_schema or {})}
        assert set(_QUOTED.findall(skill.text)) <= tools.keys() | fields


async def test_hosts_list_and_read_them_and_can_verify_what_they_read(host: Host, mode: Mode) -> None:
    # The older protocol has no extensions; there the files are resources like others.
    assert mode == "legacy" or EXTENSION in (host.client.server_capabilities.extensions or {})
    resources = {resource.uri: resource for resource in (await host.client.list_resources()).resources}
    entries = await listed(host)
    assert [entry["frontmatter"]["name"] for entry in entries] == sorted((DEPLOY, DIAGNOSE, CUT))
    for entry in entries:
        (file,) = entry["resources"]
        assert file["uri"] == entry["uri"]
        (content,) = (await host.client.read_resource(entry["uri"])).contents
        assert isinstance(content, TextResourceContents)
        assert content.mime_type == resources[entry["uri"]].mime_type == "text/markdown"
        raw = content.text.encode()
        assert (file["size"], file["digest"]) == (len(raw), f"sha256:{hashlib.sha256(raw).hexdigest()}")
        assert resources[entry["uri"]].name == entry["frontmatter"]["name"]
        assert (await ask(host, "skills/get", UriParams(uri=entry["uri"]))).skill == entry


@pytest.mark.parametrize(
    "uri", ["skill://nothing/SKILL.md", f"skill://{DEPLOY}", f"skill://{DEPLOY}/../x", "file:///x"]
)
async def test_what_is_no_skill_is_an_error(modern: Host, uri: str) -> None:
    with pytest.raises(MCPError) as refused:
        await ask(modern, "skills/get", UriParams(uri=uri))
    assert refused.value.code == INVALID_PARAMS


async def test_skills_whose_calls_policy_refuses_are_not_there(host_of: HostOf) -> None:
    async with host_of(limits=Limits(read_only=True)) as host:
        assert [entry["frontmatter"]["name"] for entry in await listed(host)] == [DIAGNOSE]
        with pytest.raises(MCPError):
            await host.client.read_resource(skill_of(CUT).uri)


async def test_they_are_copied_to_a_folder_and_a_file_that_differs_is_kept(run: Run, tmp_path: Path) -> None:
    assert DEPLOY in run("skills").stdout
    for _ in range(2):
        assert run("skills", str(tmp_path / "skills")).returncode == 0
    file = tmp_path / "skills" / CUT / FILE
    assert file.read_text() == skill_of(CUT).text
    file.write_text("mine")
    ended = run("skills", str(tmp_path / "skills"))
    assert (ended.returncode, file.read_text()) == (1, "mine")
    assert "differs and was kept" in ended.stderr


@pytest.mark.models
class TestDeploying:
    @pytest.fixture
    async def driver(self, plane_of: PlaneOf, anyio_backend: str) -> Any:
        async with plane_of(programs=from_catalogue) as driver:
            yield driver

    async def test_a_model_is_deployed_and_has_answered(self, driver: Driver, host_of: HostOf) -> None:
        asking = ApprovalPolicy(method=ApprovalMethod.PLAN, include_simulated=True)
        async with host_of(approval=asking, host_timeout_s=1) as host:
            words = {"name": "languages", "model": "fasttext/lid.176-ftz"}
            agent = ScriptedAgent(host, skill_of(DEPLOY), words)
            plan = await agent.do("create_endpoint")
            assert plan["changed"] is True
            await agent.do("wait_for_endpoint")
            assert (await agent.follow())["output"]
            report = await agent.do("get_endpoint")
        assert report["state"] == "running"
        assert "cost_now_per_hour_usd" in report


async def test_the_cause_of_a_failure_is_found(driver: Driver, modern: Host) -> None:
    await driver.create(model={"env": {"SIMULATED_FAULT": "out_of_memory"}})
    for _ in range(4):
        await driver.advance(3_600)
    agent = ScriptedAgent(modern, skill_of(DIAGNOSE), WORDS)
    finding = await agent.do("diagnose_endpoint")
    assert "memory" in finding["now"]
    assert finding["next"]
    for tool in ("get_endpoint_metric", "get_endpoint_replicas", "get_endpoint_logs", "get_audit_logs"):
        await agent.do(tool)
        if tool == "get_endpoint_logs":
            assert "out of memory" in json.dumps(agent.answer)
    assert set(agent.called) == {tool for tool, _ in agent.skill.calls}


async def test_each_way_to_save_saves(driver: Driver, modern: Host) -> None:
    for name in ("idle", "always", "unused"):
        await driver.create(name, compute=CAN_SLEEP if name == "idle" else {})
    await driver.advance(200)
    changes = {"idle": "scale_endpoint_to_zero", "always": "update_endpoint", "unused": "pause_endpoint"}
    agents = {name: ScriptedAgent(modern, skill_of(CUT), {"name": name}) for name in changes}
    before = await agents["idle"].do("get_costs")
    assert before["cost_now_per_hour_usd"] > 0
    for name, tool in changes.items():
        await agents[name].do("get_endpoint_metric")
        assert (await agents[name].do(tool))["changed"] is True
    await driver.advance(1_800)
    after = await agents["idle"].do("get_costs")
    assert after["cost_now_per_hour_usd"] == 0
    called = {tool for agent in agents.values() for tool in agent.called}
    assert called == {tool for tool, _ in skill_of(CUT).calls}
