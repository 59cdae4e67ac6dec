"""Attacks over HTTP: to act as someone else, to take the server from others, and to reach it where one may not."""

import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import PromptReference
from starlette.datastructures import Headers
from tests.support.command import write_private
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.guarded_client import guarded
from tests.support.hosts.host import Host, Mode, connected, serving
from tests.support.hosts.http_server import ACCEPT, INITIALIZE, ON_LOOPBACK, http_server
from tests.support.hosts.options import options_for
from tests.support.polling import eventually
from tests.support.service.scripted_upstream import SILENT, Answer, Upstream

from inference_endpoints.errors import RateLimited
from inference_endpoints.transport.backend import Backend
from inference_endpoints.transport.http import MAX_CONNECTIONS, httpx
from inference_endpoints_mcp.cli.main import main
from inference_endpoints_mcp.policy.caller import Caller, current_caller
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.privacy.private_file import is_private
from inference_endpoints_mcp.server.http.access import AccessRules, ServerExposure
from inference_endpoints_mcp.server.http.listening import ListenError, UnixSocket
from inference_endpoints_mcp.server.http.sign_in.keys import KeyFileError, SharedKeyFile

pytestmark = pytest.mark.anyio

SLOW = "/v2/endpoint/acme/slow"
READ_SLOW = "endpoint://acme/slow"


