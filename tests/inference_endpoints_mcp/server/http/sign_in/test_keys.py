"""`serve --http --keys`: callers sign in with keys of their own, which begin, end and change while the server runs."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from mcp.client.streamable_http import streamable_http_client
from tests.support.command import Run
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Host, Mode, connected
from tests.support.hosts.http_server import ACCEPT, INITIALIZE, ON_LOOPBACK, http_server
from tests.support.hosts.options import options_for
from tests.support.polling import eventually
from tests.support.service.scripted_upstream import SILENT, Upstream

from inference_endpoints.transport.backend import Backend
from inference_endpoints.transport.http import httpx
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.server.http.sign_in.keys import KeyFileError, NamedKey, NamedKeys, parse_keys

pytestmark = pytest.mark.anyio

PING = {"jsonrpc": "2.0", "id": 2, "method": "ping"}


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def add_key(run: Run, keys_file: Path, name: str, *flags: str) -> str:
    """The secret that the command prints."""
    ended = run("keys", "add", "--keys", str(keys_file), "--name", name, *flags)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()[-1]


@asynccontextmanager
async def signed_in(address: str, key: str, mode: Mode) -> AsyncIterator[Host]:
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx.AsyncClient(headers=headers, timeout=HANG_TIMEOUT_S) as client,
        connected(streamable_http_client(address, http_client=client), mode) as host,
    ):
        yield host


def is_private_and_shows_none_of(path: Path, *keys: str) -> bool:
    return path.stat().st_mode & 0o077 == 0 and not any(key in path.read_text() for key in keys)


async def status_of(address: str, key: str) -> int:
    async with httpx.AsyncClient(timeout=HANG_TIMEOUT_S) as client:
        return (await client.post(address, headers={"Authorization": f"Bearer {key}"}, json={})).status_code


async def test_each_caller_has_a_key_a_name_in_the_audit_trail_and_an_end(
    run: Run, keys_file: Path, backend: Backend, tmp_path: Path, mode: Mode
) -> None:
    alice, robot = (add_key(run, keys_file, name) for name in ("alice", "ci-bot"))
    assert is_private_and_shows_none_of(keys_file, alice, robot)
    options = options_for(backend, limits=Limits(read_only=True), audit_file=tmp_path / "audit")
    async with http_server(options, replace(ON_LOOPBACK, keys_file=keys_file)) as address:
        for key in (alice, robot):
            async with signed_in(address, key, mode) as host:
                await host.refused("delete_endpoint", "REFUSED", endpoint_name="chat")
        assert run("keys", "remove", "--keys", str(keys_file), "--name", "alice").returncode == 0
        assert await status_of(address, alice) == await status_of(address, "no key") == 401
        async with signed_in(address, robot, mode) as host:
            assert (await host.client.list_tools()).tools
    lines = [json.loads(line) for line in (tmp_path / "audit").read_text().splitlines()]
    assert [line.get("signed_in") for line in lines] == ["alice", "ci-bot", None]
    assert lines[-1]["changed"] == ["-alice"]


async def test_limits_count_by_key_and_not_by_address(
    run: Run, keys_file: Path, upstream: Upstream, backend: Backend, mode: Mode
) -> None:
    keys = [add_key(run, keys_file, name) for name in ("alice", "bob")]
    upstream.answers("GET", "/v2/endpoint/acme/slow", SILENT)
    upstream.shows("running")
    options = options_for(backend, max_calls=1)
    async with (
        http_server(options, replace(ON_LOOPBACK, keys_file=keys_file)) as address,
        signed_in(address, keys[0], mode) as alice,
        signed_in(address, keys[0], mode) as again,
        signed_in(address, keys[1], mode) as bob,
    ):
        reading = asyncio.create_task(alice.send("get_endpoint", endpoint_name="slow"))
        await eventually(lambda: bool(upstream.seen))
        await again.refused("get_endpoint", "RATE_LIMITED", endpoint_name="chat")
        await bob.refused("get_endpoint", "NOT_FOUND", endpoint_name="none")
        reading.cancel()


async def test_nobody_continues_a_session_of_another_key(run: Run, keys_file: Path, backend: Backend) -> None:
    alice, bob = (add_key(run, keys_file, name) for name in ("alice", "bob"))
    async with (
        http_server(options_for(backend), replace(ON_LOOPBACK, keys_file=keys_file)) as address,
        httpx.AsyncClient(timeout=HANG_TIMEOUT_S) as client,
    ):
        opened = await client.post(address, json=INITIALIZE, headers=ACCEPT | {"Authorization": f"Bearer {alice}"})
        session = ACCEPT | {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
        statuses = []
        for key in (bob, alice):
            headers = session | {"Authorization": f"Bearer {key}"}
            statuses.append((await client.post(address, json=PING, headers=headers)).status_code)
    assert statuses == [404, 200]


def test_a_key_ends_on_its_day_and_a_broken_file_changes_nothing(keys_file: Path) -> None:
    now = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    reported: list[str] = []
    named, key = NamedKey.create("alice", date(2027, 1, 1))
    write(keys_file, str(named))
    keys = NamedKeys(keys_file, lambda event, names: reported.append(event), clock=lambda: now)
    assert asyncio.run(keys.verify_token(key))
    write(keys_file, f"{named}\nmallory never sha256:short")
    assert asyncio.run(keys.verify_token(key))
    assert "line 2 is not a key" in reported[-1]
    keys_file.chmod(0o644)
    assert asyncio.run(keys.verify_token(key))
    assert "chmod 600" in reported[-1]
    now = datetime(2027, 1, 1, tzinfo=UTC)
    assert asyncio.run(keys.verify_token(key)) is None


def write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "alice never",
        "alice never sha256:" + "0" * 63,
        "alice tomorrow sha256:" + "0" * 64,
        "-alice never sha256:" + "0" * 64,
        f"alice never sha256:{'0' * 64}\nalice never sha256:{'1' * 64}",
        f"alice never sha256:{'0' * 64}\nbob never sha256:{'0' * 64}",
    ],
)
def test_what_is_not_a_key_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(KeyFileError, match=r"line \d"):
        parse_keys(f"# keys\n\n{text}")


def test_the_command_lists_keys_and_refuses_what_makes_no_sense(run: Run, keys_file: Path) -> None:
    add_key(run, keys_file, "alice", "--days", "0")
    add_key(run, keys_file, "bob")
    listed = run("keys", "list", "--keys", str(keys_file)).stdout
    assert re.search(r"alice +never\nbob +\d{4}-", listed)
    for arguments, why in [
        (["add", "--name", "alice"], "remove it first"),
        (["add", "--name", "a b"], "letters"),
        (["add"], "--name NAME"),
        (["remove", "--name", "carol"], "no key with the name"),
    ]:
        ended = run("keys", *arguments, "--keys", str(keys_file))
        assert ended.returncode == 2
        assert why in ended.stderr
