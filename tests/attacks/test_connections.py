"""Attacks by connections: many that are idle or send half a request, and a log that they could fill."""

import asyncio
import logging
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace

import pytest
from mcp.client.streamable_http import streamable_http_client
from tests.support.command import COMMAND, address_of
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Mode, connected
from tests.support.hosts.http_server import ACCEPT, INITIALIZE, ON_LOOPBACK, http_server

from inference_endpoints.transport.backend import Backend
from inference_endpoints.transport.http import httpx
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.server.http import connections as http_connections
from inference_endpoints_mcp.server.http.connections import RESERVED_DESCRIPTORS
from inference_endpoints_mcp.server.mcp_server import EndpointsServer
from inference_endpoints_mcp.server.observability.stderr_log import LINES_PER_PERIOD, RepetitionFilter
from inference_endpoints_mcp.server.transports import build_http_config

pytestmark = pytest.mark.anyio

A_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF_A_REQUEST = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def open_backend(_: AsyncExitStack) -> Backend:
    raise AssertionError("no test here calls a tool")


OPTIONS = ServerOptions(open_backend)


@asynccontextmanager
async def connections(address: str, number: int, sent: bytes = b"") -> AsyncIterator[list[Connection]]:
    port = int(address.removesuffix("/mcp").rpartition(":")[2])
    opened = []
    for _ in range(number):
        opened.append(await asyncio.open_connection("127.0.0.1", port))
        opened[-1][1].write(sent)
    try:
        yield opened
    finally:
        for _, writer in opened:
            writer.close()


async def answer_on(connection: Connection) -> str:
    """The first line of an answer to `A_REQUEST`."""
    async with asyncio.timeout(HANG_TIMEOUT_S):
        whole = await connection[0].readuntil(b"}")  # the end of its body
    return whole.partition(b"\r\n")[0].decode()


async def is_closed(connection: Connection) -> bool:
    async with asyncio.timeout(HANG_TIMEOUT_S):
        try:
            return not await connection[0].read(1)
        except ConnectionResetError:
            return True


@pytest.mark.parametrize("sent", [b"", HALF_A_REQUEST])
async def test_a_caller_gets_in_though_others_hold_all_connections(mode: Mode, sent: bytes) -> None:
    async with (
        http_server(OPTIONS, replace(ON_LOOPBACK, max_connections=20)) as address,
        connections(address, 60, sent) as held,
        connected(streamable_http_client(address), mode) as host,
    ):
        assert (await host.client.list_tools()).tools
        assert all(await asyncio.gather(*map(is_closed, held[:40])))


@pytest.mark.parametrize("sent", [HALF_A_REQUEST, A_REQUEST + HALF_A_REQUEST, A_REQUEST + b"GET /healthz HT"])
async def test_half_a_request_has_a_deadline_also_behind_a_whole_one(
    monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(http_connections, "REQUEST_DEADLINE_S", 0.2)
    async with http_server(OPTIONS) as address, connections(address, 3, sent) as held:
        for reader, _ in held:
            async with asyncio.timeout(HANG_TIMEOUT_S):
                with suppress(ConnectionResetError):
                    await reader.read()  # all that is answered, and the end


async def test_a_stream_does_not_give_way_and_whoever_finds_no_room_learns_when_to_come_back() -> None:
    async with (
        http_server(OPTIONS, replace(ON_LOOPBACK, max_connections=2)) as address,
        httpx.AsyncClient(timeout=HANG_TIMEOUT_S) as client,
        AsyncExitStack() as kept,
    ):
        opened = [await client.post(address, json=INITIALIZE, headers=ACCEPT) for _ in range(2)]
        sessions = [ACCEPT | {"Mcp-Session-Id": response.headers["mcp-session-id"]} for response in opened]
        stream = await kept.enter_async_context(client.stream("GET", address, headers=sessions[0]))
        async with client.stream("GET", address, headers=sessions[1]):
            refused = [await client.get(address) for _ in range(20)]
            assert {(each.status_code, each.headers["retry-after"]) for each in refused} == {(503, "5")}
        assert (await client.delete(address, headers=sessions[0])).status_code == 200
        assert await stream.aread() == b""  # it ends with its session


async def test_a_connection_that_was_used_does_not_give_way_to_many_that_are_not() -> None:
    async with (
        http_server(OPTIONS, replace(ON_LOOPBACK, max_connections=20)) as address,
        connections(address, 1, A_REQUEST) as [used],
    ):
        await answer_on(used)
        async with connections(address, 60) as unused:
            assert all(await asyncio.gather(*map(is_closed, unused[:40])))
            used[1].write(A_REQUEST)
            assert await answer_on(used) == "HTTP/1.1 200 OK"


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of descriptors, and no way to stop a process")
def test_a_server_with_few_descriptors_serves_though_many_idle_connections_came_at_once(
    environment: dict[str, str],
) -> None:
    limit = RESERVED_DESCRIPTORS + 40
    command = ["sh", "-c", f'ulimit -n {limit} && exec "$@"', "sh", *COMMAND, "serve", "--http", "--port", "0"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        address = address_of(process)

        async def attack() -> str:
            process.send_signal(signal.SIGSTOP)  # while a server is busy, connections pile up
            async with (
                connections(address, 200),
                connections(address, 1, A_REQUEST) as [honest],
                connections(address, 200),
            ):
                process.send_signal(signal.SIGCONT)
                return await answer_on(honest)

        assert asyncio.run(attack()) == "HTTP/1.1 200 OK"
    finally:
        process.terminate()
        _, log = process.communicate(timeout=HANG_TIMEOUT_S)
    assert log == ""


def test_clients_let_go_of_a_connection_before_the_server_does() -> None:
    config, _ = build_http_config(EndpointsServer(OPTIONS, Redactor()), ON_LOOPBACK)
    kept_by_httpx = httpx.Limits().keepalive_expiry
    assert kept_by_httpx is not None
    assert config.timeout_keep_alive > 60 > kept_by_httpx


def test_a_line_that_repeats_is_left_out_and_others_are_not() -> None:
    repetition = RepetitionFilter()

    def lines(text: str, *arguments: object) -> list[str]:
        records = [logging.LogRecord("a", logging.WARNING, "", 0, text, arguments, None) for _ in range(1_000)]
        return [record.getMessage() for record in records if repetition.filter(record)]

    shown = lines("request of %s", "somebody")
    assert len(shown) == LINES_PER_PERIOD
    assert "left out" in shown[-1]
    assert lines("something else")[0] == "something else"
