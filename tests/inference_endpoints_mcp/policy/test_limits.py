"""Each of the operator's limits, through a real client: what it refuses, in whose name, and what it lets pass."""

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.guarded_client import guarded
from tests.support.hosts.host import Host, Mode
from tests.support.planes.plane_driver import TOKEN, Driver, cloud
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.errors import Refused
from inference_endpoints.models import CreateRequest
from inference_endpoints.transport.backend import local
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.tools.registry import TOOLS
from inference_endpoints_mcp.tools.spec import Toolset

pytestmark = pytest.mark.anyio

L4 = "aws-us-east-1-nvidia-l4-x1"
CPU = "aws-us-east-1-intel-spr-x1"
GPU = {"accelerator": "gpu", "instanceType": "nvidia-l4", "instanceSize": "x1"}
NEW: dict[str, Any] = {"endpoint_name": "new", "repository": "org/model", "hardware": L4}
AWAKE = {"endpoint_name": "awake"}
BIG = {"endpoint_name": "big"}
ASLEEP = {"endpoint_name": "asleep"}

OF_NO_NAMESPACE = {"whoami", "list_catalog_items", "has_catalog_item"}

Call = tuple[str, dict[str, Any]]

REFUSED: list[tuple[str, Limits, Call]] = [
    ("--toolsets", Limits(toolsets=("observe", "catalog")), ("create_endpoint", NEW)),
    ("--tools", Limits(tools=("create_endpoint",)), ("pause_endpoint", AWAKE)),
    ("--hardware", Limits(hardware=("aws-*-t4-*",)), ("create_endpoint", NEW)),
    ("--hardware", Limits(hardware=("*-l4-x1",)), ("update_endpoint", AWAKE | {"hardware": L4[:-1] + "4"})),
    ("--hardware", Limits(hardware=("aws-*-t4-*",)), ("resume_endpoint", BIG)),
    ("--hardware", Limits(hardware=("aws-*-t4-*",)), ("call_endpoint", ASLEEP | {"text": "x"})),
    ("--repositories", Limits(repositories=("acme/*",)), ("create_endpoint", NEW)),
    (
        "--hardware",
        Limits(hardware=("aws-us-*",)),
        ("update_endpoint", AWAKE | {"hardware": "gcp-us-east4-nvidia-l4-x1"}),
    ),
    ("--repositories", Limits(repositories=("gpt2",)), ("update_endpoint", AWAKE | {"repository": "org/model"})),
    ("--types", Limits(types=("authenticated",)), ("create_endpoint", NEW)),
    ("--types", Limits(types=("private",)), ("create_endpoint", NEW | {"config": {"type": "public"}})),
    ("--max-replicas", Limits(max_replicas=2), ("create_endpoint", NEW | {"max_replica": 3})),
    ("--max-replicas", Limits(max_replicas=2), ("update_endpoint", AWAKE | {"max_replica": 3})),
    ("--max-replicas", Limits(max_replicas=2), ("resume_endpoint", BIG)),
    ("--no-always-on", Limits(no_always_on=True), ("create_endpoint", NEW | {"min_replica": 1})),
    ("--no-always-on", Limits(no_always_on=True), ("update_endpoint", AWAKE | {"env": {"A": "1"}})),
    ("--no-wake", Limits(no_wake=True), ("call_endpoint", ASLEEP | {"text": "x"})),
    ("--no-wake", Limits(no_wake=True), ("chat_with_endpoint", ASLEEP | {"message": "x"})),
]
ALLOWED: list[tuple[Limits, Call]] = [
    (Limits(toolsets=("lifecycle",)), ("create_endpoint", NEW)),
    (Limits(tools=("create_endpoint", "whoami")), ("create_endpoint", NEW)),
    (Limits(namespaces=("other", "acme")), ("create_endpoint", NEW)),
    (Limits(hardware=("gcp-*", "aws-*-l4-*")), ("create_endpoint", NEW)),
    (Limits(repositories=("org/*",)), ("create_endpoint", NEW)),
    (Limits(types=("private",)), ("create_endpoint", NEW)),
    (Limits(max_replicas=3), ("resume_endpoint", BIG)),
    (Limits(no_always_on=True), ("create_endpoint", NEW)),
    (Limits(no_always_on=True), ("create_endpoint", NEW | {"hardware": CPU, "min_replica": 1})),
    (Limits(no_always_on=True), ("update_endpoint", AWAKE | {"min_replica": 0})),
    (Limits(hardware=("none",), max_replicas=1, no_wake=True), ("pause_endpoint", AWAKE)),
]


