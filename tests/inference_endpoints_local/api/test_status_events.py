"""The plane's stream of status events, as raw lines."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.planes.plane_driver import TOKEN, Driver

from inference_endpoints_local.api import status_events

pytestmark = pytest.mark.anyio
SSE = "/v2/endpoint/acme/chat/sse"


@asynccontextmanager
async def stream(driver: Driver) -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(driver.plane.url.rpartition(":")[2]))
    writer.write(f"GET {SSE} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    assert head.startswith("http/1.1 200")
    assert "content-type: text/event-stream" in head
    try:
        yield reader
    finally:
        writer.close()
        await writer.wait_closed()


async def next_line(reader: asyncio.StreamReader) -> str:
    """The next line of the stream; empty at its end. It skips the sizes of chunks."""
    async with asyncio.timeout(HANG_TIMEOUT_S):
        while line := await reader.readline():
            if line.startswith((b"data:", b":")):
                return line.decode().strip()
            if line == b"0\r\n":
                break
        return ""


async def state(reader: asyncio.StreamReader) -> str:
    return str(json.loads((await next_line(reader)).removeprefix("data: "))["status"]["state"])


async def test_an_endpoint_is_sent_at_once_and_after_every_change_until_it_is_deleted(driver: Driver) -> None:
    await driver.create()
    async with stream(driver) as reader:
        assert await state(reader) == "pending"
        await driver.do("chat", "pause")
        assert await state(reader) == "paused"
        await driver.call("DELETE", "/v2/endpoint/acme/chat")
        assert await next_line(reader) == ""


async def test_a_stream_without_events_sends_keep_alives(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_events, "KEEP_ALIVE_INTERVAL_S", 0.05)
    await driver.create()
    async with stream(driver) as reader:
        assert await state(reader) == "pending"
        assert await next_line(reader) == ": keep-alive"


async def test_every_stream_ends_with_the_plane(driver: Driver) -> None:
    await driver.create()
    async with stream(driver) as reader:
        await state(reader)
        driver.plane.close_streams()
        assert await next_line(reader) == ""


async def test_streams_require_the_token_and_are_limited(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await driver.call("GET", SSE)).status == 404
    assert (await driver.call("GET", SSE, token=None)).status == 401
    await driver.create()
    monkeypatch.setattr(status_events, "MAX_STREAMS", 1)
    async with stream(driver) as reader:
        await state(reader)
        assert (await driver.call("GET", SSE)).status == 503
