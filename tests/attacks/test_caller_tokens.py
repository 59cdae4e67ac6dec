"""Attacks of a caller with a token of its own on what another token, of another caller or its own, has there."""

import asyncio
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError
from mcp.client.streamable_http import streamable_http_client
from tests.inference_endpoints_mcp.server.http.sign_in.test_profiles import write_keys
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.accounts import FIRST, HEADER, SECOND, acting, client_of, options_of_callers, shows_running
from tests.support.hosts.every_tool import EVERY_TOOL
from tests.support.hosts.host import Mode, connected
from tests.support.hosts.http_server import ACCEPT, INITIALIZE, ON_LOOPBACK, http_server
from tests.support.planes.plane_driver import PlaneOf
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.transport.effect import Effect
from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.replicas.account_state import AccountState
from inference_endpoints_mcp.replicas.process_state import ProcessState
from inference_endpoints_mcp.replicas.shared_state import NoFreeSlot
from inference_endpoints_mcp.tools import kept_outputs

pytestmark = pytest.mark.anyio

CLOUD = "aws-us-east-1-nvidia-l4-x1"
PING = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
BY_PLAN = ApprovalPolicy(method=ApprovalMethod.PLAN, effects=frozenset({Effect.DISRUPTS}))
BY_PERSON = ApprovalPolicy(effects=frozenset({Effect.DISRUPTS}), answer_timeout_s=1)


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    return write_keys(tmp_path / "keys", {"alice": None, "bob": None})


def changes(upstream: Upstream) -> list[str]:
    return [seen.path for seen in upstream.seen if seen.method != "GET"]


async def test_a_plan_under_one_token_is_refused_under_another_and_another_caller(
    upstream: Upstream, keys: dict[str, str], tmp_path: Path, mode: Mode
) -> None:
    shows_running(upstream)
    upstream.answers("POST", "/v2/endpoint/acme/chat/pause", Answer(body=upstream.endpoint("paused")))
    options = options_of_callers(upstream, approval=BY_PLAN, data_folder=tmp_path / "data")
    async with (
        http_server(options, replace(ON_LOOPBACK, keys_file=tmp_path / "keys")) as address,
        acting(address, keys["alice"], FIRST, mode) as alice,
        acting(address, keys["alice"], SECOND, mode) as alice_elsewhere,
        acting(address, keys["bob"], FIRST, mode) as bob,
    ):
        plan = (await alice.call("pause_endpoint", endpoint_name="chat"))["plan_token"]
        for host in (alice_elsewhere, bob):
            refused = await host.refused("pause_endpoint", "REFUSED", endpoint_name="chat", plan_token=plan)
            assert "made for another caller" in refused
        assert not changes(upstream)
        assert (await alice.call("pause_endpoint", endpoint_name="chat", plan_token=plan))["changed"] is True


async def test_an_approval_by_a_person_under_one_token_is_none_under_another(
    upstream: Upstream, keys: dict[str, str], tmp_path: Path, mode: Mode
) -> None:
    shows_running(upstream)
    options = options_of_callers(upstream, approval=BY_PERSON, data_folder=tmp_path / "data")
    async with (
        http_server(options, replace(ON_LOOPBACK, keys_file=tmp_path / "keys")) as address,
        client_of(keys["alice"], FIRST) as client,
    ):

        def approve_and_change_the_token(question: str) -> Any:
            client.headers[HEADER] = SECOND
            return True

        transport = streamable_http_client(address, http_client=client)
        async with connected(transport, mode, answer=approve_and_change_the_token) as host:
            await host.refused("pause_endpoint", "REFUSED", endpoint_name="chat")
    assert not changes(upstream)


