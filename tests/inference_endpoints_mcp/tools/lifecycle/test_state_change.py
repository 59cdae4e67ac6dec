"""Pausing, resuming and scaling to zero through the tools, and how an endpoint is named."""

from typing import Any

import pytest
from tests.support.hosts.host import Host
from tests.support.planes.plane_driver import Driver

from inference_endpoints_local.state.faults import Fault

pytestmark = pytest.mark.anyio

STEPS = {"pause_endpoint": "paused", "scale_endpoint_to_zero": "scaledToZero", "resume_endpoint": "pending"}


@pytest.mark.parametrize("tool", STEPS)
async def test_a_dry_run_of_a_state_change_changes_nothing_and_shows_a_price(
    driver: Driver, running: dict[str, Any], host: Host, tool: str
) -> None:
    facts = await host.call(tool, endpoint_name="chat", dry_run=True)
    assert facts["changed"] is False
    assert "per_hour_at_most_usd" in facts["plan"]
    assert await driver.get("chat") == running


@pytest.mark.parametrize("tool", STEPS)
async def test_a_repeated_state_change_succeeds_and_sends_nothing(
    driver: Driver, running: dict[str, Any], host: Host, tool: str
) -> None:
    if tool == "resume_endpoint":
        await driver.do("chat", "pause")
    first = await host.call(tool, endpoint_name="chat")
    assert (first["changed"], first["state"]) == (True, STEPS[tool])
    driver.plane.faults.arm(Fault.QUOTA_EXCEEDED, tool)
    second = await host.call(tool, endpoint_name="chat")
    assert (second["changed"], second["state"]) == (False, STEPS[tool])
    assert "nothing was sent" in second["now"]


async def test_a_stopped_endpoint_costs_nothing_and_a_running_one_its_price(
    running: dict[str, Any], modern: Host
) -> None:
    for tool, cost in (("get_endpoint", 0.033), ("scale_endpoint_to_zero", 0), ("pause_endpoint", 0)):
        assert (await modern.call(tool, endpoint_name="chat"))["cost_now_per_hour_usd"] == cost


async def test_resuming_after_a_failed_update_changes_nothing(
    driver: Driver, running: dict[str, Any], modern: Host
) -> None:
    await driver.call("PUT", "/v2/endpoint/acme/chat", {"model": {"env": {"SIMULATED_FAULT": "crash_on_start"}}})
    await driver.advance(3_600)
    assert await driver.state("chat") == "updateFailed"
    facts = await modern.call("resume_endpoint", endpoint_name="chat")
    assert facts["changed"] is False


@pytest.mark.parametrize("tool", [*STEPS, "get_endpoint", "update_endpoint", "get_endpoint_logs", "call_endpoint"])
async def test_an_endpoint_that_does_not_exist_is_not_found(modern: Host, tool: str) -> None:
    needs: dict[str, dict[str, Any]] = {"call_endpoint": {"text": "x"}, "update_endpoint": {"max_replica": 2}}
    await modern.refused(tool, "NOT_FOUND", endpoint_name="nothing", **needs.get(tool, {}))


@pytest.mark.parametrize(
    "name",
    [
        {"endpoint_name": "acme/chat"},
        {"endpoint_name": "chat", "namespace": "acme"},
        {"endpoint_name": "acme/chat", "namespace": "acme"},
    ],
)
async def test_an_endpoint_is_named_alone_or_with_its_namespace(
    running: dict[str, Any], host: Host, name: dict[str, str]
) -> None:
    assert (await host.call("get_endpoint", **name))["namespace"] == "acme"


async def test_two_different_namespaces_are_refused(running: dict[str, Any], modern: Host) -> None:
    await modern.refused("get_endpoint", "BAD_REQUEST", endpoint_name="acme/chat", namespace="other")


async def test_what_keeps_running_is_not_scaled_to_zero_and_the_hint_says_how(driver: Driver, modern: Host) -> None:
    await driver.create()
    await driver.advance(200)
    message = await modern.refused("scale_endpoint_to_zero", "BAD_REQUEST", endpoint_name="chat")
    assert "has no time-out for scaling to zero" in message
    assert "min_replica 0 and scale_to_zero_timeout 15" in message
    await modern.call("update_endpoint", endpoint_name="chat", min_replica=0, scale_to_zero_timeout=15)
    assert (await modern.call("scale_endpoint_to_zero", endpoint_name="chat"))["state"] == "scaledToZero"


async def test_a_paused_endpoint_is_not_made_one_that_any_call_wakes(
    driver: Driver, running: dict[str, Any], modern: Host
) -> None:
    await driver.do("chat", "pause")
    message = await modern.refused("scale_endpoint_to_zero", "BAD_REQUEST", endpoint_name="chat")
    assert "is paused: it costs nothing, and no call wakes it" in message
    assert await driver.state("chat") == "paused"
