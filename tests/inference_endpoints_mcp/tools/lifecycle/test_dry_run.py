"""Dry runs: the plan and what would refuse it now. They change nothing, ask nobody and record nothing."""

from pathlib import Path
from typing import Any

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.host import Host, Mode
from tests.support.planes.plane_driver import CAN_SLEEP, Driver

from inference_endpoints.transport.effect import Effect
from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.policy.limits import Limits

pytestmark = pytest.mark.anyio

L4 = "aws-us-east-1-nvidia-l4-x1"
NEW: dict[str, Any] = {"endpoint_name": "new", "repository": "org/model", "hardware": L4}
CHAT = {"endpoint_name": "chat"}
GPU = {"accelerator": "gpu", "instanceType": "nvidia-l4"}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("create_endpoint", NEW),
    ("update_endpoint", CHAT | {"max_replica": 2}),
    ("pause_endpoint", CHAT),
    ("resume_endpoint", CHAT),
    ("scale_endpoint_to_zero", CHAT),
    ("delete_endpoint", CHAT),
]


def warnings(facts: dict[str, Any]) -> str:
    return " ".join(facts["plan"]["warnings"])


async def world(driver: Driver) -> Any:
    return (await driver.call("GET", "/v2/endpoint/acme")).body["items"]


@pytest.mark.parametrize("confirm", ApprovalMethod)
@pytest.mark.parametrize(("tool", "arguments"), CALLS)
async def test_a_dry_run_shows_the_plan_without_a_change_a_question_or_a_record(
    driver: Driver,
    host_of: HostOf,
    mode: Mode,
    tmp_path: Path,
    confirm: ApprovalMethod,
    tool: str,
    arguments: dict[str, Any],
) -> None:
    def never(question: str) -> Any:
        raise AssertionError(question)

    await driver.create(compute=GPU | CAN_SLEEP)
    before, trail = await world(driver), tmp_path / "audit.jsonl"
    approval = ApprovalPolicy(confirm, frozenset(Effect), include_simulated=True)
    async with host_of(mode, answer=never, audit_file=trail, approval=approval) as host:
        facts = await host.call(tool, **arguments, dry_run=True)
    assert facts["changed"] is False
    assert facts["plan"]["effect"]
    assert "plan_token" not in facts
    assert ("needs approval" in facts["now"]) is (confirm is not ApprovalMethod.OFF)
    assert await world(driver) == before
    assert trail.read_text("utf-8") == ""


async def test_a_dry_run_warns_of_every_rule_and_limit_that_would_refuse(
    driver: Driver, host_of: HostOf, mode: Mode, tmp_path: Path
) -> None:
    limits = Limits(max_replicas=1, types=("private",), max_price_per_hour=1.0)
    trail = tmp_path / "audit.jsonl"
    async with host_of(mode, limits=limits, audit_file=trail) as host:
        facts = await host.call("create_endpoint", **NEW, max_replica=2, type="public", dry_run=True)
        words = warnings(facts)
        for rule in ("--max-replicas", "--types", "--max-price-per-hour"):
            assert rule in words
        assert "It would be refused: An endpoint may have at most 1 replica(s)" in words
        assert "refused" not in warnings(await host.call("create_endpoint", **NEW, dry_run=True))
    assert trail.read_text("utf-8") == ""


@pytest.mark.parametrize(("tool", "more"), [("resume_endpoint", {}), ("update_endpoint", {"max_replica": 2})])
async def test_a_dry_run_warns_of_limits_on_existing_endpoints(
    driver: Driver, host_of: HostOf, tool: str, more: dict[str, Any]
) -> None:
    await driver.create(compute=GPU)
    await driver.advance(200)
    await driver.do("chat", "pause")
    async with host_of(limits=Limits(max_price_per_hour=0.5)) as host:
        assert "limit of $0.5/h" in warnings(await host.call(tool, **CHAT, **more, dry_run=True))


async def test_a_dry_run_warns_of_a_taken_name_and_names_the_differences(driver: Driver, modern: Host) -> None:
    await modern.call("create_endpoint", **NEW)
    facts = await modern.call("create_endpoint", **NEW, dry_run=True)
    assert "exists with the same settings" in facts["now"]
    facts = await modern.call("create_endpoint", **NEW, max_replica=3, dry_run=True)
    assert "An endpoint of this name exists with other settings (compute.scaling.maxReplica)." in warnings(facts)
    assert len(await world(driver)) == 1


async def test_a_dry_run_warns_of_a_model_unknown_on_this_machine(driver: Driver, modern: Host) -> None:
    async def warnings_for(repository: str, **more: Any) -> str:
        wish = {"endpoint_name": "x", "repository": repository, "dry_run": True, **more}
        return warnings(await modern.call("create_endpoint", **wish))

    here = "local-machine-cpu-x1"
    assert "list_catalog_items" in await warnings_for("meta-llama/Llama-3.1-70B-Instruct", hardware=here)
    assert "list_catalog_items" not in await warnings_for("HuggingFaceTB/SmolLM2-135M-Instruct")
    assert "list_catalog_items" not in await warnings_for("/models/any.gguf")
    assert "list_catalog_items" not in await warnings_for("org/model", hardware=L4)
    await driver.create_local("tiny")
    facts = await modern.call("update_endpoint", endpoint_name="tiny", repository="org/model", dry_run=True)
    assert "list_catalog_items" in warnings(facts)


async def test_a_dry_run_warns_of_a_state_that_is_already_reached(driver: Driver, modern: Host) -> None:
    await driver.create()
    await driver.do("chat", "pause")
    assert "It already is paused" in warnings(await modern.call("pause_endpoint", **CHAT, dry_run=True))
