"""What a wait survives, and what ends it: a control plane that fails or restarts, slow starts and crashes."""

import asyncio
import math
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Host, Mode, parts_of, pollers, serving
from tests.support.hosts.options import options_for
from tests.support.planes.plane_driver import TOKEN, Driver, PlaneOf
from tests.support.polling import eventually
from tests.support.service.scripted_upstream import SILENT, Answer, Upstream

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.clients.hardware_cache import MAX_OFFER_AGE_S, HardwareCache
from inference_endpoints.errors import NotFound, Unavailable
from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_local.state.faults import Fault
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.tools.lifecycle import wait_for_endpoint as wait_tool

pytestmark = pytest.mark.anyio

READY_S = 200
HARDWARE = "/v2/provider/acme"
STILL_TRYING = "the control plane does not answer, still trying"


def wait(host: Host, **arguments: Any) -> "asyncio.Task[dict[str, Any]]":
    return asyncio.create_task(host.call("wait_for_endpoint", **{"endpoint_name": "chat", **arguments}))


async def test_a_wait_for_an_update_lasts_until_the_new_configuration_serves(driver: Driver, host: Host) -> None:
    await driver.create()
    await driver.advance(READY_S)
    await host.call("update_endpoint", endpoint_name="chat", revision="new")
    waiting = wait(host, until="updated")
    await host.wait_for_progress("updating")
    assert not waiting.done()
    await driver.advance(READY_S)
    facts = await asyncio.wait_for(waiting, HANG_TIMEOUT_S)
    assert (facts["reached"], facts["state"]) == (True, "running")
    assert "latest configuration" in facts["now"]


async def test_a_wait_for_an_update_ends_at_once_when_it_fails(driver: Driver, host: Host) -> None:
    await driver.create()
    await driver.advance(READY_S)
    await driver.call("PUT", "/v2/endpoint/acme/chat", {"model": {"env": {"SIMULATED_FAULT": "out_of_memory"}}})
    waiting = asyncio.create_task(host.refused("wait_for_endpoint", "FAILED", endpoint_name="chat", until="updated"))
    await host.wait_for_progress("updating")
    await driver.advance(3_600)
    assert "its last update failed" in await asyncio.wait_for(waiting, HANG_TIMEOUT_S)


async def test_a_wait_survives_ten_seconds_of_status_500(driver: Driver, host: Host) -> None:
    await driver.create()
    waiting = wait(host)
    await host.wait_for_progress("pending")
    driver.plane.faults.arm(Fault.SERVER_ERROR, "get_endpoint", 10_000)
    await host.wait_for_progress(STILL_TRYING)
    await driver.advance(10)
    driver.plane.faults.clear()
    await host.wait_for_progress("pulling the image")
    await driver.advance(READY_S)
    assert (await asyncio.wait_for(waiting, HANG_TIMEOUT_S))["reached"] is True


async def test_a_wait_survives_a_restart_of_the_plane(plane_of: PlaneOf, mode: Mode) -> None:
    running: list[Driver] = []

    async def open_backend(_: AsyncExitStack) -> Backend:
        return local(running[0].plane.url, TOKEN)

    async def reconnect(_: Backend) -> Backend:
        if not running:
            raise Unavailable("There is none.")
        return local(running[0].plane.url, TOKEN)

    async with serving(ServerOptions(open_backend, reconnect=reconnect, poll_interval=0.05), mode) as host:
        async with plane_of() as driver:
            running.append(driver)
            await driver.create()
            waiting = wait(host)
            await host.wait_for_progress("pending")
        running.clear()
        await host.wait_for_progress(STILL_TRYING)
        async with plane_of() as driver:
            running.append(driver)
            await driver.advance(READY_S)
            assert (await asyncio.wait_for(waiting, HANG_TIMEOUT_S))["reached"] is True


async def test_a_token_that_is_no_longer_accepted_ends_the_wait(driver: Driver, host: Host) -> None:
    await driver.create()
    waiting = asyncio.create_task(host.refused("wait_for_endpoint", "UNAUTHORIZED", endpoint_name="chat"))
    await host.wait_for_progress("pending")
    driver.plane.token = "another"
    await asyncio.wait_for(waiting, HANG_TIMEOUT_S)
    assert pollers() == []


