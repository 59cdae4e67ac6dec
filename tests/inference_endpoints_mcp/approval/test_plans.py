"""Approval in two steps: a plan sealed into a token, which a model hands back, or only the host. Both eras."""

import asyncio
import json
from pathlib import Path
from typing import Any, cast

import pytest
from mcp.types import CallToolResult, RequestParamsMeta
from tests.inference_endpoints_mcp.approval.test_approval_by_person import (
    CHANGES,
    CHAT,
    EVERYTHING,
    NEW,
    Clock,
    lines,
    never,
    prepared,
    world,
)
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.host import Host, Mode, parts_of, text_of
from tests.support.planes.plane_driver import Driver

from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.approval.approvals import PLAN_VALID_S
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.tools.approved_change import PLAN_META

pytestmark = pytest.mark.anyio

STEPS = [tool for tool in CHANGES if tool != "call_endpoint"]
PLAN: dict[str, Any] = {"approval": ApprovalPolicy(ApprovalMethod.PLAN, EVERYTHING, include_simulated=True)}
HOST: dict[str, Any] = {"approval": ApprovalPolicy(ApprovalMethod.HOST, EVERYTHING, include_simulated=True)}


async def planned(host: Host, tool: str, **arguments: Any) -> str:
    """The token of a plan."""
    facts = await host.call(tool, **arguments)
    assert facts["changed"] is False
    return str(facts["plan_token"])


def new_plan(result: CallToolResult) -> dict[str, Any]:
    """The plan in a refusal."""
    assert result.is_error
    plan: dict[str, Any] = json.loads(parts_of(result)[1])
    assert plan["changed"] is False
    return plan


@pytest.mark.parametrize("tool", STEPS)
async def test_the_first_call_shows_the_plan_and_the_second_carries_it_out_once(
    driver: Driver, host_of: HostOf, mode: Mode, tool: str
) -> None:
    await prepared(driver, tool)
    before = await world(driver)
    async with host_of(mode, answer=never, **PLAN) as host:
        facts = await host.call(tool, **CHANGES[tool])
        assert await world(driver) == before
        assert facts["changed"] is False
        assert "nothing was changed" in facts["now"]
        assert "per_hour_at_most_usd" in facts["plan"]
        (proposed,) = facts["next"]
        assert proposed == {"tool": tool, "arguments": CHANGES[tool] | {"plan_token": facts["plan_token"]}}
        done = await host.call(proposed["tool"], **proposed["arguments"])
        assert done["changed"] is True
        after = await world(driver)
        assert after != before
        again = await host.send(tool, **proposed["arguments"])
    assert again.is_error or (again.structured_content or {})["changed"] is False
    assert [item["name"] for item in await world(driver)] == [item["name"] for item in after]