async def test_a_session_belongs_to_its_token(upstream: Upstream, keys: dict[str, str], tmp_path: Path) -> None:
    http = replace(ON_LOOPBACK, keys_file=tmp_path / "keys")
    async with (
        http_server(options_of_callers(upstream), http) as address,
        client_of(keys["alice"], FIRST) as alice,
        client_of(keys["alice"], SECOND) as alice_elsewhere,
        client_of(keys["bob"], FIRST) as bob,
        client_of(keys["alice"], None) as alice_without,
    ):
        session = ACCEPT | {
            "Mcp-Session-Id": (await alice.post(address, json=INITIALIZE, headers=ACCEPT)).headers["mcp-session-id"]
        }
        for other, status in [(alice_elsewhere, 404), (bob, 404), (alice_without, 400)]:
            for method in ("POST", "GET", "DELETE"):
                refused = await other.request(method, address, json=PING, headers=session)
                assert refused.status_code == status, method
        assert (await alice.post(address, json=PING, headers=session)).status_code == 200


async def test_sessions_left_behind_under_one_token_make_room_for_those_of_another(
    upstream: Upstream, keys: dict[str, str], tmp_path: Path
) -> None:
    http = replace(ON_LOOPBACK, keys_file=tmp_path / "keys", max_sessions=2)
    async with (
        http_server(options_of_callers(upstream), http) as address,
        client_of(keys["alice"], FIRST) as alice,
        client_of(keys["alice"], SECOND) as alice_elsewhere,
    ):
        opened = [
            await client.post(address, json=INITIALIZE, headers=ACCEPT) for client in (alice, alice, alice_elsewhere)
        ]
        statuses = []
        for client, each in zip((alice, alice, alice_elsewhere), opened, strict=True):
            session = ACCEPT | {"Mcp-Session-Id": each.headers["mcp-session-id"]}
            statuses.append((await client.post(address, json=PING, headers=session)).status_code)
    assert statuses == [404, 200, 200]


async def test_every_tool_side_by_side_shows_each_token_its_own_account_alone(
    plane_of: PlaneOf, keys: dict[str, str], tmp_path: Path, mode: Mode
) -> None:
    async with (
        plane_of(token=FIRST, data_dir=tmp_path / "first", namespace="firsts-team") as first,
        plane_of(token=SECOND, data_dir=tmp_path / "second", namespace="seconds-team") as second,
    ):
        options = options_of_callers(
            {FIRST: first.plane.url, SECOND: second.plane.url},
            namespace=None,
            approval=ApprovalPolicy(method=ApprovalMethod.OFF),
            host_timeout_s=2,
            audit_file=tmp_path / "audit",
        )
        async with (
            http_server(options, replace(ON_LOOPBACK, keys_file=tmp_path / "keys")) as address,
            acting(address, keys["alice"], FIRST, mode) as alice,
            acting(address, keys["alice"], SECOND, mode) as alice_elsewhere,
        ):
            for tool, arguments in EVERY_TOOL.items():
                if tool in {"call_endpoint", "chat_with_endpoint"}:  # the planes run no model
                    continue
                one, two = await asyncio.gather(
                    alice.send(tool, **own(tool, arguments, "firsts")),
                    alice_elsewhere.send(tool, **own(tool, arguments, "seconds")),
                )
                assert "seconds-" not in str(one), tool
                assert "firsts-" not in str(two), tool
                assert not any(token in str(answer) for token in (FIRST, SECOND) for answer in (one, two)), tool
    changes = [json.loads(line) for line in (tmp_path / "audit").read_text().splitlines()]
    assert {line["endpoint"]: line["account"] for line in changes}.keys() == {"firsts-team/chat", "seconds-team/chat"}
    assert len({(line["endpoint"], line["account"]) for line in changes}) == 2


def own(tool: str, arguments: dict[str, Any], owner: str) -> dict[str, Any]:
    """With a value that only this account may see."""
    return arguments | ({"env": {"OWNER": f"{owner}-canary"}} if tool == "create_endpoint" else {})