@pytest.fixture
async def world(driver: Driver) -> Driver:
    """One endpoint on an L4 that always runs, one of up to three replicas that is paused, and one that sleeps."""
    await driver.create("awake", compute=GPU)
    await driver.create("big", compute=GPU | {"scaling": {"minReplica": 0, "maxReplica": 3}})
    await driver.create("asleep", compute=GPU | {"scaling": {"minReplica": 0}})
    await driver.advance(200)
    await driver.do("big", "pause")
    await driver.put_to_sleep("asleep")
    return driver


async def documents(driver: Driver) -> Any:
    return (await driver.call("GET", "/v2/endpoint/acme")).body["items"]


@pytest.mark.parametrize(("rule", "limits", "call"), REFUSED)
async def test_what_a_limit_forbids_is_refused_by_its_name_and_changes_nothing(
    world: Driver, host_of: HostOf, rule: str, limits: Limits, call: Call
) -> None:
    before = await documents(world)
    tool, arguments = call
    async with host_of(limits=limits) as host:
        message = await host.refused(tool, "REFUSED", **arguments)
    assert message.endswith(f"Only the operator of this server can change that ({rule}).")
    assert await documents(world) == before


@pytest.mark.parametrize(("limits", "call"), ALLOWED)
async def test_what_a_limit_does_not_forbid_is_done(world: Driver, host_of: HostOf, limits: Limits, call: Call) -> None:
    tool, arguments = call
    async with host_of(limits=limits) as host:
        assert (await host.call(tool, **arguments))["changed"] is True


@pytest.mark.parametrize(
    ("limits", "listed"),
    [
        (
            Limits(toolsets=("catalog", "account")),
            [spec.name for spec in TOOLS if spec.toolset in {Toolset.CATALOG, Toolset.ACCOUNT}],
        ),
        (Limits(tools=("pause_endpoint", "whoami")), ["pause_endpoint", "whoami"]),
        (Limits(tools=("pause_endpoint", "whoami"), read_only=True), ["whoami"]),
    ],
)
async def test_tools_that_are_not_allowed_are_not_listed(
    host_of: HostOf, mode: Mode, limits: Limits, listed: list[str]
) -> None:
    async with host_of(mode, limits=limits) as host:
        assert [tool.name for tool in (await host.client.list_tools()).tools] == listed


@pytest.fixture
async def elsewhere(world: Driver, host_of: HostOf) -> AsyncIterator[Host]:
    """A host of a server that may use another namespace only."""
    async with host_of(limits=Limits(namespaces=("lab",))) as host:
        yield host


@pytest.mark.parametrize("tool", [spec.name for spec in TOOLS if spec.name not in OF_NO_NAMESPACE])
async def test_nothing_of_another_namespace_is_touched_or_read(world: Driver, elsewhere: Host, tool: str) -> None:
    before = await documents(world)
    arguments: dict[str, Any] = {
        "namespace": "acme",
        "endpoint_name": "awake",
        "repository": "a/b",
        "text": "x",
        "message": "x",
    }
    known = next(each for each in (await elsewhere.client.list_tools()).tools if each.name == tool).input_schema
    accepted = {name: value for name, value in arguments.items() if name in known["properties"]}
    assert "--namespaces" in await elsewhere.refused(tool, "REFUSED", **accepted)
    assert await documents(world) == before


async def test_with_no_wake_a_running_endpoint_may_still_be_called(driver: Driver, host_of: HostOf) -> None:
    await driver.create_local()
    await driver.reach("tiny", "running")
    async with host_of(limits=Limits(no_wake=True)) as host:
        assert (await host.call("call_endpoint", endpoint_name="tiny", text="x"))["woke"] is False


@pytest.mark.parametrize("limit", ["max_price_per_hour", "max_total_price_per_hour"])
async def test_an_enforced_budget_refuses_and_names_the_limit(world: Driver, host_of: HostOf, limit: str) -> None:
    before = await documents(world)
    async with host_of(limits=Limits.model_validate({limit: 1.0})) as host:
        message = await host.refused("create_endpoint", "REFUSED", **NEW)
    assert f"(--{limit.replace('_', '-')})" in message
    assert await documents(world) == before


