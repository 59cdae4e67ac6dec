"""Waiting for an endpoint: with progress, within the host's limit, until the goal is reached or impossible."""

import asyncio
import math
import time
from typing import Any

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Host, parts_of, pollers
from tests.support.planes.plane_driver import CAN_SLEEP, Driver
from tests.support.polling import eventually

from inference_endpoints_local.state.faults import Fault

pytestmark = pytest.mark.anyio

READY_S = 200


def wait(host: Host, **arguments: Any) -> "asyncio.Task[dict[str, Any]]":
    return asyncio.create_task(host.call("wait_for_endpoint", **{"endpoint_name": "chat", **arguments}))


async def test_a_wait_reports_every_state_and_ends_when_the_endpoint_is_healthy(driver: Driver, host: Host) -> None:
    await driver.create()
    waiting = wait(host)
    for seconds, message in ((0, "pending"), (10, "pulling the image"), (60, "loading the model")):
        await driver.advance(seconds)
        await host.wait_for_progress(message)
    await driver.advance(READY_S)
    facts = await waiting
    assert facts["reached"] is True
    assert facts["states_seen"] == ["pending", "initializing", "running"]
    assert "healthy" in facts["now"]
    count = len(host.progress)
    await asyncio.gather(*(host.call("whoami") for _ in range(3)))
    assert len(host.progress) == count, "no progress is sent after the result"
    assert pollers() == []


async def test_progress_grows_strictly_and_is_short(driver: Driver, host: Host) -> None:
    await driver.create(model={"repository": "org/" + "m" * 300})
    waiting = wait(host)
    await host.wait_for_progress("pending")
    for _ in range(2):
        await driver.advance(35)
        await host.wait_for_progress("initializing · 0/1 replicas")
    await driver.advance(READY_S)
    await waiting
    values = [value for value, _ in host.progress]
    assert values == sorted(set(values))
    assert all(len(message) < 200 for _, message in host.progress)
    assert any(message.startswith("initializing · 0/1 replicas · ") for _, message in host.progress)


async def test_the_first_notification_comes_before_the_service_answers(driver: Driver, host: Host) -> None:
    await driver.create()
    driver.plane.faults.arm(Fault.RATE_LIMITED, "whoami", 10_000)
    waiting = wait(host, timeout_s=600)
    await host.wait_for_progress("chat")
    waiting.cancel()


async def test_running_is_reached_only_when_the_health_route_answers(driver: Driver, host_of: HostOf) -> None:
    image = {"custom": {"url": "registry/x", "healthRoute": "/up"}}
    await driver.create(model={"image": image, "framework": "custom"})
    await driver.advance(READY_S)
    await driver.create_local("tiny", model={"env": {"TINY_LOADS_UNTIL": "/nowhere"}})
    async with host_of(host_timeout_s=0.5) as host:
        assert (await host.wait_on(endpoint_name="chat"))["reached"] is True
        assert (await wait(host, endpoint_name="tiny"))["reached"] is False


@pytest.mark.parametrize(
    ("fault", "words"), [("out_of_memory", "CUDA out of memory"), ("image_pull_failure", "manifest unknown")]
)
async def test_a_failure_ends_the_wait_at_once_with_cause_and_last_lines_in_a_fence(
    driver: Driver, host: Host, fault: str, words: str
) -> None:
    await driver.create(model={"env": {"SIMULATED_FAULT": fault}})
    waiting = asyncio.create_task(host.send("wait_for_endpoint", endpoint_name="chat"))
    await host.wait_for_progress("pending")
    await driver.advance(3_600)
    result = await asyncio.wait_for(waiting, HANG_TIMEOUT_S)
    first, second = parts_of(result)
    assert result.is_error
    assert first.startswith("FAILED: Endpoint acme/chat will not become running: it failed to deploy.")
    assert "diagnose_endpoint" in first
    assert words not in first
    assert words in second
    assert second.splitlines()[1].startswith("<untrusted-")
    assert pollers() == []


@pytest.mark.parametrize(
    ("action", "code"), [("pause", "PAUSED"), ("scale-to-zero", "SCALED_TO_ZERO"), ("delete", "NOT_FOUND")]
)
async def test_a_wait_ends_at_once_when_someone_else_stops_the_endpoint(
    driver: Driver, host: Host, action: str, code: str
) -> None:
    await driver.create(compute=CAN_SLEEP)
    waiting = asyncio.create_task(host.refused("wait_for_endpoint", code, endpoint_name="chat"))
    await host.wait_for_progress("pending")
    if action == "delete":
        await driver.call("DELETE", "/v2/endpoint/acme/chat")
    else:
        await driver.do("chat", action)
    await asyncio.wait_for(waiting, HANG_TIMEOUT_S)


@pytest.mark.parametrize(
    ("until", "tool"),
    [("paused", "pause_endpoint"), ("scaled_to_zero", "scale_endpoint_to_zero")],
)
async def test_every_goal_can_be_waited_for(driver: Driver, host: Host, until: str, tool: str) -> None:
    await driver.create(compute=CAN_SLEEP)
    await driver.advance(READY_S)
    waiting = wait(host, until=until)
    await host.wait_for_progress("running")
    await host.call(tool, endpoint_name="chat")
    assert (await waiting)["reached"] is True


