"""A replica that is killed, and a rolling restart, while waits are open."""

import asyncio
from typing import Any

import pytest
from mcp import MCPError
from tests.broker.conftest import OLD, Replicas, host_at
from tests.broker.test_replicas import wish
from tests.support.command import address_of
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Mode

pytestmark = pytest.mark.anyio

SLOW = ("--confirm", "off", "--simulated-speed", "0.01")


async def lose_a_replica_while_waiting(replica: Any, mode: Mode) -> None:
    async with host_at(address_of(replica), mode) as host:
        waiting = asyncio.create_task(host.call("wait_for_endpoint", endpoint_name="chat", until="paused"))
        await host.wait_for_progress("0/1 replicas")
        replica.kill()
        await waiting


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_wait_of_a_killed_replica_fails_and_goes_on_at_another(replicas: Replicas, mode: Mode) -> None:
    killed, left = replicas.processes(*SLOW)
    async with host_at(address_of(left), mode) as other:
        await other.call("create_endpoint", **wish("chat"))
        with pytest.raises((MCPError, ExceptionGroup)):
            await lose_a_replica_while_waiting(killed, mode)
        again = asyncio.create_task(other.call("wait_for_endpoint", endpoint_name="chat", until="paused"))
        await other.wait_for_progress("0/1 replicas")
        await other.call("pause_endpoint", endpoint_name="chat")
        assert (await again)["reached"] is True


async def test_a_wait_that_a_rolling_restart_ends_goes_on_at_another_replica(replicas: Replicas) -> None:
    ending, left = replicas.processes(*SLOW, "--grace", str(round(HANG_TIMEOUT_S)))
    async with host_at(address_of(left)) as other:
        await other.call("create_endpoint", **wish("chat"))
        async with host_at(address_of(ending)) as host:
            await host.client.list_tools()  # else the client asks for them with the answer
            waiting = asyncio.create_task(host.call("wait_for_endpoint", endpoint_name="chat", until="paused"))
            await host.wait_for_progress("0/1 replicas")
            ending.terminate()
            waited = await waiting
        await asyncio.to_thread(ending.wait, HANG_TIMEOUT_S)
        assert waited["reached"] is False
        following = waited["next"][0]
        going_on = asyncio.create_task(other.call(following["tool"], **following["arguments"]))
        await other.wait_for_progress("0/1 replicas")
        async with host_at(address_of(replicas.one(f"{OLD}\n", *SLOW))) as started_again:
            await started_again.call("pause_endpoint", endpoint_name="chat")
        assert (await going_on)["reached"] is True