async def test_a_warning_budget_allows_the_change_and_warns_in_log_and_audit_trail(
    world: Driver, host_of: HostOf, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limits = Limits(max_price_per_hour=0.5, max_total_price_per_hour=1.0, budget="warn")
    with caplog.at_level(logging.WARNING):
        async with host_of(limits=limits, audit_file=tmp_path / "audit") as host:
            assert (await host.call("create_endpoint", **NEW))["changed"] is True
    warnings, change = _split([json.loads(line) for line in (tmp_path / "audit").read_text().splitlines()])
    assert ["limit of $0.5/h" in warnings[0]["message"], "limit of $1/h" in warnings[1]["message"]] == [True, True]
    assert "nothing was changed" not in caplog.text
    assert change["outcome"] == "DONE"
    for warning in warnings:
        assert f"acme/new: {warning['message']}" in caplog.text


async def test_a_budget_that_is_off_warns_of_nothing(
    world: Driver, host_of: HostOf, caplog: pytest.LogCaptureFixture
) -> None:
    async with host_of(limits=Limits(max_price_per_hour=0.5, budget="off")) as host:
        assert (await host.call("create_endpoint", **NEW))["changed"] is True
    assert "exceed the limit" not in caplog.text


async def test_a_dry_run_of_what_is_forbidden_still_shows_the_plan(world: Driver, host_of: HostOf) -> None:
    async with host_of(limits=Limits(max_replicas=1)) as host:
        assert (await host.call("create_endpoint", **NEW, max_replica=3, dry_run=True))["changed"] is False


@pytest.mark.parametrize(
    ("total", "namespaces", "allowed"),
    [(1.7, (), True), (1.5, (), False), (1.7, ("acme",), True), (1.5, ("acme",), False)],
)
async def test_the_total_counts_every_namespace_of_the_token_even_those_that_may_not_be_used(
    upstream: Upstream, total: float, namespaces: tuple[str, ...], allowed: bool
) -> None:
    two_namespaces(upstream)
    request = CreateRequest.model_validate(cloud("chat", compute=GPU))
    limits = Limits(max_total_price_per_hour=total, namespaces=namespaces)
    async with guarded(local(upstream.url, TOKEN), limits) as client:
        if allowed:
            await client.create(request)
        else:
            with pytest.raises(Refused, match=r"Together with all that runs or starts as well \(up to \$"):
                await client.create(request)
    assert ("POST" in [seen.method for seen in upstream.seen]) is allowed


def two_namespaces(upstream: Upstream) -> None:
    """Nothing in `acme`, an L4 that runs in `lab`, and an organization that the service does not know."""
    instance = {"id": L4, "accelerator": "gpu", "instanceType": "nvidia-l4", "instanceSize": "x1", "pricePerHour": 0.8}
    vendors = {"vendors": [{"name": "aws", "regions": [{"name": "us-east-1", "computes": [instance]}]}]}
    runs = upstream.endpoint("running", targetReplica=1)
    runs["compute"] |= GPU
    runs["provider"] = {"vendor": "aws", "region": "us-east-1"}
    organizations = [{"name": "lab"}, {"name": "closed"}]
    upstream.answers("GET", "/api/whoami-v2", Answer(body={"name": "acme", "type": "user", "orgs": organizations}))
    upstream.answers("GET", "/v2/endpoint/closed", Answer(404, {"error": "Not Found"}))
    upstream.answers("POST", "/v2/endpoint/acme", Answer(body=runs))
    for namespace, items in (("acme", []), ("lab", [runs])):
        upstream.answers("GET", f"/v2/provider/{namespace}", Answer(body=vendors))
        upstream.answers("GET", f"/v2/endpoint/{namespace}", Answer(body={"items": items}))


def _split(lines: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The warnings, and the one change that came after them."""
    *warnings, change = lines
    assert {line["event"] for line in warnings} == {"warning"}
    assert change["event"] == "change"
    return warnings, change


async def test_model_files_come_from_the_operators_folders_alone(
    driver: Driver, host_of: HostOf, tmp_path: Path
) -> None:
    allowed, elsewhere = tmp_path / "models", tmp_path / "elsewhere"
    for folder in (allowed, elsewhere):
        folder.mkdir()
        (folder / "model.gguf").write_bytes(b"GGUF")
    outside = [elsewhere / "model.gguf", allowed / ".." / "elsewhere" / "model.gguf"]
    async with host_of(limits=Limits(model_folders=(str(allowed),))) as host:
        for file in [*map(str, outside), outside[0].as_uri(), "/etc/passwd\0.gguf"]:
            message = await host.refused("create_endpoint", "REFUSED", endpoint_name="own", repository=file)
            assert "--model-folders" in message
            planned = await host.call("create_endpoint", endpoint_name="own", repository=file, dry_run=True)
            assert any("It would be refused" in warning for warning in planned["plan"]["warnings"])
        inside = str(allowed / "model.gguf")
        assert "only tiny/" not in await host.refused(
            "create_endpoint", "BAD_REQUEST", endpoint_name="own", repository=inside
        )
    assert (await driver.call("GET", "/v2/endpoint/acme")).body["items"] == []
