"""Updating an endpoint through the tool."""

from typing import Any

import pytest
from tests.support.hosts.host import Host
from tests.support.planes.plane_driver import Driver

from inference_endpoints_local.state.faults import Fault

pytestmark = pytest.mark.anyio


async def test_an_update_changes_what_is_given_and_keeps_the_rest(
    driver: Driver, running: dict[str, Any], host: Host
) -> None:
    facts = await host.call("update_endpoint", endpoint_name="chat", repository="org/other", max_replica=4)
    after = await driver.get("chat")
    assert facts["changed"] is True
    assert facts["next"][0]["tool"] == "wait_for_endpoint"
    assert {change["setting"] for change in facts["plan"]["changes"]} == {
        "model.repository",
        "compute.scaling.maxReplica",
    }
    assert (after["model"]["repository"], after["compute"]["scaling"]["maxReplica"]) == ("org/other", 4)
    assert (after["model"]["env"], after["tags"], after["type"]) == ({"A": "1", "B": "2"}, ["team-a"], running["type"])


async def test_an_update_sets_variables_and_keeps_the_others(
    driver: Driver, running: dict[str, Any], modern: Host
) -> None:
    facts = await modern.call("update_endpoint", endpoint_name="chat", env={"B": "3"})
    assert facts["plan"]["changes"] == [{"setting": "model.env", "before": {"B": "2"}, "after": {"B": "3"}}]
    assert (await driver.get("chat"))["model"]["env"] == {"A": "1", "B": "3"}


@pytest.mark.parametrize(
    "same",
    [
        {"repository": "gpt2"},
        {"min_replica": 0},
        {"max_replica": 1, "scale_to_zero_timeout": 0},
        {"env": {"A": "1"}},
        {"config": {"tags": ["team-a"]}},
        {"hardware": "aws-us-east-1-intel-spr-x1"},
    ],
)
async def test_an_update_without_a_difference_sends_nothing(
    driver: Driver, running: dict[str, Any], modern: Host, same: dict[str, Any]
) -> None:
    driver.plane.faults.arm(Fault.QUOTA_EXCEEDED, "update_endpoint")
    facts = await modern.call("update_endpoint", endpoint_name="chat", **same)
    assert facts["changed"] is False
    assert "nothing was sent" in facts["now"]


async def test_an_update_of_nothing_at_all_is_refused(running: dict[str, Any], modern: Host) -> None:
    await modern.refused("update_endpoint", "BAD_REQUEST", endpoint_name="chat")


async def test_a_dry_run_of_an_update_shows_difference_and_price(
    driver: Driver, running: dict[str, Any], host: Host
) -> None:
    hardware = "aws-us-east-1-nvidia-l4-x1"
    facts = await host.call("update_endpoint", endpoint_name="chat", hardware=hardware, max_replica=2, dry_run=True)
    assert facts["plan"]["per_hour_at_most_usd"] == 1.6
    changes = {change["setting"]: (change["before"], change["after"]) for change in facts["plan"]["changes"]}
    assert changes["compute.instanceType"] == ("intel-spr", "nvidia-l4")
    assert await driver.get("chat") == running


async def test_other_hardware_in_another_region_moves_the_endpoint(
    driver: Driver, running: dict[str, Any], host: Host
) -> None:
    wish = {"endpoint_name": "chat", "hardware": "gcp-us-east4-nvidia-l4-x1"}
    preview = await host.call("update_endpoint", **wish, dry_run=True)
    planned = preview["plan"]
    assert preview["hardware"] == wish["hardware"]
    assert "It moves to gcp us-east4" in planned["warnings"][0]
    changes = {change["setting"]: (change["before"], change["after"]) for change in planned["changes"]}
    assert changes["provider.vendor"] == ("aws", "gcp")
    assert changes["provider.region"] == ("us-east-1", "us-east4")
    assert await driver.get("chat") == running
    facts = await host.call("update_endpoint", **wish)
    assert (facts["hardware"], facts["price_per_hour_usd"]) == (wish["hardware"], planned["per_hour_at_most_usd"])
    after = await driver.get("chat")
    assert after["provider"] == {"vendor": "gcp", "region": "us-east4"}
    assert after["model"] == running["model"]


@pytest.mark.parametrize(
    "config", [{"provider": {"region": "eu-west-1"}}, {"name": "other"}, {"model": {"secrets": {"A": "b"}}}]
)
async def test_config_cannot_move_rename_or_hold_secrets(
    driver: Driver, running: dict[str, Any], modern: Host, config: dict[str, Any]
) -> None:
    await modern.refused("update_endpoint", "BAD_REQUEST", endpoint_name="chat", config=config)
    assert await driver.get("chat") == running


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault.NO_CAPACITY, "NO_CAPACITY"), (Fault.QUOTA_EXCEEDED, "QUOTA_EXCEEDED")]
)
async def test_an_update_to_unavailable_hardware_names_alternatives(
    driver: Driver, running: dict[str, Any], modern: Host, fault: Fault, code: str
) -> None:
    driver.plane.faults.arm(fault, "update_endpoint")
    wish = {"endpoint_name": "chat", "hardware": "aws-us-east-1-nvidia-l4-x1"}
    message = await modern.refused("update_endpoint", code, **wish)
    assert "aws-us-east-1-nvidia-t4-x1 ($0.50/h)" in message
    assert "gcp" not in message


async def test_a_variable_cannot_be_removed_and_hardware_that_does_not_exist_gets_the_nearest_with_prices(
    driver: Driver, modern: Host
) -> None:
    await driver.create("chat", model={"env": {"A": "1"}})
    message = await modern.refused("update_endpoint", "BAD_REQUEST", endpoint_name="chat", clear=["env.A"])
    assert "The service cannot remove a variable" in message
    message = await modern.refused(
        "update_endpoint", "BAD_REQUEST", endpoint_name="chat", hardware="aws-us-east-1-nvidia-l4-x9"
    )
    assert "aws-us-east-1-nvidia-l4-x1 ($0.8/h)" in message


async def test_changing_what_is_paused_has_no_effect_now(driver: Driver, modern: Host) -> None:
    await driver.create("chat")
    await driver.advance(850)
    change = {"endpoint_name": "chat", "env": {"A": "1"}, "dry_run": True}
    assert (await modern.call("update_endpoint", **change))["plan"]["effect"] == "disrupts"
    await driver.do("chat", "pause")
    assert (await modern.call("update_endpoint", **change))["plan"]["effect"] == "none"


async def test_a_dry_run_that_changes_nothing_says_so_with_the_same_costs_and_quota(
    driver: Driver, modern: Host
) -> None:
    await driver.create("chat", compute={"scaling": {"minReplica": 1, "maxReplica": 2}})
    await driver.advance(850)
    plan = (await modern.call("update_endpoint", endpoint_name="chat", max_replica=2, dry_run=True))["plan"]
    assert "It already has these settings: nothing would be sent." in plan["warnings"]
    costs = [plan[f"per_hour_{when}_usd"] for when in ("now", "after", "at_most")]
    assert (costs, plan["quota_left"]) == ([0.033, 0.033, 0.066], 14)
