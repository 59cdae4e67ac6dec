"""The command as hosts run it: over stdio, in its own process."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp.client.stdio import StdioServerParameters, stdio_client
from tests.support.command import INHERITED
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Mode, connected

from inference_endpoints_local.daemon import connect
from inference_endpoints_mcp.server.tool_calls import published_tools

pytestmark = pytest.mark.anyio

COMMAND = ("-m", "inference_endpoints_mcp")
CLOUD = "aws-us-east-1-nvidia-l4-x1"
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}},
}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}
LIST = {"jsonrpc": "2.0", "method": "tools/list"}
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
NONSENSE = [
    (b"this is no JSON", None, PARSE_ERROR),
    (b'{"jsonrpc": "2.0", "id": 99, "meth', None, PARSE_ERROR),
    (b"\xff\xfe\x00", None, PARSE_ERROR),
    (b"[]", None, INVALID_REQUEST),
    (b'{"jsonrpc": "2.0", "id": 99}', 99, INVALID_REQUEST),
    (b'{"jsonrpc": "2.0", "id": 99, "method": "tools/list", "params": {"a": "\\ud83d"}}', 99, PARSE_ERROR),
    (b'{"jsonrpc": "2.0", "id": 99, "method": "no/such/method"}', 99, METHOD_NOT_FOUND),
    (
        b'{"jsonrpc": "2.0", "id": 99, "method": "tools/call", "params": {"name": "whoami", "arguments": "x"}}',
        99,
        INVALID_PARAMS,
    ),
    (b'{"a":' * 50_000, None, PARSE_ERROR),
    (b'{"jsonrpc": "2.0", "id": 99, "method": "' + b"x" * 1_000_000 + b'"}', 99, METHOD_NOT_FOUND),
]
"""A line, the id in its answer, and the error's code."""
LONGEST_LINE = 4 * 1024 * 1024


def environment(home: Path) -> dict[str, str]:
    """The environment without settings of the user who runs the tests."""
    kept = {name: value for name, value in os.environ.items() if name in INHERITED}
    return kept | {"HOME": str(home)}


@pytest.fixture
async def folder(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Path]:
    """A data folder. Its plane is stopped at the end."""
    yield tmp_path / "data"
    await connect.stop_plane(tmp_path / "data")


