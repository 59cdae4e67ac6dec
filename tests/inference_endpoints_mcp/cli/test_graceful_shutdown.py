"""How `serve --http` ends after SIGTERM: calls answer, and streams that nothing more comes on are closed."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from tests.support.command import Run, Start, address_of
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Mode, connected
from tests.support.hosts.http_server import ACCEPT, INITIALIZE
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.transport.http import httpx

CLOUD = "aws-us-east-1-nvidia-l4-x1"
CHAT = "endpoint://acme/chat"

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:resources.subscribe is removed")]


@pytest.fixture
def on_upstream(upstream: Upstream) -> Iterator["subprocess.Popen[str]"]:
    """The server on the scripted control plane, with a grace period that no test waits for."""
    command = [sys.executable, "-m", "tests.support.hosts.served_process", upstream.url, "3600"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_sigterm_lets_each_wait_answer_how_to_go_on(start: Start, run: Run, tmp_path: Path, mode: Mode) -> None:
    flags = ["--local", "--simulated", "--data-dir", str(tmp_path), "--grace", str(round(HANG_TIMEOUT_S))]
    process = start("serve", "--http", "--port", "0", *flags)
    async with connected(streamable_http_client(address_of(process)), mode) as host:
        for name in ("x", "y"):
            await host.call("create_endpoint", endpoint_name=name, repository="a/b", hardware=CLOUD)
        one = asyncio.create_task(host.call("wait_for_endpoint", endpoint_name="x", timeout_s=600))
        all_of = asyncio.create_task(host.call("wait_for_endpoint", names=["x", "y"], timeout_s=600))
        await host.wait_for_progress("0/1 replicas")
        await host.wait_for_progress("0/2 running")
        process.terminate()
        for waited in (await one, await all_of):
            assert waited["reached"] is False
            assert waited["next"][0]["tool"] == "wait_for_endpoint"
        await asyncio.to_thread(process.wait, HANG_TIMEOUT_S)
    await asyncio.to_thread(run, "control-plane", "stop", "--data-dir", str(tmp_path))
    assert "Traceback" not in (process.stderr.read() if process.stderr else "")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_sigterm_ends_it_though_a_person_is_asked_and_an_answer_after_that_spends_nothing(
    start: Start, run: Run, tmp_path: Path, mode: Mode
) -> None:
    plane = ["--local", "--simulated", "--confirm-simulated", "--data-dir", str(tmp_path / "plane")]
    trail = tmp_path / "audit"
    process = start("serve", "--http", "--port", "0", "--grace", "1", "--audit-file", str(trail), *plane)
    asked, has_ended = asyncio.Event(), asyncio.Event()

    async def approve_too_late(question: str) -> bool:
        asked.set()
        await has_ended.wait()
        return True

    lost = pytest.RaisesGroup(pytest.RaisesExc((MCPError, httpx.ConnectError)), flatten_subgroups=True)
    address = address_of(process)
    with lost:
        async with connected(streamable_http_client(address), mode, answer=approve_too_late) as host:
            wish = {"endpoint_name": "asked", "repository": "a/b", "hardware": CLOUD}
            creating = asyncio.create_task(host.send("create_endpoint", **wish))
            async with asyncio.timeout(HANG_TIMEOUT_S):
                await asked.wait()
            process.terminate()
            assert await asyncio.to_thread(process.wait, HANG_TIMEOUT_S) == -signal.SIGTERM
            has_ended.set()
            await creating
    assert [line["event"] for line in map(json.loads, trail.read_text().splitlines())] == ["plan"]
    address = address_of(start("serve", "--http", "--port", "0", *plane))
    async with connected(streamable_http_client(address), mode) as host:
        assert (await host.call("list_endpoints"))["total"] == 0
    await asyncio.to_thread(run, "control-plane", "stop", "--data-dir", str(tmp_path / "plane"))
    assert "Traceback" not in (process.stderr.read() if process.stderr else "")


async def test_sigterm_lets_a_call_answer_that_began_before(
    on_upstream: "subprocess.Popen[str]", upstream: Upstream
) -> None:
    """In the older protocol, where the stream of the session ends first."""
    has_arrived, goes_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        has_arrived.set()
        await goes_on.wait()

    upstream.answers("GET", "/v2/endpoint/acme/chat/replica", Answer(body={"items": []}, after=hold))
    address = address_of(on_upstream)
    async with httpx.AsyncClient(headers=ACCEPT, timeout=HANG_TIMEOUT_S) as client:
        opened = await client.post(address, json=INITIALIZE)
        session = {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
        await client.post(address, json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=session)
        params = {"name": "get_endpoint_replicas", "arguments": {"endpoint_name": "chat"}}
        call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
        calling = asyncio.create_task(client.post(address, json=call, headers=session))
        async with client.stream("GET", address, headers=session) as stream:
            assert stream.status_code == 200
            await has_arrived.wait()
            on_upstream.terminate()
            assert b"data" not in b"".join([part async for part in stream.aiter_raw()])
        goes_on.set()
        assert '"replicas":[]' in (await calling).text
    assert await asyncio.to_thread(on_upstream.wait, HANG_TIMEOUT_S) == -signal.SIGTERM


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_sigterm_does_not_wait_for_subscribers(
    on_upstream: "subprocess.Popen[str]", upstream: Upstream, mode: Mode
) -> None:
    upstream.shows("running")
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(streamable_http_client(address_of(on_upstream)), mode=mode))
        if mode == "legacy":
            await client.session.subscribe_resource(CHAT)
        else:
            await stack.enter_async_context(client.listen(resource_subscriptions=[CHAT]))
        on_upstream.terminate()
        assert await asyncio.to_thread(on_upstream.wait, HANG_TIMEOUT_S) == -signal.SIGTERM


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_sigterm_refuses_a_subscription_that_is_not_open_yet(
    on_upstream: "subprocess.Popen[str]", upstream: Upstream, mode: Mode
) -> None:
    has_arrived, never = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        has_arrived.set()
        await never.wait()

    upstream.answers("GET", "/v2/endpoint/acme/chat", Answer(after=hold))
    async with Client(streamable_http_client(address_of(on_upstream)), mode=mode) as client:

        async def subscribe() -> None:
            if mode == "legacy":
                await client.session.subscribe_resource(CHAT)
            else:
                async with client.listen(resource_subscriptions=[CHAT]):
                    pass

        subscribing = asyncio.create_task(subscribe())
        await has_arrived.wait()
        on_upstream.terminate()
        with pytest.raises(MCPError, match="about to end"):
            await subscribing
        assert await asyncio.to_thread(on_upstream.wait, HANG_TIMEOUT_S) == -signal.SIGTERM
