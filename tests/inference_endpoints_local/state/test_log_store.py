"""The output of replicas as it is followed and as version 2 of the API sends it, over REST."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.planes.plane_driver import TOKEN, Driver, PlaneOf

pytestmark = pytest.mark.anyio
ONE = "/v2/endpoint/acme/chat"
V3 = "/v3/endpoint/acme/chat/logs"
LOADING = "Simulated: Loading gpt2 (1 of 1 shards to go)"


@asynccontextmanager
async def following(driver: Driver, path: str) -> AsyncIterator[asyncio.StreamReader]:
    """The body of a streamed response, after its head."""
    host, port = driver.plane.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        async with asyncio.timeout(HANG_TIMEOUT_S):
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in head.splitlines()[0]
            yield reader
    finally:
        writer.close()


async def event(events: asyncio.StreamReader) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads((await events.readuntil(b"\n\n")).removeprefix(b"data: "))
    return entry


async def test_version_2_sends_lines_of_text_with_their_times(driver: Driver) -> None:
    await driver.create()
    await driver.advance(200)
    entries = (await driver.call("GET", V3)).body
    answer = await driver.call("GET", ONE + "/logs?since=ignored&level=")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.body.decode().splitlines() == [f"- {entry['timestamp']} {entry['line']}" for entry in entries]
    tail = (await driver.call("GET", ONE + "/logs?tail=1&line_max_length=5")).body.decode()
    assert tail == f"- {entries[-1]['timestamp']} {entries[-1]['line'][:5]}\n"
    assert (await driver.call("GET", ONE + "/logs?replica=none")).body == b""


async def test_followed_logs_are_the_printed_lines_and_then_each_new_line(driver: Driver) -> None:
    await driver.create()
    await driver.advance(20)
    async with following(driver, ONE + "/logs?follow=true") as lines:
        assert b" Simulated: Pulling image" in await lines.readline()
        await driver.advance(60)
        assert (await lines.readline()).decode().endswith(f" {LOADING}\n")


@pytest.mark.parametrize("logs", [ONE + "/logs/sse", V3 + "/sse"])
async def test_followed_logs_of_one_replica_are_its_own_alone_and_cut(driver: Driver, logs: str) -> None:
    await driver.create(compute={"scaling": {"minReplica": 2, "maxReplica": 2}})
    await driver.advance(70)
    first, second = {entry["replica_id"] for entry in (await driver.call("GET", V3)).body}
    async with following(driver, f"{logs}?tail=1&replica={second}&line_max_length=17") as events:
        assert (await event(events))["line"] == LOADING[:17]
        await driver.advance(100)
        entry = await event(events)
        assert (entry["line"], entry["replica_id"]) == ("Simulated: Listen", second)
        assert first != second


@pytest.mark.parametrize("logs", [ONE + "/logs/sse", V3 + "/sse"])
async def test_followed_logs_come_as_server_sent_events_too_and_end_with_the_endpoint(
    driver: Driver, logs: str
) -> None:
    await driver.create()
    await driver.advance(20)
    async with following(driver, logs + "?tail=0") as events:
        await driver.advance(60)
        entry = await event(events)
        assert (entry["line"], set(entry)) == (LOADING, {"timestamp", "line", "stream", "replica_id", "level"})
        await driver.call("DELETE", ONE)
        assert b"SIGTERM" in await events.read()


async def test_followed_logs_are_filtered_by_text(driver: Driver) -> None:
    await driver.create()
    await driver.advance(20)
    async with following(driver, V3 + "/sse?search=LISTENING") as events:
        await driver.advance(200)
        assert "Listening" in (await event(events))["line"]


@pytest.mark.parametrize("logs", [ONE + "/logs/sse", V3 + "/sse"])
async def test_a_stream_without_lines_shows_that_it_lives(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, logs: str
) -> None:
    monkeypatch.setattr("inference_endpoints_local.state.log_store.SILENCE_S", 0.01)
    await driver.create()
    async with following(driver, logs + "?tail=0") as events:
        assert await events.readuntil(b"\n\n") == b": keep-alive\n\n"


async def test_followed_logs_end_with_the_plane(plane_of: PlaneOf) -> None:
    async with plane_of() as driver:
        await driver.create()
        await driver.advance(20)
        async with following(driver, ONE + "/logs?follow=true") as lines:
            await lines.readline()
            driver.plane.close_streams()
            assert await lines.read() == b""


@pytest.mark.parametrize("query", ["follow=yes", "tail=-1", "line_max_length=x"])
async def test_queries_of_logs_are_validated(driver: Driver, query: str) -> None:
    await driver.create()
    assert (await driver.call("GET", f"{ONE}/logs?{query}")).status == 400