@asynccontextmanager
async def client_from(address: str = "127.0.0.1", **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose connections come from this address of the loopback network."""
    transport = httpx.AsyncHTTPTransport(local_address=address)
    async with httpx.AsyncClient(transport=transport, headers=headers, timeout=HANG_TIMEOUT_S) as client:
        yield client


async def open_session(client: httpx.AsyncClient, address: str) -> httpx.Response:
    return await client.post(address, json=INITIALIZE, headers=ACCEPT)


async def status_of_session(client: httpx.AsyncClient, address: str, opened: httpx.Response) -> int:
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    headers = ACCEPT | {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
    return (await client.post(address, json=ping, headers=headers)).status_code


@pytest.mark.parametrize(
    ("proxies", "forwarded", "recorded"),
    [
        ((), "203.0.113.9", "127.0.0.1"),
        (("127.0.0.2",), "203.0.113.9", "127.0.0.1"),
        (("127.0.0.1",), "203.0.113.9", "203.0.113.9"),
        (("127.0.0.0/30", "10.0.0.1"), "198.51.100.7, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
    ],
)
async def test_only_a_named_proxy_says_who_the_caller_is(
    backend: Backend, tmp_path: Path, mode: Mode, proxies: tuple[str, ...], forwarded: str, recorded: str
) -> None:
    options = options_for(backend, limits=Limits(read_only=True), audit_file=tmp_path / "audit")
    async with (
        http_server(options, replace(ON_LOOPBACK, trusted_proxies=proxies)) as address,
        client_from(**{"X-Forwarded-For": forwarded}) as client,
        connected(streamable_http_client(address, http_client=client), mode) as host,
    ):
        await host.refused("delete_endpoint", "REFUSED", endpoint_name="chat")
    (line,) = (tmp_path / "audit").read_text().splitlines()
    assert json.loads(line)["address"] == recorded


@pytest.mark.parametrize("proxies", ["*", "0.0.0.0/0", "::/0", "proxy.example", "10.0.0.1,all", "10.0.0.0/33"])
def test_not_everybody_can_be_a_proxy(proxies: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--http", "--trusted-proxies", proxies])
    assert "--trusted-proxies" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["https://mcp.example", "*", "*.example", "mcp.example:port", "robot@mcp.example"])
def test_not_everything_can_be_the_name_of_the_server(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--http", "--allowed-hosts", name])
    assert "--allowed-hosts" in capsys.readouterr().err


async def test_reads_lists_prompts_and_completion_count_as_calls(
    upstream: Upstream, backend: Backend, mode: Mode
) -> None:
    upstream.answers("GET", SLOW, SILENT)
    async with serving(options_for(backend, max_calls=1), mode) as host:
        reading = asyncio.create_task(host.client.read_resource(READ_SLOW))
        await eventually(lambda: bool(upstream.seen))
        chat = PromptReference(type="ref/prompt", name="deploy_model")
        requests = [
            host.client.read_resource(READ_SLOW),
            host.client.list_resources(),
            host.client.list_resource_templates(),
            host.client.list_prompts(),
            host.client.get_prompt("cut_costs"),
            host.client.complete(chat, {"name": "repository", "value": "a"}),
        ]
        for request in requests:
            with pytest.raises(MCPError, match="already has 1 calls running"):
                await request
        await host.refused("list_endpoints", "RATE_LIMITED")
        assert len(upstream.seen) == 1
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_reads_that_take_all_connections_of_a_caller_leave_some_for_others(
    upstream: Upstream, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.answers("GET", SLOW, SILENT)
    upstream.answers("GET", "/v2/provider/acme", Answer(body={"vendors": []}))
    upstream.shows("running")
    async with guarded(backend, Limits()) as client:
        greedy = [asyncio.create_task(_as_caller("10.0.0.1", partial(client.get, "slow"))) for _ in range(600)]
        await eventually(lambda: len(upstream.seen) == MAX_CONNECTIONS // 2)
        for number in range(2, 20):
            endpoint = await asyncio.wait_for(
                _as_caller(f"10.0.0.{number}", partial(client.get, "chat")), HANG_TIMEOUT_S
            )
            assert endpoint.name == "chat"
        assert len([seen for seen in upstream.seen if seen.path == SLOW]) == MAX_CONNECTIONS // 2
        monkeypatch.setattr("inference_endpoints_mcp.policy.connection_shares.MAX_WAIT_S", 0.01)
        await _as_caller("10.0.0.1", client.hardware)  # read for all, who wait for it together
        with pytest.raises(RateLimited, match="nothing was sent"):
            await _as_caller("10.0.0.1", partial(client.get, "chat"))
        for task in greedy:
            task.cancel()
        await asyncio.gather(*greedy, return_exceptions=True)
        assert (await _as_caller("10.0.0.1", partial(client.get, "chat"))).name == "chat"


async def _as_caller(address: str, send: Any) -> Any:
    async def sent() -> Any:
        current_caller.set(Caller("mcp", address, "1"))
        return await send()

    return await asyncio.create_task(sent())


async def test_sessions_that_a_caller_leaves_behind_end_and_those_of_others_stay(backend: Backend) -> None:
    async with (
        http_server(options_for(backend), replace(ON_LOOPBACK, max_sessions=3)) as address,
        client_from() as greedy,
        client_from("127.0.0.2") as modest,
    ):
        other = await open_session(modest, address)
        opened = [await open_session(greedy, address) for _ in range(3)]
        assert await status_of_session(greedy, address, opened[0]) == 200
        opened += [await open_session(greedy, address) for _ in range(2)]
        statuses = [await status_of_session(greedy, address, each) for each in opened]
        assert statuses == [200, 404, 404, 200, 200]
        assert await status_of_session(modest, address, other) == 200


async def test_a_session_too_many_is_refused_while_all_are_in_use(backend: Backend) -> None:
    async with (
        http_server(options_for(backend), replace(ON_LOOPBACK, max_sessions=2)) as address,
        client_from() as client,
        AsyncExitStack() as streams,
    ):
        for _ in range(2):
            session = (await open_session(client, address)).headers["mcp-session-id"]
            headers = ACCEPT | {"Mcp-Session-Id": session}
            await streams.enter_async_context(client.stream("GET", address, headers=headers))
        many = await asyncio.gather(*(open_session(client, address) for _ in range(20)))
        assert {refused.status_code for refused in many} == {429}
        assert "--max-sessions" in many[0].text
        await client.delete(address, headers=headers)
        assert (await open_session(client, address)).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
        b"POST /mcp HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 100\r\n\r\n{",
    ],
)
async def test_a_connection_whose_request_does_not_arrive_is_closed(
    backend: Backend, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference_endpoints_mcp.server.http.connections.REQUEST_DEADLINE_S", 0.3)
    async with http_server(options_for(backend)) as address:
        port = int(address.removesuffix("/mcp").rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        dribbling = asyncio.create_task(_dribble(writer))
        async with asyncio.timeout(HANG_TIMEOUT_S):
            await asyncio.gather(reader.read(), dribbling, return_exceptions=True)
        writer.close()


async def _dribble(writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        await asyncio.sleep(0.05)
        writer.write(b"a")
        await writer.drain()


LOCAL = ON_LOOPBACK.access
PUBLIC = AccessRules(frozenset({"mcp.example", "mcp.example:8443"}), is_local=False)


@pytest.mark.parametrize(
    "host",
    [
        "localhost:evil.example",
        "127.0.0.1:80@evil.example",
        "[::1]evil.example",
        "[::1].evil.example:80",
        "localhost.evil.example",
        "localhost:",
        " localhost",
        "mcp.example",
        "",
    ],
)
def test_a_host_that_only_begins_as_an_allowed_one_is_refused(host: str) -> None:
    refusal = LOCAL.refuse(Headers({"host": host}))
    assert refusal is not None
    assert refusal.status_code == 421


@pytest.mark.parametrize(
    "origins",
    [
        ["http://evil.example"],
        ["http://localhost:8000", "http://evil.example"],
        ["http://localhost:3000"],
        ["http://localhost:8000.evil.example"],
        ["http://localhost:8000@evil.example"],
        ["null"],
        ["file://localhost:8000"],
        [""],
    ],
)
def test_every_origin_must_be_this_server_itself(origins: list[str]) -> None:
    headers = [(b"host", b"localhost:8000"), *((b"origin", origin.encode()) for origin in origins)]
    refusal = LOCAL.refuse(Headers(raw=headers))
    assert refusal is not None
    assert refusal.status_code == 403


@pytest.mark.parametrize(
    ("rules", "headers"),
    [
        (LOCAL, {"host": "localhost:8000"}),
        (LOCAL, {"host": "[::1]:8000", "origin": "http://[::1]:8000"}),
        (LOCAL, {"host": "127.0.0.1"}),
        (PUBLIC, {"host": "MCP.example", "origin": "https://mcp.example"}),
        (PUBLIC, {"host": "mcp.example:443", "origin": "https://mcp.example:8443"}),
    ],
)
def test_the_servers_own_names_are_accepted(rules: AccessRules, headers: dict[str, str]) -> None:
    assert rules.refuse(Headers(headers)) is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    key = write_private(tmp_path / "key", "k" * 32)
    key.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        SharedKeyFile(key, lambda event, names: None)


@pytest.mark.parametrize(
    ("mode", "owner", "user", "private"),
    [
        (0o600, 7, 7, True),
        (0o440, 0, 7, True),
        (0o640, 0, 7, True),
        (0o440, 7, 7, False),
        (0o440, 0, 0, False),
        (0o460, 0, 7, False),
        (0o444, 0, 7, False),
    ],
)
def test_only_a_file_of_root_may_be_read_by_a_group_as_a_container_gets_it(
    mode: int, owner: int, user: int, private: bool
) -> None:
    found = os.stat_result((stat.S_IFREG | mode, 0, 0, 1, owner, 0, 0, 0, 0, 0))
    assert is_private(found, user) is private


@pytest.mark.parametrize("flags", [[], ["--host", "localhost"], ["--local", "--lend", "HF_TOKEN"]])
def test_no_other_user_of_this_machine_can_act_with_your_token(
    flags: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_a_token_that_is_set")
    assert main(["serve", "--http", "--port", "0", *flags]) == 2
    message = capsys.readouterr().err
    assert "--api-key-file FILE" in message
    assert "--uds PATH" in message
    assert "--allow-local-users" in message
    assert "hf_a_token" not in message


def test_a_key_a_socket_or_the_operators_word_is_enough() -> None:
    for exposure, has_key in [
        (ServerExposure("127.0.0.1", has_secrets=True), True),
        (ServerExposure(None, has_secrets=True), False),
        (ServerExposure("::1", has_secrets=True, local_users_allowed=True), False),
    ]:
        assert AccessRules.from_settings(exposure, [], has_key=has_key).is_local


async def test_over_a_socket_only_its_owner_calls(backend: Backend, tmp_path: Path, mode: Mode) -> None:
    path = tmp_path / "mcp.sock"
    options = options_for(backend, limits=Limits(read_only=True))
    listening = replace(ON_LOOPBACK, listening=UnixSocket(path))
    for _ in range(2):
        async with http_server(options, listening) as address:
            assert str(path) in address
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            with pytest.raises(ListenError), UnixSocket(path).listen():
                pass
            transport = httpx.AsyncHTTPTransport(uds=str(path))
            async with (
                httpx.AsyncClient(transport=transport, timeout=HANG_TIMEOUT_S) as client,
                connected(streamable_http_client("http://localhost/mcp", http_client=client), mode) as host,
            ):
                await _can_list(host)
        assert not path.exists()


def test_the_socket_of_a_server_that_was_killed_is_replaced_and_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "mcp.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with UnixSocket(path).listen():
        pass
    path.write_text("not a socket")
    with pytest.raises(ListenError), UnixSocket(path).listen():
        pass
    assert path.read_text() == "not a socket"


async def _can_list(host: Host) -> None:
    assert (await host.client.list_tools()).tools