async def test_a_slow_start_is_reported_phase_by_phase(driver: Driver, host: Host) -> None:
    await driver.create(model={"env": {"SIMULATED_FAULT": "slow_start"}})
    waiting = wait(host)
    for seconds, phase in ((0, "waiting to be scheduled"), (100, "pulling the image"), (600, "loading the model")):
        await driver.advance(seconds)
        await host.wait_for_progress(phase)
    await driver.advance(10 * READY_S)
    assert (await asyncio.wait_for(waiting, HANG_TIMEOUT_S))["reached"] is True


async def test_a_wait_lasts_while_the_endpoint_is_unhealthy(driver: Driver, host: Host, tmp_path: Path) -> None:
    loaded = tmp_path / "loaded"
    await driver.create_local("tiny", model={"env": {"TINY_LOADS_UNTIL": str(loaded)}})
    waiting = wait(host, endpoint_name="tiny")
    await host.wait_for_progress("initializing · 0/1 replicas")
    await driver.advance(600)
    assert not waiting.done()
    loaded.touch()
    assert (await asyncio.wait_for(waiting, HANG_TIMEOUT_S))["reached"] is True


async def test_a_crash_on_start_ends_the_wait_with_the_last_lines(driver: Driver, host: Host) -> None:
    await driver.create(model={"env": {"SIMULATED_FAULT": "crash_on_start"}})
    waiting = asyncio.create_task(host.send("wait_for_endpoint", endpoint_name="chat"))
    await host.wait_for_progress("pending")
    await driver.advance(3_600)
    error, last_lines = parts_of(await asyncio.wait_for(waiting, HANG_TIMEOUT_S))
    assert error.startswith("FAILED: ")
    assert "weights are not in a known format" in last_lines


@pytest.mark.parametrize("host_timeout_s", [0.5, 1.0])
async def test_continuing_after_each_host_limit_loses_no_time(
    driver: Driver, host_of: HostOf, host_timeout_s: float
) -> None:
    await driver.create()
    async with host_of(host_timeout_s=host_timeout_s) as host:
        left = 300
        for _ in range(3):
            started = time.monotonic()
            (again,) = (await wait(host, timeout_s=left))["next"]
            assert left - math.ceil(time.monotonic() - started) <= again["arguments"]["timeout_s"] <= left
            left = again["arguments"]["timeout_s"]
        await driver.advance(READY_S)
        assert (await host.wait_on(**again["arguments"]))["reached"] is True


async def test_a_wait_whose_time_is_up_answers_though_the_prices_do_not_come(upstream: Upstream, mode: Mode) -> None:
    upstream.shows("initializing")
    upstream.answers("GET", HARDWARE, SILENT)
    async with serving(options_for(local(upstream.url, TOKEN), host_timeout_s=1), mode) as host:
        waited = await host.call("wait_for_endpoint", endpoint_name="chat")
    assert (waited["reached"], waited["state"]) == (False, "initializing")
    assert "price_per_hour_now_usd" not in waited


async def test_a_namespace_that_does_not_answer_delays_no_other(upstream: Upstream) -> None:
    upstream.answers("GET", HARDWARE, SILENT)
    async with AsyncEndpointsClient(local(upstream.url, TOKEN)) as client:
        cache = HardwareCache(client)
        waiting = asyncio.create_task(cache.prices("acme"))
        await eventually(lambda: bool(upstream.seen))
        with pytest.raises(NotFound):
            await cache.prices("lab")
        assert not waiting.done()
        waiting.cancel()


async def test_progress_says_when_an_endpoint_was_seen_last(
    upstream: Upstream, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wait_tool, "UNSEEN_S", 1.0)
    upstream.answers("GET", "/v2/endpoint/acme/chat", Answer(body=upstream.endpoint("initializing")), SILENT)
    async with serving(options_for(local(upstream.url, TOKEN), poll_interval=0.05), mode) as host:
        waiting = wait(host)
        await host.wait_for_progress("ago, still trying")
        assert all("initializing" in message for _, message in host.progress if "seen" in message)
        waiting.cancel()


async def test_what_hardware_costs_is_computed_once_for_each_listing(upstream: Upstream) -> None:
    upstream.answers("GET", HARDWARE, Answer(body={"vendors": []}))
    now = 0.0
    async with AsyncEndpointsClient(local(upstream.url, TOKEN)) as client:
        cache = HardwareCache(client, now=lambda: now)
        costs = await cache.costs("acme")
        assert await cache.costs("acme") is costs
        now += MAX_OFFER_AGE_S
        assert await cache.costs("acme") is not costs
    assert len(upstream.seen) == 2
