"""Files of the operator that change while a server runs: the next request has what they hold, or nothing changes."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from tests.inference_endpoints_mcp.server.http.sign_in.test_profiles import signed_in, write_keys
from tests.support.command import Run, Start, address_of
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Host, Mode, connected, pollers
from tests.support.hosts.http_server import ON_LOOPBACK, http_server
from tests.support.hosts.identity_provider import identity_provider
from tests.support.hosts.in_process import InMemoryTransport
from tests.support.hosts.options import options_for
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.polling import eventually

from inference_endpoints.transport.backend import hugging_face, local
from inference_endpoints.transport.effect import Effect
from inference_endpoints.transport.http import httpx
from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.policy.audit.audit_trail import AuditTrail
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.privacy.lent_secrets import LentSecrets
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.server.configuration.configuration_files import (
    ConfigurationFiles,
    ServedConfiguration,
    changed_settings,
)
from inference_endpoints_mcp.server.http.listening import TcpAddress
from inference_endpoints_mcp.server.http.sign_in.oauth_settings import OAuthSettings
from inference_endpoints_mcp.server.mcp_server import EndpointsServer
from inference_endpoints_mcp.server.scopes import MANAGE
from inference_endpoints_mcp.server.transports import HttpOptions

pytestmark = pytest.mark.anyio

CLOUD = "aws-us-east-1-nvidia-l4-x1"
WISH = {"endpoint_name": "new", "repository": "a/b", "hardware": CLOUD}
SECRET, ANOTHER = "first-lent-canary", "second-lent-canary"
NOWHERE = hugging_face(None)
Connect = Callable[[Mode], AbstractAsyncContextManager[Host]]


def put(path: Path, text: str) -> Path:
    """Replace a file at once, by one that was written long ago."""
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(text)
    os.utime(new, (1, 1))
    new.replace(path)
    return path


def lines_of(trail: Path, event: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, trail.read_text().splitlines()) if line["event"] == event]


@pytest.fixture(params=["stdio", "http"])
def connect(
    request: pytest.FixtureRequest, start: Start, run: Run, environment: dict[str, str], tmp_path: Path
) -> Iterator[Connect]:
    """Connects to the command with a policy and a file of lent secrets, over stdio and over HTTP."""
    flags = ["--local", "--simulated", "--data-dir", str(tmp_path / "plane"), "--audit-file", str(tmp_path / "audit")]
    flags += ["--policy", str(put(tmp_path / "policy", "max_replicas = 1"))]
    flags += ["--lend-file", str(put(tmp_path / "lent", f"WANDB_KEY={SECRET}"))]

    @asynccontextmanager
    async def over_stdio(mode: Mode) -> AsyncIterator[Host]:
        arguments = ["-m", "inference_endpoints_mcp", *flags]
        with (tmp_path / "log").open("w") as log:
            server = StdioServerParameters(command=sys.executable, args=arguments, env=environment)
            async with connected(stdio_client(server, errlog=log), mode) as host:
                yield host

    @asynccontextmanager
    async def over_http(mode: Mode) -> AsyncIterator[Host]:
        address = address_of(start("serve", "--http", "--port", "0", "--allow-local-users", *flags))
        async with connected(streamable_http_client(address), mode) as host:
            yield host

    yield over_stdio if request.param == "stdio" else over_http
    run("control-plane", "stop", "--data-dir", str(tmp_path / "plane"))


async def test_the_next_call_has_what_the_files_hold_by_then_and_a_wrong_one_changes_nothing(
    connect: Connect, tmp_path: Path, mode: Mode
) -> None:
    policy, lent, trail = tmp_path / "policy", tmp_path / "lent", tmp_path / "audit"
    async with connect(mode) as host:
        assert "at most 1 replica(s)" in await host.refused("create_endpoint", "REFUSED", **WISH, max_replica=3)
        put(policy, "max_replicas = 2")
        assert "at most 2 replica(s)" in await host.refused("create_endpoint", "REFUSED", **WISH, max_replica=3)
        # One file is right and one is wrong, so neither counts.
        put(policy, "max_replicas = 5")
        put(lent, f"WANDB_KEY={SECRET}\nSHORT=x")
        assert "at most 2 replica(s)" in await host.refused("create_endpoint", "REFUSED", **WISH, max_replica=3)
        put(lent, f"WANDB_KEY={ANOTHER}\nOTHER_KEY={SECRET}")
        created = await host.call(
            "create_endpoint", **WISH, max_replica=3, secret_names=["OTHER_KEY", "WANDB_KEY"], dry_run=True
        )
        assert created["plan"]["payload"]["model"]["secrets"] == {"OTHER_KEY": "***", "WANDB_KEY": "***"}
        put(policy, "read_only = true")
        assert "create_endpoint" not in {tool.name for tool in (await host.client.list_tools()).tools}
    taken, refused, right, last = lines_of(trail, "configuration")
    assert taken["changed"] == {"max_replicas": {"before": 1, "now": 2}}
    assert (refused["outcome"], "SHORT cannot be lent" in refused["message"]) == ("refused", True)
    assert right["changed"] == {
        "max_replicas": {"before": 2, "now": 5},
        "lend": {"added": ["OTHER_KEY"], "removed": [], "changed": ["WANDB_KEY"]},
    }
    assert last["changed"]["read_only"] == {"before": False, "now": True}
    assert SECRET not in trail.read_text()
    assert ANOTHER not in trail.read_text()


async def test_a_call_that_runs_goes_on_under_what_it_began_with(driver: Driver, mode: Mode) -> None:
    options = options_for(local(driver.plane.url, TOKEN), poll_interval=0.05)
    server = EndpointsServer(options, Redactor())
    await driver.create()
    async with connected(InMemoryTransport(server), mode) as host:
        waiting = asyncio.create_task(host.call("wait_for_endpoint", endpoint_name="chat"))
        await host.wait_for_progress("0/1 replicas")
        server.take(replace(options, limits=Limits(tools=("list_endpoints",))))
        await host.refused("get_endpoint", "REFUSED", endpoint_name="chat")
        await driver.advance(200)
        assert (await waiting)["reached"] is True


async def test_a_namespace_that_is_taken_away_ends_the_waits_in_it(driver: Driver, mode: Mode) -> None:
    """All waits share what polls, and nothing is read of it any more."""
    options = options_for(local(driver.plane.url, TOKEN), poll_interval=0.05)
    server = EndpointsServer(options, Redactor())
    await driver.create()
    async with connected(InMemoryTransport(server), mode) as host:
        waiting = asyncio.create_task(host.refused("wait_for_endpoint", "REFUSED", endpoint_name="chat"))
        await host.wait_for_progress("0/1 replicas")
        server.take(replace(options, limits=Limits(namespaces=("other",))))
        assert "Only these namespaces" in await waiting


async def test_a_plan_stays_open_while_the_way_of_approval_changes(driver: Driver, mode: Mode) -> None:
    by_plan = ApprovalPolicy(ApprovalMethod.PLAN, frozenset({Effect.DISRUPTS}))
    options = options_for(local(driver.plane.url, TOKEN), approval=by_plan)
    server = EndpointsServer(options, Redactor())
    await driver.create()
    async with connected(InMemoryTransport(server), mode) as host:
        token = (await host.call("pause_endpoint", endpoint_name="chat"))["plan_token"]
        server.take(replace(options, approval=replace(by_plan, effects=by_plan.effects | {Effect.DESTROYS})))
        assert (await host.call("pause_endpoint", endpoint_name="chat", plan_token=token))["changed"] is True
        assert "plan_token" in await host.call("delete_endpoint", endpoint_name="chat")


PROFILES = """
[readers]
read_only = true

