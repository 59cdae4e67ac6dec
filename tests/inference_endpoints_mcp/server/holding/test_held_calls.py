"""Calls of hosts that nobody knows: held for a moment at first, then for as long as each host turns out to bear."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import pytest
from mcp.client.streamable_http import streamable_http_client
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Host, Mode, connected
from tests.support.hosts.http_server import http_server
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.polling import eventually

from inference_endpoints.transport.backend import Backend, local
from inference_endpoints.transport.http import httpx
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.tools import running_calls

pytestmark = pytest.mark.anyio

FIRST_S = 0.3
READY_S = 200
Learnt = Callable[[], list[float]]


@pytest.fixture
def learning(tmp_path: Path) -> dict[str, Any]:
    """Options of a server that begins with a short hold, and keeps what it learns."""
    return {"data_folder": tmp_path / "data", "first_hold_s": FIRST_S}


@pytest.fixture
def learnt(tmp_path: Path) -> Learnt:
    """The holds in the data folder, in seconds."""

    def read() -> list[float]:
        file = tmp_path / "data" / "holds.sqlite3"
        if not file.exists():
            return []
        with closing(sqlite3.connect(file)) as db:
            return [round(seconds, 3) for (seconds,) in db.execute("SELECT seconds FROM hold ORDER BY client")]

    return read


def options_for(driver: Driver, learning: dict[str, Any]) -> ServerOptions:
    async def open_backend(_: AsyncExitStack) -> Backend:
        return local(driver.plane.url, TOKEN)

    return ServerOptions(open_backend=open_backend, poll_interval=0.05, **learning)


@asynccontextmanager
async def signed_host(address: str, key: str) -> AsyncIterator[Host]:
    """A host that nobody knows, whose requests carry this key."""
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx.AsyncClient(headers=headers, timeout=HANG_TIMEOUT_S) as client,
        connected(streamable_http_client(address, http_client=client), "auto", name="new") as host,
    ):
        yield host


async def follow(host: Host, facts: dict[str, Any]) -> dict[str, Any]:
    (following,) = facts["next"]
    return await host.call(following["tool"], **following["arguments"])


async def wait(host: Host) -> dict[str, Any]:
    return await host.call("wait_for_endpoint", endpoint_name="chat", timeout_s=600)


async def test_each_answer_that_is_followed_doubles_what_an_unknown_host_is_held(
    driver: Driver, host_of: HostOf, mode: Mode, learning: dict[str, Any], learnt: Learnt
) -> None:
    await driver.create()
    async with host_of(mode, name="new", **learning) as host:
        first = await wait(host)
        assert first["reached"] is False
        second = await follow(host, first)
        assert second["waited_s"] > FIRST_S
        assert learnt() == [2 * FIRST_S]
    async with host_of(mode, name="new", **learning) as host:
        third = await follow(host, second)
        assert learnt() == [4 * FIRST_S]
        await driver.advance(READY_S)
        assert (await follow(host, third))["reached"] is True
    async with host_of(mode, name="newer", **learning) as host:
        assert (await wait(host))["reached"] is True
        assert learnt() == [8 * FIRST_S], "of another host nothing is known"


async def test_a_wait_for_several_is_held_as_long_too(
    driver: Driver, host_of: HostOf, learning: dict[str, Any], learnt: Learnt
) -> None:
    for name in ("one", "two"):
        await driver.create(name)
    async with host_of(name="new", **learning) as host:
        first = await host.call("wait_for_endpoint", names=["one", "two"], timeout_s=600)
        assert first["reached"] is False
        await follow(host, first)
        assert learnt() == [2 * FIRST_S]


async def test_a_host_that_gives_up_in_silence_makes_its_call_again_and_is_held_for_less(
    driver: Driver, host_of: HostOf, learning: dict[str, Any], learnt: Learnt
) -> None:
    await driver.create()
    async with host_of(name="silent", **learning) as host:
        await follow(host, await wait(host))
        assert learnt() == [2 * FIRST_S]
        for _ in range(2):
            await wait(host)
            assert learnt() == [FIRST_S]


async def test_a_known_host_whose_call_a_person_stopped_is_held_for_half_as_long_once(
    driver: Driver, host_of: HostOf, learning: dict[str, Any], learnt: Learnt
) -> None:
    await driver.create()
    async with (
        host_of(name="claude-code", **learning) as host,
        host_of(name="clock", first_hold_s=FIRST_S * 0.6) as clock,
    ):
        task = asyncio.create_task(wait(host))
        await host.wait_for_progress("pending")
        await wait(clock)
        task.cancel()
        await eventually(lambda: learnt() == [300])


@pytest.mark.parametrize(("name", "then"), [("hasty", 4 * FIRST_S), ("mcp", FIRST_S)])
async def test_a_cancel_halves_the_hold_and_a_name_that_many_have_begins_anew(
    driver: Driver, host_of: HostOf, mode: Mode, learning: dict[str, Any], learnt: Learnt, name: str, then: float
) -> None:
    await driver.create()
    async with host_of(mode, name=name, **learning) as host, host_of(name="clock", first_hold_s=FIRST_S * 0.6) as clock:
        third = await follow(host, await follow(host, await wait(host)))
        task = asyncio.create_task(follow(host, third))
        await eventually(lambda: learnt() == [8 * FIRST_S])
        await wait(clock)  # a call that a person stops at once tells nothing
        task.cancel()
        await eventually(lambda: learnt() == [then])


async def test_a_host_that_leaves_over_http_is_held_for_less(
    driver: Driver, learning: dict[str, Any], learnt: Learnt, mode: Mode
) -> None:
    await driver.create()
    async with (
        http_server(options_for(driver, learning)) as address,
        httpx.AsyncClient(timeout=HANG_TIMEOUT_S) as client,
    ):
        headers, meta = _MODERN_HEADERS, _MODERN_META
        if mode == "legacy":
            session = (await client.post(address, json=_INITIALIZE, headers=_ACCEPT)).headers["mcp-session-id"]
            headers, meta = {"Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25"}, {}
        call = _WAIT | {"params": _WAIT["params"] | {"_meta": meta}}

        async def leave() -> bool:
            """Leave a call. On a busy machine it may not have begun."""
            with suppress(httpx.ReadTimeout):
                await client.post(address, json=call, headers=_ACCEPT | headers, timeout=FIRST_S * 0.7)
            return learnt() == [FIRST_S / 2]

        await eventually(leave)


async def test_a_known_host_is_held_at_once_for_as_long_as_it_waits(
    driver: Driver, host_of: HostOf, learning: dict[str, Any]
) -> None:
    await driver.create()
    async with host_of(name="claude-code", **learning) as host, host_of(name="unknown", **learning) as unknown:
        waiting = asyncio.create_task(wait(host))
        await host.wait_for_progress("pending")
        await follow(unknown, await wait(unknown))
        assert not waiting.done()
        await driver.advance(READY_S)
        assert (await waiting)["reached"] is True


async def test_a_call_that_takes_longer_goes_on_and_the_next_call_gets_its_answer(
    driver: Driver, host_of: HostOf, mode: Mode, learning: dict[str, Any], learnt: Learnt, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    await driver.create_local(model={"env": {"TINY_HOLDS_UNTIL": str(gate)}})
    await driver.reach("tiny", "running")
    async with host_of(mode, name="new", **learning) as host:
        first = await host.call("call_endpoint", endpoint_name="tiny", path="/held", text="once")
        assert (first["finished"], "output" in first, "goes on" in first["now"]) == (False, False, True)
        second = await follow(host, first)
        assert second["finished"] is False
        assert learnt() == [2 * FIRST_S]
        gate.touch()
        third = await follow(host, second)
        assert third["finished"] is True
        assert "once" in third["output"]
        assert (await follow(host, second))["output"] == third["output"], "an answer may be lost, and is there again"
        other = first["next"][0]["arguments"] | {"call_id": "0123abcd.1"}
        assert "without call_id" in await host.refused("call_endpoint", "NOT_FOUND", **other)


async def test_a_call_that_goes_on_is_not_made_twice(
    driver: Driver, host_of: HostOf, learning: dict[str, Any], tmp_path: Path
) -> None:
    """Not where its host repeats it, as it does when the answer was lost, and not where it gives up the next one."""
    gate = tmp_path / "gate"
    await driver.create_local(model={"env": {"TINY_HOLDS_UNTIL": str(gate)}})
    await driver.reach("tiny", "running")
    asked = {"endpoint_name": "tiny", "path": "/held", "text": "once"}
    async with host_of(name="new", **learning) as host:
        first = await host.call("call_endpoint", **asked)
        again = await host.call("call_endpoint", **asked)
        ids = {facts["next"][0]["arguments"]["call_id"].partition(".")[0] for facts in (first, again)}
        assert len(ids) == 1
        waiting = asyncio.create_task(follow(host, again))
        await host.call("whoami")
        waiting.cancel()
        gate.touch()
        assert "once" in (await follow(host, again))["output"]
        later = await host.call("call_endpoint", **asked)
        assert later["finished"] is True
        assert later["output"] != first.get("output")


async def test_a_call_ends_with_its_hosts_time_where_too_many_go_on_already(
    driver: Driver, host_of: HostOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_calls, "MAX_CALLS", 1)
    await driver.create_local(model={"env": {"TINY_HOLDS_UNTIL": str(tmp_path / "gate")}})
    await driver.reach("tiny", "running")
    async with host_of(host_timeout_s=FIRST_S) as host:
        first = await host.call("call_endpoint", endpoint_name="tiny", path="/held", text="one")
        message = await host.refused("call_endpoint", "TIMEOUT", endpoint_name="tiny", path="/held", text="two")
        assert "too many calls go on" in message
        (tmp_path / "gate").touch()
        assert "one" in (await follow(host, first))["output"]


async def test_callers_over_http_learn_apart(driver: Driver, learning: dict[str, Any], learnt: Learnt) -> None:
    await driver.create()
    async with http_server(options_for(driver, learning)) as address:
        for key in ("one", "another"):
            async with signed_host(address, key) as host:
                await follow(host, await wait(host))
    assert learnt() == [2 * FIRST_S, 2 * FIRST_S]


async def test_the_answer_of_a_call_that_goes_on_is_for_its_caller_alone(
    driver: Driver, learning: dict[str, Any], tmp_path: Path
) -> None:
    await driver.create_local(model={"env": {"TINY_HOLDS_UNTIL": str(tmp_path / "gate")}})
    await driver.reach("tiny", "running")
    async with http_server(options_for(driver, learning)) as address:
        async with signed_host(address, "one") as host:
            first = await host.call("call_endpoint", endpoint_name="tiny", path="/held", text="once")
        async with signed_host(address, "another") as host:
            await host.refused("call_endpoint", "NOT_FOUND", **first["next"][0]["arguments"])
        (tmp_path / "gate").touch()
        async with signed_host(address, "one") as host:
            assert "once" in (await follow(host, first))["output"]


_ACCEPT = {"Accept": "application/json, text/event-stream"}
_MODERN_HEADERS = {
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "wait_for_endpoint",
}
_MODERN_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "leaves", "version": "1"},
}
_INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "leaves", "version": "1"}},
}
_WAIT: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "wait_for_endpoint", "arguments": {"endpoint_name": "chat"}},
}
