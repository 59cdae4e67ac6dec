"""A caller over HTTP tightens the operator's limits by headers, for this caller alone, and never loosens them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError
from mcp.client.streamable_http import streamable_http_client
from starlette.datastructures import Headers
from tests.support.command import Run, Start, address_of
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Host, Mode, connected

from inference_endpoints.transport.http import httpx
from inference_endpoints_mcp.server.http.header_limits import parse_header_limits
from inference_endpoints_mcp.tools.registry import TOOLS

pytestmark = pytest.mark.anyio

L4 = "aws-us-east-1-nvidia-l4-x1"
NEW: dict[str, Any] = {"endpoint_name": "new", "repository": "org/model", "hardware": L4}
CALLER = "Only whoever configured this connection can change that"
OPERATOR = "Only the operator of this server can change that"

Server = Callable[..., Callable[..., AbstractAsyncContextManager[Host]]]


@pytest.fixture
def server(start: Start, run: Run, tmp_path: Path) -> Iterator[Server]:
    """Starts a server with these flags, on a simulated plane. Gives what connects hosts to it, by their headers."""
    folder = ("--data-dir", str(tmp_path / "plane"))

    def serving(*flags: str) -> Callable[..., AbstractAsyncContextManager[Host]]:
        address = address_of(start("serve", "--http", "--port", "0", "--local", "--simulated", *folder, *flags))

        @asynccontextmanager
        async def host_with(mode: Mode = "auto", **headers: str) -> AsyncIterator[Host]:
            named = {f"X-Endpoints-{name.replace('_', '-')}": value for name, value in headers.items()}
            async with (
                httpx.AsyncClient(headers=named, timeout=HANG_TIMEOUT_S) as client,
                connected(streamable_http_client(address, http_client=client), mode) as host,
            ):
                yield host

        return host_with

    yield serving
    run("control-plane", "stop", *folder)


async def listed(host: Host) -> list[str]:
    return [tool.name for tool in (await host.client.list_tools()).tools]


async def test_headers_leave_fewer_tools_and_a_refusal_names_the_callers_limit(server: Server, mode: Mode) -> None:
    host_with = server()
    async with host_with(mode, Toolsets="lifecycle, account", Max_Replicas="2", Hardware="aws-*") as host:
        assert {"get_vendors", "call_endpoint"}.isdisjoint(await listed(host))
        refusals = {
            "X-Endpoints-Toolsets": ("call_endpoint", {"endpoint_name": "new", "text": "x"}),
            "X-Endpoints-Max-Replicas": ("create_endpoint", NEW | {"max_replica": 3}),
            "X-Endpoints-Hardware": ("create_endpoint", NEW | {"hardware": "gcp-us-east4-nvidia-l4-x1"}),
        }
        for header, (tool, arguments) in refusals.items():
            assert f"{CALLER} ({header})" in await host.refused(tool, "REFUSED", **arguments)
        assert (await host.call("create_endpoint", **NEW, max_replica=2))["changed"] is True


async def test_headers_never_widen_what_the_operator_allows(server: Server, mode: Mode) -> None:
    host_with = server("--read-only", "--toolsets", "lifecycle")
    async with host_with(mode, Read_Only="false", Toolsets="lifecycle,catalog") as host:
        names = await listed(host)
        assert "list_endpoints" in names
        assert {"create_endpoint", "get_vendors"}.isdisjoint(names)
        assert f"{OPERATOR} (--read-only)" in await host.refused("create_endpoint", "REFUSED", **NEW)
        assert f"{OPERATOR} (--toolsets)" in await host.refused("get_vendors", "REFUSED")


async def test_the_lower_of_two_limits_applies(server: Server, mode: Mode) -> None:
    host_with = server("--max-price-per-hour", "1")
    two = NEW | {"max_replica": 2}
    async with host_with(mode, Max_Price_Per_Hour="100", Budget="off") as host:
        message = await host.refused("create_endpoint", "REFUSED", **two)
        assert "limit of $1/h" in message
        assert OPERATOR in message
    async with host_with(mode, Max_Price_Per_Hour="0.5") as host:
        message = await host.refused("create_endpoint", "REFUSED", **NEW)
        assert "limit of $0.5/h" in message
        assert CALLER in message


async def test_concurrent_callers_have_limits_of_their_own(server: Server, mode: Mode) -> None:
    host_with = server()
    async with (
        host_with(mode, Read_Only="true") as reader,
        host_with(mode, Namespaces="elsewhere") as stranger,
        host_with(mode) as anyone,
    ):
        namespace = (await anyone.call("whoami"))["default_namespace"]
        for number in range(5):
            new = NEW | {"endpoint_name": f"e{number}"}
            read, refused, created, strange = await asyncio.gather(
                listed(reader),
                reader.refused("create_endpoint", "REFUSED", **new),
                anyone.call("create_endpoint", **new, max_replica=1),
                stranger.refused("get_endpoint", "REFUSED", endpoint_name="e0", namespace=namespace),
            )
            assert "create_endpoint" not in read
            assert "X-Endpoints-Read-Only" in refused
            assert created["changed"] is True
            assert "X-Endpoints-Namespaces" in strange
        assert len(await listed(anyone)) == len(TOOLS)


async def test_a_caller_without_access_gets_no_result_from_another_callers_wait_or_cache(server: Server) -> None:
    host_with = server()
    async with host_with() as anyone, host_with(Namespaces="elsewhere") as stranger:
        namespace = (await anyone.call("whoami"))["default_namespace"]
        await anyone.call("create_endpoint", **NEW)
        waiting = asyncio.create_task(anyone.call("wait_for_endpoint", endpoint_name="new", timeout_s=60))
        await anyone.wait_for_progress("new")
        for tool, arguments in {"wait_for_endpoint": {"endpoint_name": "new"}, "get_vendors": {}}.items():
            await stranger.refused(tool, "REFUSED", **arguments, namespace=namespace)
        waiting.cancel()


WRONG = {
    "Max_Replica": "2",
    "Max_Replicas": "two",
    "Read_Only": "perhaps",
    "Tools": "create_endpoint,no_such_tool",
    "Toolsets": "everything",
    "Types": "secret",
    "Policy": "/etc/policy.toml",
}


async def test_a_malformed_header_is_a_protocol_error_that_names_it(server: Server, mode: Mode) -> None:
    host_with = server()
    for name, value in WRONG.items():
        wrong = pytest.RaisesExc(MCPError, match=f": X-Endpoints-{name.replace('_', '-').title()}$")
        with pytest.RaisesGroup(wrong, flatten_subgroups=True):
            async with host_with(mode, **{name: value}):
                pass


def test_a_header_sent_twice_is_refused() -> None:
    twice = Headers(raw=[(b"x-endpoints-read-only", b"true"), (b"X-Endpoints-Read-Only", b"false")])
    with pytest.raises(MCPError, match="X-Endpoints-Read-Only"):
        parse_header_limits(twice)


def test_without_such_headers_the_limits_are_unchanged() -> None:
    assert parse_header_limits({"accept": "*/*", "x-other": "1"}) is None