[ops]
confirm = "plan"
max_replicas = 2
"""


async def test_profiles_come_go_and_change_while_their_callers_are_connected(
    start: Start, run: Run, tmp_path: Path, mode: Mode
) -> None:
    profiles, trail = put(tmp_path / "profiles", PROFILES), tmp_path / "audit"
    keys = write_keys(tmp_path / "keys", {"alice": "readers", "bob": "ops"})
    flags = ["--local", "--simulated", "--data-dir", str(tmp_path / "plane"), "--audit-file", str(trail)]
    flags += ["--keys", str(tmp_path / "keys"), "--profiles", str(profiles)]
    address = address_of(start("serve", "--http", "--port", "0", *flags))
    try:
        async with signed_in(address, keys["alice"], mode) as alice, signed_in(address, keys["bob"], mode) as bob:
            await alice.refused("create_endpoint", "REFUSED", **WISH)
            assert "at most 2 replica(s)" in await bob.refused("create_endpoint", "REFUSED", **WISH, max_replica=3)
            put(profiles, PROFILES.replace("= 2", "= 5").replace("= true", "= false") + "[third]\nread_onyl = true")
            await alice.refused("create_endpoint", "REFUSED", **WISH)
            # Their sessions go on, and a key for the new profile is good in the same moment.
            put(profiles, PROFILES.replace("= 2", "= 4").replace("= true", "= false") + "[third]\nread_only = true")
            more = write_keys(tmp_path / "more", {"carol": "third"})
            put(tmp_path / "keys", (tmp_path / "keys").read_text() + "\n" + (tmp_path / "more").read_text())
            assert "at most 4 replica(s)" in await bob.refused("create_endpoint", "REFUSED", **WISH, max_replica=5)
            assert (await alice.call("create_endpoint", **WISH))["changed"] is True
            async with signed_in(address, more["carol"], mode) as carol:
                await carol.refused("pause_endpoint", "REFUSED", endpoint_name="new")
            # Another namespace is another server: who comes next has it. A profile that is gone lets nobody in.
            put(profiles, '[readers]\nnamespace = "elsewhere"\n[third]\nread_only = true')
            async with signed_in(address, keys["alice"], mode) as again:
                await again.refused("get_endpoint", "NOT_FOUND", endpoint_name="new")
            assert await status_of(address, keys["bob"]) == 403
    finally:
        run("control-plane", "stop", "--data-dir", str(tmp_path / "plane"))
    refused, first, second = lines_of(trail, "configuration")
    assert "read_onyl" in refused["message"]
    assert first["changed"] == {
        "ops.max_replicas": {"before": 2, "now": 4},
        "readers.read_only": {"before": True, "now": False},
        "third": "added",
    }
    assert second["changed"] == {"ops": "removed", "readers.restarted_for": ["namespace"]}


async def test_a_call_of_a_profile_that_gets_a_new_server_goes_on_to_its_end(
    driver: Driver, tmp_path: Path, mode: Mode
) -> None:
    account = local(driver.plane.url, TOKEN)
    source = put(tmp_path / "source", "first")
    keys = write_keys(tmp_path / "keys", {"bob": "ops"})
    await driver.create()

    def read() -> ServedConfiguration:
        ops = options_for(account, poll_interval=0.05, restart_settings={"token_file": source.read_text()})
        return ServedConfiguration(options_for(NOWHERE), {"ops": ops}, files=(source,))

    files = ConfigurationFiles(read)
    http = replace(ON_LOOPBACK, keys_file=tmp_path / "keys")
    async with http_server(files.current.options, http, files.current.profiles, files) as address:
        async with signed_in(address, keys["bob"], mode) as before:
            await before.client.list_tools()  # else the client asks for them with the answer
            waiting = asyncio.create_task(before.call("wait_for_endpoint", endpoint_name="chat", until="paused"))
            await before.wait_for_progress("0/1 replicas")
            put(source, "second")
            async with signed_in(address, keys["bob"], mode) as after:
                assert (await after.call("pause_endpoint", endpoint_name="chat"))["changed"] is True
            assert (await waiting)["reached"] is True
        await eventually(lambda: not pollers(), "the server that was replaced has ended")


async def test_groups_of_an_identity_provider_change_their_profile(
    free_tcp_port: int, driver: Driver, tmp_path: Path
) -> None:
    source = put(tmp_path / "source", "readers")
    profiles = {
        name: options_for(local(driver.plane.url, TOKEN), limits=Limits(tools=(tool,)))
        for name, tool in {"readers": "list_endpoints", "ops": "get_endpoint"}.items()
    }
    files = ConfigurationFiles(
        lambda: ServedConfiguration(options_for(NOWHERE), profiles, {"sre": source.read_text()}, (source,))
    )
    async with identity_provider() as provider:
        settings = OAuthSettings(provider.issuer, f"http://127.0.0.1:{free_tcp_port}/mcp", files.current.groups)
        http = HttpOptions(TcpAddress("127.0.0.1", free_tcp_port), ON_LOOPBACK.access, oauth=settings)
        async with http_server(files.current.options, http, profiles, files) as address:
            token = provider.jwt(aud=address, scope=MANAGE, groups=["sre"])
            found = []
            for name in ("readers", "ops"):
                put(source, name)
                async with signed_in(address, token, "auto") as host:
                    found += [tool.name for tool in (await host.client.list_tools()).tools]
    assert found == ["list_endpoints", "get_endpoint"]


async def status_of(address: str, key: str) -> int:
    async with httpx.AsyncClient(timeout=HANG_TIMEOUT_S) as client:
        return (await client.post(address, headers={"Authorization": f"Bearer {key}"}, json={})).status_code


async def test_the_key_that_callers_share_is_replaced(start: Start, tmp_path: Path) -> None:
    old, new, file = "o" * 32, "n" * 32, tmp_path / "key"
    put(file, old)
    flags = ["--local", "--data-dir", str(tmp_path / "plane"), "--api-key-file", str(file)]
    address = address_of(start("serve", "--http", "--port", "0", "--audit-file", str(tmp_path / "audit"), *flags))
    assert await status_of(address, new) == 401
    put(file, "too short")
    assert await status_of(address, old) != 401
    put(file, new)
    assert (await status_of(address, old), await status_of(address, new) != 401) == (401, True)
    unchanged, replaced = lines_of(tmp_path / "audit", "keys")
    assert "shorter than" in unchanged["outcome"]
    assert replaced["outcome"] == "The shared key has changed."


def test_a_file_that_is_being_written_is_left_until_it_is_whole(tmp_path: Path) -> None:
    policy, now = put(tmp_path / "policy", "3"), 1_000.0
    taken: list[int | None] = []

    def read() -> ServedConfiguration:
        limit = int(policy.read_text() or 0) or None
        return ServedConfiguration(options_for(NOWHERE, limits=Limits(max_replicas=limit)), files=(policy,))

    files = ConfigurationFiles(read, lambda: now)

    def read_again() -> None:
        files.read_again(AuditTrail(None, Redactor()), lambda new: taken.append(new.options.limits.max_replicas))

    policy.write_text("")
    os.utime(policy, (now, now))
    now += 0.4
    read_again()
    policy.write_text("2")
    os.utime(policy, (now, now))
    now += 0.6
    read_again()
    read_again()
    assert taken == [2]


def test_what_changed_names_no_secret() -> None:
    def served(value: str, *keys: bytes, **changes: Any) -> ServedConfiguration:
        lent = LentSecrets({"HF_TOKEN": value})
        return ServedConfiguration(options_for(NOWHERE, lent=lent, sealing_keys=keys, **changes))

    before = served(SECRET, b"first")
    assert changed_settings(before, served(SECRET, b"first")) == {}
    after = served(ANOTHER, b"second", b"first", restart_settings={"token_command": "print my-token"})
    assert changed_settings(before, after) == {
        "lend": {"added": [], "removed": [], "changed": ["HF_TOKEN"]},
        "sealing_keys": {"before": 1, "now": 2, "newest": "another"},
        "restarted_for": ["token_command"],
    }
