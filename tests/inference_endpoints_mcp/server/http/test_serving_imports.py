"""A server over HTTP has loaded everything before it is called: without a free descriptor it could open no module."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mcp.client.streamable_http import streamable_http_client
from tests.benchmarks.peers.peer import OUR_SERVER
from tests.support.command import Run
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.every_tool import EVERY_TOOL
from tests.support.hosts.host import Mode, connected
from tests.support.polling import eventually

from inference_endpoints.transport.http import httpx

pytestmark = pytest.mark.anyio

NEEDS_AN_ANSWER = frozenset({"call_endpoint", "chat_with_endpoint"})
"""What is simulated answers no call. The tools load what they need all the same."""


@pytest.fixture
def report(environment: dict[str, str], run: Run, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Reads what a server on a simulated plane has printed: each import, and between them its address."""
    plane = ["--local", "--simulated", "--simulated-speed", "1000", "--data-dir", str(tmp_path / "plane")]
    command = [sys.executable, "-X", "importtime", *OUR_SERVER, "serve", "--http", "--port", "0", *plane]
    with (
        (tmp_path / "report").open("w") as stderr,
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=stderr) as process,
    ):
        yield (tmp_path / "report").read_text
        process.send_signal(signal.SIGTERM)
        process.wait(HANG_TIMEOUT_S)
    run("control-plane", "stop", "--data-dir", str(tmp_path / "plane"))


async def test_no_call_of_a_tool_loads_a_module(report: Callable[[], str], mode: Mode) -> None:
    await eventually(lambda: "Serving " in report(), "the server serves")
    address = re.findall(r"Serving (\S+)", report())[0]
    async with httpx.AsyncClient(timeout=HANG_TIMEOUT_S) as client:
        assert (await client.get(address.removesuffix("/mcp") + "/healthz")).status_code == 200
    before = report()
    async with connected(streamable_http_client(address), mode, answer=lambda question: "chat") as host:
        await host.client.list_tools()
        await host.client.list_resources()
        await host.client.list_prompts()
        for tool, arguments in EVERY_TOOL.items():
            result = await host.send(tool, **arguments)
            assert not result.is_error or tool in NEEDS_AN_ANSWER, result.content
    later = report().removeprefix(before)
    assert re.findall(r"^import time:[^|]*\|[^|]*\| +(\S+)$", later, re.MULTILINE) == []