async def test_what_an_endpoint_returned_is_kept_for_its_token_alone_and_shows_no_token(
    upstream: Upstream, keys: dict[str, str], tmp_path: Path, mode: Mode
) -> None:
    shows_running(upstream)
    upstream.runs("huggingface", task="text-generation")
    unlike_any_pattern = "token.of-nobody/0123456789"
    upstream.serves("/", Answer(body={"generated_text": f"{unlike_any_pattern} " + "word " * 40_000}))
    async with (
        http_server(options_of_callers(upstream), replace(ON_LOOPBACK, keys_file=tmp_path / "keys")) as address,
        acting(address, keys["alice"], unlike_any_pattern, mode) as alice,
        acting(address, keys["alice"], SECOND, mode) as alice_elsewhere,
        acting(address, keys["bob"], unlike_any_pattern, mode) as bob,
    ):
        called = await alice.call("call_endpoint", endpoint_name="chat", text="a")
        assert unlike_any_pattern not in called["output"]
        assert "***" in called["output"]
        (kept,) = await alice.list_outputs()
        for other in (alice_elsewhere, bob):
            assert not await other.list_outputs()
            with pytest.raises(MCPError, match="belongs to another caller"):
                await other.client.read_resource(kept.uri)
        assert (await alice.client.read_resource(kept.uri)).contents


async def test_outputs_under_one_token_leave_room_for_those_of_other_callers_and_not_for_more_of_the_same(
    upstream: Upstream, keys: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_outputs, "MAX_BYTES_OF_CALLER", 300_000)
    shows_running(upstream)
    upstream.runs("huggingface", task="text-generation")
    upstream.serves("/", Answer(body={"generated_text": "word " * 40_000}))
    async with (
        http_server(options_of_callers(upstream), replace(ON_LOOPBACK, keys_file=tmp_path / "keys")) as address,
        acting(address, keys["bob"], FIRST, "auto") as bob,
        acting(address, keys["alice"], FIRST, "auto") as alice,
        acting(address, keys["alice"], SECOND, "auto") as alice_elsewhere,
    ):
        for host in (bob, alice, alice_elsewhere):
            await host.call("call_endpoint", endpoint_name="chat", text="a")
        assert [len(await host.list_outputs()) for host in (bob, alice, alice_elsewhere)] == [1, 0, 1]


async def test_a_change_is_told_to_subscribers_of_its_token_alone(
    plane_of: PlaneOf, keys: dict[str, str], tmp_path: Path
) -> None:
    async with (
        plane_of(token=FIRST, data_dir=tmp_path / "first") as first,
        plane_of(token=SECOND, data_dir=tmp_path / "second") as second,
    ):
        options = options_of_callers(
            {FIRST: first.plane.url, SECOND: second.plane.url}, max_subscriptions=5, poll_interval=0.05
        )
        async with (
            http_server(options, replace(ON_LOOPBACK, keys_file=tmp_path / "keys")) as address,
            acting(address, keys["alice"], FIRST, "auto") as alice,
            acting(address, keys["alice"], SECOND, "auto") as alice_elsewhere,
        ):
            for host in (alice, alice_elsewhere):
                await host.call("create_endpoint", endpoint_name="same", repository="a/b", hardware=CLOUD)
            uri = "endpoint://acme/same"
            async with (
                alice.client.listen(resource_subscriptions=[uri]) as told,
                alice_elsewhere.client.listen(resource_subscriptions=[uri]) as told_elsewhere,
                asyncio.timeout(HANG_TIMEOUT_S),
            ):
                elsewhere = asyncio.create_task(anext(aiter(told_elsewhere)))
                await alice.call("pause_endpoint", endpoint_name="same")
                await anext(aiter(told))
                assert not elsewhere.done()
                await alice_elsewhere.call("pause_endpoint", endpoint_name="same")
                await elsewhere


async def test_a_start_of_one_account_takes_nothing_of_the_price_limit_of_another() -> None:
    """Replicas of one account meet while a sealing key is replaced, and two accounts never do."""
    shared = ProcessState()
    keys = {"before": ["a1", "a2"], "after": ["a2", "a3"], "other": ["b1", "b2"]}
    before, after, other = (AccountState(shared, partial(keys.__getitem__, name)) for name in keys)
    async with before.lock("starts"), before.slot("starts", "mine"):
        assert await after.members("starts") == ["mine"]
        assert not await other.members("starts")
        assert not await shared.members("starts")
        async with other.lock("starts"), other.slot("starts", "theirs", limit=1):
            assert await before.members("starts") == ["mine"]
        with pytest.raises(NoFreeSlot):
            async with after.slot("starts", limit=1):
                pass
    assert not await after.members("starts")
    assert await before.claim("plan 1", 60)
    assert not await after.claim("plan 1", 60)
