"""Requests that are nearly HTTP, sent to the server as bytes: each gets an answer or a closed connection."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.client.streamable_http import streamable_http_client
from tests.support.command import Start, address_of, write_private
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import connected

from inference_endpoints.transport.http import httpx
from inference_endpoints_mcp.tools.registry import TOOLS

pytestmark = pytest.mark.anyio

KEY = "k" * 40
NAMES = st.sampled_from(
    b"Host Origin Authorization Content-Type Content-Length Transfer-Encoding Accept Expect Connection Upgrade "
    b"Mcp-Session-Id Mcp-Protocol-Version X-Forwarded-For Last-Event-Id".split()
)
VALUES = (
    st.binary(max_size=60)
    | st.sampled_from(
        [
            b"Bearer " + KEY.encode(),
            b"application/json",
            b"text/event-stream, application/json",
            b"http://[::1",
            b"9" * 30,
        ]
    )
    | st.sampled_from(b"127.0.0.1 close chunked 0 -1 2025-11-25 2026-07-28 null".split())
)
HEADERS = st.lists(st.tuples(NAMES | st.binary(max_size=20), VALUES), max_size=8)
BODIES = st.sampled_from([b"", b"{}", b"[]", b"0\r\n\r\n", b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}'])
REQUESTS = st.builds(
    lambda method, path, headers, body: (
        b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, path, b"".join(b"%b: %b\r\n" % each for each in headers), body)
    ),
    st.sampled_from([b"GET", b"POST", b"DELETE", b"OPTIONS", b"PRI"]) | st.binary(max_size=8),
    st.sampled_from([b"/mcp", b"/", b"*", b"//mcp", b"/mcp?a=%00", b"http://evil.example/mcp"])
    | st.binary(max_size=30),
    HEADERS,
    BODIES | st.binary(max_size=60),
) | st.binary(min_size=1, max_size=200)


@pytest.fixture
async def address(start: Start, tmp_path: Path, anyio_backend: str) -> AsyncIterator[str]:
    """The address of a server. After all requests it still serves a client, and has logged no traceback."""
    key = write_private(tmp_path / "key", KEY)
    process = start("serve", "--http", "--port", "0", "--api-key-file", str(key))
    address = address_of(process)
    yield address
    async with (
        httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, timeout=HANG_TIMEOUT_S) as signed,
        connected(streamable_http_client(address, http_client=signed), "auto") as host,
    ):
        assert len((await host.client.list_tools()).tools) == len(TOOLS)
    process.terminate()
    _, written = process.communicate(timeout=HANG_TIMEOUT_S)
    assert "Traceback" not in written


@given(request=REQUESTS)
async def test_the_server_answers_or_closes_the_connection(address: str, request: bytes) -> None:
    port = urlsplit(address).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        writer.write_eof()
        async with asyncio.timeout(HANG_TIMEOUT_S):
            answer = await reader.read()
    finally:
        writer.close()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
    assert b" 500 " not in answer[:20]
