"""Subscriptions over streamable HTTP: only if the operator allows them, and while the stream is open."""

import asyncio
import signal
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ResourceUpdatedNotification
from tests.support.command import Run, Start, address_of
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Mode

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:resources.(un)?subscribe is removed")]

SPEC = {"repository": "a/b", "hardware": "aws-us-east-1-nvidia-l4-x1"}

Serve = Callable[..., tuple["subprocess.Popen[str]", str]]


@pytest.fixture
def serve(start: Start, run: Run, tmp_path: Path) -> Iterator[Serve]:
    """Starts a server with these flags on a simulated plane. Returns its process and address."""
    folder = ("--data-dir", str(tmp_path / "plane"))

    def serving(*flags: str) -> tuple["subprocess.Popen[str]", str]:
        process = start("serve", "--http", "--port", "0", "--local", "--simulated", *folder, *flags)
        return process, address_of(process)

    yield serving
    run("control-plane", "stop", *folder)


async def created(client: Client, name: str) -> str:
    result: Any = await client.call_tool("create_endpoint", {"endpoint_name": name, **SPEC})
    return f"endpoint://{result.structured_content['namespace']}/{name}"


async def test_there_are_no_subscriptions_unless_the_operator_allows_them(serve: Serve, mode: Mode) -> None:
    async with Client(streamable_http_client(serve()[1]), mode=mode) as client:
        assert client.server_capabilities.resources is not None
        assert not client.server_capabilities.resources.subscribe
        uri = "endpoint://acme/chat"
        subscribe: Any = client.listen(resource_subscriptions=[uri]).__aenter__
        if mode == "legacy":
            subscribe = partial(client.session.subscribe_resource, uri)
        with pytest.raises(MCPError, match="Method not found"):
            await subscribe()


async def test_a_change_is_sent_in_both_protocols_and_a_closed_stream_frees_its_place(serve: Serve) -> None:
    address = serve("--subscriptions", "2")[1]
    notified = asyncio.Event()

    async def on_message(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            notified.set()

    async with Client(streamable_http_client(address), mode="auto") as modern:
        uri = await created(modern, "one")
        for _ in range(2):
            async with Client(streamable_http_client(address), mode="legacy", message_handler=on_message) as legacy:
                await legacy.session.subscribe_resource(uri)
                async with modern.listen(resource_subscriptions=[uri]) as stream:
                    with pytest.raises(MCPError, match="at most 2 resources"):
                        await legacy.session.subscribe_resource(uri + "/logs")
                    await modern.call_tool("pause_endpoint", {"endpoint_name": "one"})
                    async with asyncio.timeout(HANG_TIMEOUT_S):
                        await anext(aiter(stream))
                        await notified.wait()
                notified.clear()
                await modern.call_tool("resume_endpoint", {"endpoint_name": "one"})


async def test_sigterm_ends_it_though_a_stream_is_open(serve: Serve) -> None:
    process, address = serve("--subscriptions", "2")
    async with (
        Client(streamable_http_client(address), mode="auto") as client,
        client.listen(resource_subscriptions=["endpoint://me/one"]),
    ):
        process.terminate()
        assert await asyncio.to_thread(process.wait, HANG_TIMEOUT_S) == -signal.SIGTERM