async def test_a_token_holds_once(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    await prepared(driver, "resume_endpoint")
    async with host_of(mode, **PLAN) as host:
        token = await planned(host, "resume_endpoint", **CHAT)
        await host.call("resume_endpoint", **CHAT, plan_token=token)
        await driver.do("chat", "pause")
        result = await host.send("resume_endpoint", **CHAT, plan_token=token)
        assert "carried out already: nothing was changed" in text_of(result)
        assert await driver.state("chat") == "paused"
        await host.call("resume_endpoint", **CHAT, plan_token=new_plan(result)["plan_token"])
    assert await driver.state("chat") != "paused"


async def test_the_configuration_may_not_change_and_a_new_plan_is_given(
    driver: Driver, host_of: HostOf, mode: Mode
) -> None:
    await prepared(driver, "delete_endpoint")
    async with host_of(mode, **PLAN) as host:
        token = await planned(host, "delete_endpoint", **CHAT)
        await driver.call("PUT", "/v2/endpoint/acme/chat", {"tags": ["precious"]})
        result = await host.send("delete_endpoint", **CHAT, plan_token=token)
        assert "Its configuration changed since the plan: nothing was deleted." in text_of(result)
        assert len(await world(driver)) == 1
        await host.call("delete_endpoint", **CHAT, plan_token=new_plan(result)["plan_token"])
    assert await world(driver) == []


async def test_the_endpoint_may_not_be_another_of_the_same_name(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    await prepared(driver, "delete_endpoint")
    async with host_of(mode, **PLAN) as host:
        token = await planned(host, "delete_endpoint", **CHAT)
        await driver.call("DELETE", "/v2/endpoint/acme/chat")
        await driver.advance(1)
        await prepared(driver, "delete_endpoint")
        message = await host.refused("delete_endpoint", "REFUSED", **CHAT, plan_token=token)
    assert "not the one the plan was made for: nothing was deleted" in message
    assert len(await world(driver)) == 1


async def test_state_may_change_meanwhile(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    await driver.create()
    async with host_of(mode, **PLAN) as host:
        token = await planned(host, "delete_endpoint", **CHAT)
        await driver.advance(200)
        assert (await host.call("delete_endpoint", **CHAT, plan_token=token))["changed"] is True


@pytest.mark.parametrize("more", [{"max_replica": 2}, {"type": "public"}, {"env": {"A": "1"}}])
async def test_the_arguments_may_not_be_others(
    driver: Driver, host_of: HostOf, mode: Mode, more: dict[str, Any]
) -> None:
    async with host_of(mode, **PLAN) as host:
        token = await planned(host, "create_endpoint", **NEW)
        result = await host.send("create_endpoint", **NEW, **more, plan_token=token)
        assert "The arguments are not those of the plan: nothing was changed." in text_of(result)
        assert new_plan(result)["plan"]["payload"]
    assert await world(driver) == []


async def test_a_plan_is_one_for_its_tool_and_its_endpoint(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    await prepared(driver, "pause_endpoint")
    await driver.create("other")
    before = await world(driver)
    async with host_of(mode, **PLAN) as host:
        token = await planned(host, "pause_endpoint", **CHAT)
        for tool, name in (("delete_endpoint", "chat"), ("pause_endpoint", "other")):
            message = await host.refused(tool, "REFUSED", endpoint_name=name, plan_token=token)
            assert "made for another change" in message
    assert await world(driver) == before


async def test_a_price_that_changed_ends_a_plan(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    """What an update of it may cost is another thing once it is scaled to zero."""
    await prepared(driver, "update_endpoint")
    change = CHAT | {"env": {"A": "1"}}
    async with host_of(mode, **PLAN) as host:
        token = await planned(host, "update_endpoint", **change)
        await driver.do("chat", "scale-to-zero")
        message = await host.refused("update_endpoint", "REFUSED", **change, plan_token=token)
    assert "price or effect changed" in message
    assert "A" not in (await driver.get("chat"))["model"]["env"]


async def test_a_token_ends_with_its_time(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    clock = Clock()
    async with host_of(mode, **PLAN, clock=clock) as host:
        token = await planned(host, "create_endpoint", **NEW)
        clock.at = PLAN_VALID_S + 1
        result = await host.send("create_endpoint", **NEW, plan_token=token)
        assert "has expired: nothing was changed" in text_of(result)
        assert await world(driver) == []
        clock.at += PLAN_VALID_S
        token = new_plan(result)["plan_token"]
        assert (await host.call("create_endpoint", **NEW, plan_token=token))["changed"] is True


@pytest.mark.parametrize("forged", ["x", "a" * 103, "\u0430" * 103, "=" * 103, "yes", "true"])
async def test_a_token_that_was_made_up_is_refused(driver: Driver, host_of: HostOf, mode: Mode, forged: str) -> None:
    async with host_of(mode, **PLAN) as host:
        message = await host.refused("create_endpoint", "REFUSED", **NEW, plan_token=forged)
        token = await planned(host, "create_endpoint", **NEW)
        changed = ("b" if token[40] == "a" else "a").join((token[:40], token[41:]))
        await host.refused("create_endpoint", "REFUSED", **NEW, plan_token=changed)
    assert "not from this server" in message
    assert forged not in message or len(forged) < 5
    assert await world(driver) == []


async def test_a_token_is_valid_in_every_session_and_server_that_shares_its_folder(
    driver: Driver, host_of: HostOf, mode: Mode, tmp_path: Path
) -> None:
    async with host_of(mode, **PLAN, data_folder=tmp_path) as host:
        token = await planned(host, "create_endpoint", **NEW)
    async with host_of(mode, **PLAN, data_folder=tmp_path / "another") as host:
        message = await host.refused("create_endpoint", "REFUSED", **NEW, plan_token=token)
        assert "not from this server" in message
        assert await world(driver) == []
    async with host_of(mode, **PLAN, data_folder=tmp_path, name="other") as host:
        assert (await host.call("create_endpoint", **NEW, plan_token=token))["changed"] is True
    assert (tmp_path / "plans.sqlite3").stat().st_mode & 0o777 == 0o600


async def test_where_the_folder_cannot_be_used_a_token_is_valid_in_its_server_and_that_is_logged(
    host_of: HostOf, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    async with host_of(**PLAN, data_folder=tmp_path / "file") as host:
        token = await planned(host, "create_endpoint", **NEW)
        assert (await host.call("create_endpoint", **NEW, plan_token=token))["changed"] is True
    assert "plan tokens are good in this process only" in caplog.text


async def test_of_two_who_bring_one_token_at_once_one_acts(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    await prepared(driver, "pause_endpoint")
    async with host_of(mode, **PLAN) as host:
        token = await planned(host, "update_endpoint", **CHAT, max_replica=3)
        calls = [host.send("update_endpoint", **CHAT, max_replica=3, plan_token=token) for _ in range(5)]
        results = await asyncio.gather(*calls)
    acted = [result for result in results if not result.is_error and (result.structured_content or {})["changed"]]
    assert len(acted) == 1


async def test_a_host_that_cannot_ask_gets_a_plan_for_what_spends_and_a_refusal_for_what_destroys(
    driver: Driver, host_of: HostOf, mode: Mode
) -> None:
    await prepared(driver, "delete_endpoint")
    async with host_of(mode, approval=ApprovalPolicy(include_simulated=True)) as host:
        token = await planned(host, "create_endpoint", **NEW)
        for given in ({}, {"plan_token": token}, {"confirm": True}):
            assert "--confirm" in await host.refused("delete_endpoint", "REFUSED", **CHAT, **given)
        assert (await host.call("create_endpoint", **NEW, plan_token=token))["changed"] is True


async def test_a_plan_token_does_not_replace_the_approval_of_a_person(
    driver: Driver, host_of: HostOf, mode: Mode
) -> None:
    async with host_of(mode, answer=lambda _: None, approval=ApprovalPolicy(include_simulated=True)) as host:
        await host.refused("create_endpoint", "REFUSED", **NEW, plan_token="a" * 103)
    assert await world(driver) == []


@pytest.mark.parametrize("tool", STEPS)
async def test_for_the_hosts_own_button_the_token_travels_where_no_model_reads(
    driver: Driver, host_of: HostOf, mode: Mode, tool: str
) -> None:
    await prepared(driver, tool)
    before = await world(driver)
    async with host_of(mode, **HOST) as host:
        planned = await host.send(tool, **CHANGES[tool])
        token = (planned.meta or {})[PLAN_META]
        assert token not in planned.model_copy(update={"meta": None}).model_dump_json()
        assert "approves it in the host" in (planned.structured_content or {})["now"]
        assert await world(driver) == before
        refused = await host.refused(tool, "REFUSED", **CHANGES[tool], plan_token=token)
        assert "not as plan_token" in refused
        assert await world(driver) == before
        result = await host.client.call_tool(tool, CHANGES[tool], meta=cast("RequestParamsMeta", {PLAN_META: token}))
    assert not result.is_error
    assert await world(driver) != before


async def test_the_hosts_token_that_does_not_hold_is_followed_by_another_for_the_host_alone(
    driver: Driver, host_of: HostOf, mode: Mode
) -> None:
    async with host_of(mode, **HOST) as host:
        planned = await host.send("create_endpoint", **NEW)
        other = NEW | {"max_replica": 2}
        token = {PLAN_META: (planned.meta or {})[PLAN_META]}
        result = await host.client.call_tool("create_endpoint", other, meta=cast("RequestParamsMeta", token))
        assert "plan_token" not in new_plan(result)
        assert await world(driver) == []
        token = {PLAN_META: (result.meta or {})[PLAN_META]}
        result = await host.client.call_tool("create_endpoint", other, meta=cast("RequestParamsMeta", token))
    assert not result.is_error
    assert len(await world(driver)) == 1


async def test_a_policy_that_forbids_it_gives_no_token(driver: Driver, host_of: HostOf) -> None:
    async with host_of(**PLAN, limits=Limits(max_price_per_hour=0.1)) as host:
        message = await host.refused("create_endpoint", "REFUSED", **NEW)
    assert "exceed the limit" in message


async def test_plans_and_how_they_ended_are_lines_of_the_audit_trail(
    driver: Driver, host_of: HostOf, mode: Mode, tmp_path: Path
) -> None:
    trail, clock = tmp_path / "audit.jsonl", Clock()
    async with host_of(mode, **PLAN, audit_file=trail, clock=clock) as host:
        token = await planned(host, "create_endpoint", **NEW)
        await host.refused("create_endpoint", "REFUSED", **NEW, max_replica=2, plan_token=token)
        await host.refused("create_endpoint", "REFUSED", **NEW, plan_token="made up")
        await host.call("create_endpoint", **NEW, plan_token=token)
    noted = [(line["event"], line.get("outcome")) for line in lines(trail)]
    assert noted == [
        ("plan", None),
        ("approval", "drifted"),
        ("plan", None),
        ("approval", "malformed"),
        ("plan", None),
        ("approval", "approved"),
        ("change", "DONE"),
    ]
    assert {line["by"] for line in lines(trail) if "by" in line} == {"token"}
    assert token not in trail.read_text("utf-8")


async def test_a_plan_whose_call_is_long_is_carried_out_by_repeating_it(driver: Driver, host_of: HostOf) -> None:
    spec = NEW | {"env": {f"SETTING_{number}": "x" * 100 for number in range(30)}}
    async with host_of(**PLAN) as host:
        facts = await host.call("create_endpoint", **spec)
        assert facts["next"] == []
        assert (await host.call("create_endpoint", **spec, plan_token=facts["plan_token"]))["changed"] is True