async def test_waiting_for_deletion_ends_when_it_is_gone(driver: Driver, host: Host) -> None:
    await driver.create()
    waiting = wait(host, until="deleted")
    await host.wait_for_progress("pending")
    await driver.call("DELETE", "/v2/endpoint/acme/chat")
    facts = await waiting
    assert (facts["reached"], facts["now"]) == (True, "It does not exist any more.")


async def test_at_the_hosts_limit_the_output_has_the_call_that_continues(driver: Driver, host_of: HostOf) -> None:
    await driver.create()
    async with host_of(host_timeout_s=0.3) as host:
        started = time.monotonic()
        facts = await wait(host, timeout_s=100)
        while not facts["states_seen"]:  # on a busy machine the first read takes longer
            facts = await wait(host, **facts["next"][0]["arguments"])
        assert facts["reached"] is False
        assert (facts["state"], facts["states_seen"]) == ("pending", ["pending"])
        assert "The host's time limit" in facts["now"]
        (again,) = facts["next"]
        assert again["tool"] == "wait_for_endpoint"
        assert 100 - math.ceil(time.monotonic() - started) <= again["arguments"]["timeout_s"] <= 100
        await driver.advance(READY_S)
        assert (await host.wait_on(**again["arguments"]))["reached"] is True


async def test_a_wait_with_a_short_timeout_ends_without_a_call_to_continue(driver: Driver, modern: Host) -> None:
    await driver.create()
    facts = await wait(modern, timeout_s=1)
    assert facts["reached"] is False
    assert "The host's time limit" not in facts["now"]


async def test_cancelling_a_wait_ends_its_poller(driver: Driver, host: Host) -> None:
    await driver.create()
    waiting = wait(host)
    await host.wait_for_progress("pending")
    assert pollers() == ["watch acme/chat"]
    waiting.cancel()
    await eventually(lambda: pollers() == [])


async def test_all_waits_of_a_caller_share_one_poller(driver: Driver, modern: Host) -> None:
    await driver.create()
    waiting = [wait(modern) for _ in range(32)]
    await modern.wait_for_progress("pending")
    assert pollers() == ["watch acme/chat"]
    waiting[0].cancel()
    await driver.advance(READY_S)
    assert all(facts["reached"] for facts in await asyncio.gather(*waiting[1:]))
    assert pollers() == []


async def test_a_wait_reports_and_survives_a_short_failure_of_the_control_plane(driver: Driver, modern: Host) -> None:
    await driver.create()
    waiting = wait(modern)
    await modern.wait_for_progress("pending")
    driver.plane.faults.arm(Fault.SERVER_ERROR, "get_endpoint", 10_000)
    await modern.wait_for_progress("the control plane does not answer, still trying")
    driver.plane.faults.clear()
    await driver.advance(READY_S)
    assert (await waiting)["reached"] is True


async def test_a_wait_right_after_a_resume_ignores_the_old_state(driver: Driver, host: Host) -> None:
    await driver.create()
    await host.call("pause_endpoint", endpoint_name="chat")
    await host.call("resume_endpoint", endpoint_name="chat")
    waiting = wait(host)
    await host.wait_for_progress("pending")
    await driver.advance(READY_S)
    assert (await waiting)["reached"] is True


async def test_a_wait_for_a_reached_goal_ends_at_the_first_observation(driver: Driver, host: Host) -> None:
    await driver.create(model={"image": {"tgi": {"url": "tgi:3"}}})
    await driver.advance(READY_S)
    facts = await asyncio.wait_for(wait(host), HANG_TIMEOUT_S)
    assert facts["next"] == [], "it is simulated: no model runs"
    await driver.create_local("tiny")
    facts = await asyncio.wait_for(wait(host, endpoint_name="tiny"), HANG_TIMEOUT_S)
    assert facts["next"][0]["tool"] == "chat_with_endpoint"


async def test_a_wait_for_a_missing_endpoint_is_refused(modern: Host) -> None:
    await modern.refused("wait_for_endpoint", "NOT_FOUND", endpoint_name="nothing")


async def test_a_slow_reader_delays_no_other_caller(driver: Driver, host_of: HostOf) -> None:
    await driver.create()
    stalled = asyncio.Event()
    async with host_of() as slow, host_of() as quick:

        async def read_nothing(progress: float, total: float | None, message: str | None) -> None:
            await stalled.wait()

        held = asyncio.create_task(
            slow.client.call_tool("wait_for_endpoint", {"endpoint_name": "chat"}, progress_callback=read_nothing)
        )
        waiting = wait(quick)
        await quick.wait_for_progress("pending")
        await driver.advance(READY_S)
        assert (await asyncio.wait_for(waiting, HANG_TIMEOUT_S))["reached"] is True
        stalled.set()
        await asyncio.wait_for(held, HANG_TIMEOUT_S)


async def test_a_wait_that_is_cut_short_says_how_long_such_a_start_usually_takes(
    driver: Driver, host_of: HostOf
) -> None:
    await driver.create(model={"repository": "org/model-7B"})
    async with host_of(host_timeout_s=0.5) as host:
        facts = await wait(host)
        while "expected_left_s" not in facts:  # on a busy machine the first reads take longer
            facts = await wait(host, **facts["next"][0]["arguments"])
    assert facts["reached"] is False
    assert "A model of its size usually takes about 7 min" in facts["now"]
    assert 300 < facts["expected_left_s"] < 440
