"""Logs over REST: the output of replicas, filtered and followed, as raw JSON."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.plane_driver import TOKEN, Driver, PlaneOf

pytestmark = pytest.mark.anyio
ONE = "/v2/endpoint/acme/chat"
LOADING = "Simulated: Loading gpt2 (1 of 1 shards to go)"


async def test_logs_are_entries_of_snake_case_and_can_be_filtered(driver: Driver) -> None:
    await driver.create()
    await driver.advance(200)
    logs = (await driver.call("GET", ONE + "/logs")).body
    assert set(logs[0]) == {"timestamp", "line", "stream", "replica_id", "level"}
    tail = (await driver.call("GET", ONE + "/logs?tail=1&line_max_length=5")).body
    assert [entry["line"] for entry in tail] == [logs[-1]["line"][:5]]
    assert (await driver.call("GET", ONE + "/logs?replica=none")).body == []
    replicas = (await driver.call("GET", ONE + "/replica")).body["items"]
    assert [replica["id"] for replica in replicas] == [logs[0]["replica_id"]]


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


async def test_followed_logs_are_the_printed_lines_and_then_each_new_line(driver: Driver) -> None:
    await driver.create()
    await driver.advance(20)
    async with following(driver, ONE + "/logs?follow=true") as lines:
        assert json.loads(await lines.readline())["line"].startswith("Simulated: Pulling image")
        await driver.advance(60)
        entry = json.loads(await lines.readline())
        assert (entry["line"], set(entry)) == (LOADING, {"timestamp", "line", "stream", "replica_id", "level"})


async def test_followed_logs_of_one_replica_are_its_own_alone_and_cut(driver: Driver) -> None:
    await driver.create(compute={"scaling": {"minReplica": 2, "maxReplica": 2}})
    await driver.advance(70)
    first, second = {entry["replica_id"] for entry in (await driver.call("GET", ONE + "/logs")).body}
    async with following(driver, ONE + f"/logs?follow=true&tail=1&replica={second}&line_max_length=17") as lines:
        assert json.loads(await lines.readline())["line"] == LOADING[:17]
        await driver.advance(100)
        entry = json.loads(await lines.readline())
        assert (entry["line"], entry["replica_id"]) == ("Simulated: Listen", second)
        assert first != second


async def test_followed_logs_come_as_server_sent_events_too_and_end_with_the_endpoint(driver: Driver) -> None:
    await driver.create()
    await driver.advance(20)
    async with following(driver, ONE + "/logs/sse?tail=0") as events:
        await driver.advance(60)
        event = await events.readuntil(b"\n\n")
        assert json.loads(event.removeprefix(b"data: "))["line"] == LOADING
        await driver.call("DELETE", ONE)
        assert b"SIGTERM" in await events.read()


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