@asynccontextmanager
async def started(home: Path, *flags: str, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A server whose stdin and stdout belong to the test."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *COMMAND,
        *flags,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        limit=LONGEST_LINE,
        env=environment(home) | variables,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def send(process: asyncio.subprocess.Process, *messages: Any) -> None:
    assert process.stdin is not None
    for message in messages:
        process.stdin.write(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n")
    await process.stdin.drain()


def calling(request_id: int, tool: str, **arguments: Any) -> dict[str, Any]:
    params = {"name": tool, "arguments": {"endpoint_name": "chat", **arguments}}
    return {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}


async def answer_to(process: asyncio.subprocess.Process, request_id: int | None) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(HANG_TIMEOUT_S):
        while True:
            message = json.loads(await process.stdout.readline())
            if "method" not in message and message["id"] == request_id:
                return dict(message)


async def test_without_a_token_tools_are_listed_and_each_error_names_both_options(tmp_path: Path, mode: Mode) -> None:
    minimal = {"endpoint_name": "chat", "repository": "org/model", "text": "a", "message": "a", "max_replica": 2}
    server = StdioServerParameters(command=sys.executable, args=[*COMMAND], env=environment(tmp_path))
    async with connected(stdio_client(server), mode, answer=lambda _: "chat") as host:
        tools = (await host.client.list_tools()).tools
        assert len(tools) == len(published_tools())
        for tool in tools:
            known = tool.input_schema["properties"]
            required = {*tool.input_schema.get("required", ()), "endpoint_name", "text", "message"}
            arguments = {name: value for name, value in minimal.items() if name in known and name in required}
            if tool.name == "update_endpoint":
                arguments["max_replica"] = 2
            for namespace in ({}, {"namespace": "acme"}):
                if namespace.keys() <= known.keys():
                    text = await host.refused(tool.name, "NOT_CONFIGURED", **arguments, **namespace)
                    assert "HF_TOKEN" in text
                    assert "--local" in text


async def test_an_endpoints_life_on_the_embedded_plane_over_stdio(tmp_path: Path, folder: Path, mode: Mode) -> None:
    flags = ["--local", "--data-dir", str(folder), "--simulated", "--simulated-speed", "100"]
    server = StdioServerParameters(command=sys.executable, args=[*COMMAND, *flags], env=environment(tmp_path))
    async with connected(stdio_client(server), mode, answer=lambda _: "chat") as host:
        spec = {"endpoint_name": "chat", "repository": "org/model", "hardware": "aws-us-east-1-nvidia-l4-x1"}
        assert (await host.call("create_endpoint", **spec))["backend"] == "simulated"
        assert (await host.call("wait_for_endpoint", endpoint_name="chat"))["reached"] is True
        assert host.progress
        assert (await host.call("pause_endpoint", endpoint_name="chat"))["state"] == "paused"
        assert (await host.call("delete_endpoint", endpoint_name="chat"))["changed"] is True
        assert (await host.call("list_endpoints"))["total"] == 0


async def test_an_invalid_line_gets_an_error_and_the_server_still_answers(tmp_path: Path) -> None:
    async with started(tmp_path) as process:
        await send(process, HELLO)
        assert "result" in await answer_to(process, 1)
        await send(process, READY, b"\n")
        for number, (nonsense, answered, code) in enumerate(NONSENSE, 2):
            await send(process, nonsense + b"\n")
            assert (await answer_to(process, answered))["error"]["code"] == code, nonsense[:50]
            await send(process, LIST | {"id": number})
            assert len((await answer_to(process, number))["result"]["tools"]) == len(published_tools()), nonsense[:50]


@pytest.mark.parametrize("received", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_quietly_though_a_wait_is_open(
    tmp_path: Path, folder: Path, received: signal.Signals
) -> None:
    flags = ["--local", "--simulated", "--simulated-speed", "0.001", "--data-dir", str(folder)]
    async with started(tmp_path, *flags) as process:
        await send(process, HELLO, READY, calling(2, "create_endpoint", repository="a/b", hardware=CLOUD))
        assert "result" in await answer_to(process, 2)
        wait = calling(3, "wait_for_endpoint")
        wait["params"]["_meta"] = {"progressToken": "p"}
        await send(process, wait)
        assert process.stdout is not None
        async with asyncio.timeout(HANG_TIMEOUT_S):
            while b"notifications/progress" not in await process.stdout.readline():
                pass
            process.send_signal(received)
            assert await process.wait() == -received
        assert process.stderr is not None
        assert await process.stderr.read() == b""


async def test_a_closed_stdout_ends_it_without_a_traceback(tmp_path: Path) -> None:
    read, write = os.pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *COMMAND,
        stdin=asyncio.subprocess.PIPE,
        stdout=write,
        stderr=asyncio.subprocess.PIPE,
        env=environment(tmp_path),
    )
    os.close(write)
    os.close(read)
    async with asyncio.timeout(HANG_TIMEOUT_S):
        _, written = await process.communicate(json.dumps(HELLO).encode() + b"\n")
    assert process.returncode == 0
    assert b"the host closed our stdout" in written
    assert b"Traceback" not in written


async def test_an_incomplete_message_and_a_closed_pipe_end_the_server_quietly(tmp_path: Path) -> None:
    async with started(tmp_path) as process:
        await send(process, HELLO)
        await answer_to(process, 1)
        await send(process, b'{"jsonrpc": "2.0", "id"')
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(HANG_TIMEOUT_S):
            assert await process.wait() == 0
        assert process.stderr is not None
        assert b"Traceback" not in await process.stderr.read()


async def test_no_secret_of_the_environment_reaches_stdout_or_stderr(tmp_path: Path) -> None:
    canary = "hf_" + "Canary01" * 5
    call = {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "get_endpoint", "arguments": {}}}
    wrong = call["params"] | {"arguments": {"endpoint_name": f"{canary}/{canary}", canary: canary}}  # type: ignore[operator]
    async with started(tmp_path, "--namespace", "acme", HF_TOKEN=canary) as process:
        await send(process, HELLO)
        hello = await answer_to(process, 1)
        await send(process, READY, canary.encode() + b"\n", call | {"params": wrong})
        refused = await answer_to(process, 3)
        assert process.stdin is not None
        process.stdin.close()
        out, err = await process.communicate()
    assert refused["result"]["isError"]
    assert canary not in json.dumps([hello, refused])
    assert canary.encode() not in out + err


@pytest.mark.parametrize(
    ("flags", "about"),
    [
        (["--hold", "-1"], "--hold"),
        (["--max-price-per-hour", "cheap"], "--max-price-per-hour"),
        (["--confirm", "never"], "--confirm"),
        (["nonsense"], "Unknown command"),
    ],
)
async def test_an_invalid_flag_is_named_and_nothing_is_served(tmp_path: Path, flags: list[str], about: str) -> None:
    async with started(tmp_path, *flags) as process:
        out, err = await process.communicate()
    assert process.returncode == 2
    assert about in err.decode()
    assert out == b""
