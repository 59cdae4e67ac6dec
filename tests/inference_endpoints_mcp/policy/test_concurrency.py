"""One caller cannot take the server from the others."""

import asyncio

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.host import pollers
from tests.support.planes.plane_driver import Driver
from tests.support.polling import eventually

pytestmark = pytest.mark.anyio


async def test_more_waits_than_allowed_are_refused_until_one_ends(driver: Driver, host_of: HostOf) -> None:
    await driver.create()
    async with host_of(max_waits=2) as host:
        waits = [asyncio.ensure_future(host.send("wait_for_endpoint", endpoint_name="chat")) for _ in range(2)]
        await eventually(lambda: pollers() == ["watch acme/chat"])
        await host.wait_for_progress("pending")
        message = await host.refused("wait_for_endpoint", "RATE_LIMITED", endpoint_name="chat")
        assert "already has 2 waits running" in message
        assert "--max-waits" in message
        assert (await host.call("get_endpoint", endpoint_name="chat"))["state"] == "pending"
        waits.pop().cancel()
        assert (await host.call("pause_endpoint", endpoint_name="chat"))["changed"] is True
        await asyncio.gather(*waits)
        assert (await host.call("wait_for_endpoint", endpoint_name="chat", until="paused"))["reached"] is True


async def test_more_calls_than_allowed_are_refused_and_do_nothing(driver: Driver, host_of: HostOf) -> None:
    await driver.create()
    async with host_of(max_calls=1) as host:
        waiting = asyncio.ensure_future(host.send("wait_for_endpoint", endpoint_name="chat"))
        await host.wait_for_progress("pending")
        message = await host.refused("pause_endpoint", "RATE_LIMITED", endpoint_name="chat")
        assert "nothing was done" in message
        assert (await driver.call("GET", "/v2/endpoint/acme/chat")).body["status"]["state"] == "pending"
        waiting.cancel()
