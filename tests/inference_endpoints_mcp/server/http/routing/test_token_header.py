"""`--caller-tokens`: each caller acts with a token of its own, and meets no other caller, nor another token."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from mcp import MCPError
from tests.inference_endpoints_mcp.server.http.sign_in.test_profiles import write_keys
from tests.inference_endpoints_mcp.server.test_configuration import put
from tests.support.command import Run, Start, address_of
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.accounts import (
    FIRST,
    HEADER,
    SECOND,
    THIRD,
    acting,
    client_of,
    options_of_callers,
    shows_running,
)
from tests.support.hosts.host import Mode
from tests.support.hosts.http_server import ACCEPT, INITIALIZE, ON_LOOPBACK, http_server
from tests.support.hosts.options import options_for
from tests.support.planes.plane_driver import PlaneOf
from tests.support.polling import eventually
from tests.support.service.scripted_upstream import SILENT, Upstream

from inference_endpoints.transport.backend import local
from inference_endpoints.transport.http import httpx
from inference_endpoints_mcp.cli.main import main
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.server.configuration.configuration_files import ConfigurationFiles, ServedConfiguration
from inference_endpoints_mcp.server.http.prometheus import PrometheusMetrics, PrometheusTelemetry
from inference_endpoints_mcp.server.transports import HttpOptions

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:resources.(un)?subscribe is removed")]

CLOUD = "aws-us-east-1-nvidia-l4-x1"
PING = {"jsonrpc": "2.0", "id": 2, "method": "ping"}


async def test_two_tokens_of_one_caller_and_two_callers_with_one_token_meet_nowhere(
    plane_of: PlaneOf, tmp_path: Path, mode: Mode
) -> None:
    keys = write_keys(tmp_path / "keys", {"alice": None, "bob": None})
    http = replace(ON_LOOPBACK, keys_file=tmp_path / "keys")
    async with (
        plane_of(token=FIRST, data_dir=tmp_path / "first") as first,
        plane_of(token=SECOND, data_dir=tmp_path / "second") as second,
    ):
        urls = {FIRST: first.plane.url, SECOND: second.plane.url}
        options = options_of_callers(
            urls, audit_file=tmp_path / "audit", max_subscriptions=5, poll_interval=0.05, data_folder=tmp_path / "data"
        )
        async with (
            http_server(options, http) as address,
            acting(address, keys["alice"], FIRST, mode) as alice,
            acting(address, keys["alice"], SECOND, mode) as alice_elsewhere,
            acting(address, keys["bob"], FIRST, mode) as bob,
        ):
            for host, name in [(alice, "one"), (alice_elsewhere, "two")]:
                await host.call("create_endpoint", endpoint_name=name, repository="a/b", hardware=CLOUD)
            waits = [
                asyncio.create_task(host.call("wait_for_endpoint", endpoint_name=name, until="paused"))
                for host, name in [(alice, "one"), (alice_elsewhere, "two"), (bob, "one")]
            ]
            for host in (alice, alice_elsewhere, bob):
                await host.wait_for_progress("0/1 replicas")
            for host, own, other in [(alice, "one", "two"), (alice_elsewhere, "two", "one"), (bob, "one", "two")] * 2:
                assert [row["endpoint_name"] for row in (await host.call("list_endpoints"))["endpoints"]] == [own]
                await host.refused("get_endpoint", "NOT_FOUND", endpoint_name=other)
                listed = {resource.name for resource in (await host.client.list_resources()).resources}
                assert listed & {"acme/one", "acme/two"} == {f"acme/{own}"}
                await host.client.read_resource(f"endpoint://acme/{own}")
                with pytest.raises(MCPError):
                    await host.client.read_resource(f"endpoint://acme/{other}")
            assert (await alice.call("pause_endpoint", endpoint_name="one"))["changed"] is True
            assert [(await wait)["reached"] for wait in (waits[0], waits[2])] == [True, True]
            assert not waits[1].done()
            assert (await alice_elsewhere.call("pause_endpoint", endpoint_name="two"))["changed"] is True
            assert (await waits[1])["reached"] is True
    trail = (tmp_path / "audit").read_text()
    changes = [line for line in map(json.loads, trail.splitlines()) if line["event"] == "change"]
    assert {line["signed_in"] for line in changes} == {"alice"}
    accounts = {line["endpoint"]: line["account"] for line in changes}
    assert len(set(accounts.values())) == 2
    assert FIRST not in trail
    assert SECOND not in trail


async def test_a_token_is_sent_for_its_own_calls_and_for_no_other(
    upstream: Upstream, tmp_path: Path, mode: Mode
) -> None:
    keys = write_keys(tmp_path / "keys", {"alice": None, "bob": None})
    shows_running(upstream)
    async with (
        http_server(options_of_callers(upstream), replace(ON_LOOPBACK, keys_file=tmp_path / "keys")) as address,
        acting(address, keys["alice"], FIRST, mode) as alice,
        acting(address, keys["bob"], SECOND, mode) as bob,
    ):
        for host, token in [(alice, FIRST), (bob, SECOND)] * 2:
            upstream.seen.clear()
            await host.call("get_endpoint", endpoint_name="chat")
            assert {seen.headers["authorization"] for seen in upstream.seen} == {f"Bearer {token}"}
            assert HEADER.lower() not in {name for seen in upstream.seen for name in seen.headers}


async def test_without_the_flag_a_token_is_refused_and_nothing_is_done(upstream: Upstream, mode: Mode) -> None:
    async with http_server(options_for(local(upstream.url, "operators-token"))) as address:
        with pytest.RaisesGroup(
            pytest.RaisesExc(MCPError, match="leave out the header X-HF-Token"), flatten_subgroups=True
        ):
            async with acting(address, None, FIRST, mode):
                pass
        async with client_of(None, FIRST) as client:
            refused = await client.post(address, json=INITIALIZE, headers=ACCEPT)
        assert refused.status_code == 400
        assert FIRST not in refused.text
        async with acting(address, None, None, mode) as host:
            await host.refused("get_endpoint", "NOT_FOUND", endpoint_name="none")


async def test_whoever_sends_no_token_learns_which_header_to_send(upstream: Upstream, mode: Mode) -> None:
    async with http_server(options_of_callers(upstream)) as address:
        missing = pytest.RaisesExc(MCPError, match="send it in the header X-HF-Token of each request")
        with pytest.RaisesGroup(missing, flatten_subgroups=True):
            async with acting(address, None, None, mode):
                pass
        async with httpx.AsyncClient(timeout=HANG_TIMEOUT_S) as client:
            assert (await client.get(address.removesuffix("/mcp") + "/healthz")).status_code == 200
            assert (await client.get(address.removesuffix("/mcp") + "/readyz")).status_code == 200


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (["${HF_TOKEN}"], "is a placeholder"),
        (["hf_two words"], "a space"),
        (["hf_ümlaut-ümlaut"], "a character that no token has"),
        (["short"], "fewer than 8"),
        (["x" * 4_097], "more than 4096"),
        ([""], "it is empty"),
        ([FIRST, SECOND], "more than once"),
        ([f"Bearer {FIRST}"], "a space"),
    ],
)
async def test_what_is_no_token_is_refused_with_the_reason_and_never_shown(
    upstream: Upstream, values: list[str], why: str
) -> None:
    headers = [
        (name.encode(), value.encode()) for name, value in [*ACCEPT.items(), *((HEADER, each) for each in values)]
    ]
    async with (
        http_server(options_of_callers(upstream)) as address,
        httpx.AsyncClient(timeout=HANG_TIMEOUT_S) as client,
    ):
        refused = await client.post(address, json=INITIALIZE, headers=headers)
    assert refused.status_code == 400
    message = refused.json()["error"]["message"]
    assert why in message
    assert HEADER in message
    assert not any(value and value in message for value in values)
    assert not upstream.seen


async def test_calls_count_for_the_caller_whatever_token_it_sends(
    upstream: Upstream, tmp_path: Path, mode: Mode
) -> None:
    keys = write_keys(tmp_path / "keys", {"alice": None, "bob": None})
    upstream.answers("GET", "/v2/endpoint/acme/slow", SILENT)
    options = options_of_callers(upstream, max_calls=1)
    async with (
        http_server(options, replace(ON_LOOPBACK, keys_file=tmp_path / "keys")) as address,
        acting(address, keys["alice"], FIRST, mode) as alice,
        acting(address, keys["alice"], SECOND, mode) as again,
        acting(address, keys["bob"], FIRST, mode) as bob,
    ):
        reading = asyncio.create_task(alice.send("get_endpoint", endpoint_name="slow"))
        await eventually(lambda: bool(upstream.seen))
        await again.refused("get_endpoint", "RATE_LIMITED", endpoint_name="chat")
        await bob.refused("get_endpoint", "NOT_FOUND", endpoint_name="none")
        reading.cancel()


async def test_subscriptions_count_for_the_caller_whatever_token_it_sends(upstream: Upstream, tmp_path: Path) -> None:
    keys = write_keys(tmp_path / "keys", {"alice": None})
    shows_running(upstream)
    options = options_of_callers(upstream, max_subscriptions=1)
    chat = ["endpoint://acme/chat"]
    async with (
        http_server(options, replace(ON_LOOPBACK, keys_file=tmp_path / "keys")) as address,
        acting(address, keys["alice"], FIRST, "auto") as alice,
        acting(address, keys["alice"], SECOND, "auto") as alice_elsewhere,
        alice.client.listen(resource_subscriptions=chat),
    ):
        with pytest.raises(MCPError, match="at most 1 resources"):
            async with alice_elsewhere.client.listen(resource_subscriptions=chat):
                pass


@asynccontextmanager
async def measured(
    upstream: Upstream, tmp_path: Path, http: HttpOptions
) -> AsyncIterator[tuple[str, str, PrometheusMetrics]]:
    """A server whose accounts are counted: its address, and the key of its one caller."""
    keys = write_keys(tmp_path / "keys", {"alice": None})
    metrics = PrometheusMetrics()
    options = options_of_callers(upstream, telemetry=PrometheusTelemetry(metrics))
    async with http_server(options, replace(http, keys_file=tmp_path / "keys")) as address:
        yield address, keys["alice"], metrics


def accounts_of(metrics: PrometheusMetrics) -> float | None:
    labels = {"profile": "", "measure": "accounts"}
    return metrics.registry.get_sample_value("inference_endpoints_mcp_current", labels)


async def test_the_account_that_was_not_used_for_longest_makes_room_and_one_in_use_does_not(
    upstream: Upstream, tmp_path: Path
) -> None:
    upstream.answers("GET", "/v2/endpoint/acme/slow", SILENT)
    async with (
        measured(upstream, tmp_path, replace(ON_LOOPBACK, max_accounts=4)) as (address, key, metrics),
        acting(address, key, FIRST, "auto") as busy,
    ):
        reading = asyncio.create_task(busy.send("get_endpoint", endpoint_name="slow"))
        await eventually(lambda: bool(upstream.seen))
        for token in (SECOND, THIRD, SECOND):
            async with acting(address, key, token, "auto") as host:
                await host.refused("get_endpoint", "NOT_FOUND", endpoint_name="none")
            assert accounts_of(metrics) == 2
        async with acting(address, key, SECOND, "auto") as also_busy:
            reading_too = asyncio.create_task(also_busy.send("get_endpoint", endpoint_name="slow"))
            await eventually(lambda: len([seen for seen in upstream.seen if seen.path.endswith("slow")]) == 2)
            async with client_of(key, THIRD) as client:
                refused = await client.post(address, json=INITIALIZE, headers=ACCEPT)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
            assert "--max-accounts" in refused.json()["error"]["message"]
            reading_too.cancel()
        reading.cancel()


async def test_an_account_that_nobody_uses_is_let_go_and_its_session_ends(upstream: Upstream, tmp_path: Path) -> None:
    async with (
        measured(upstream, tmp_path, replace(ON_LOOPBACK, account_idle_s=0.2)) as (address, key, metrics),
        client_of(key, FIRST) as client,
    ):
        opened = await client.post(address, json=INITIALIZE, headers=ACCEPT)
        assert opened.status_code == 200
        await eventually(lambda: accounts_of(metrics) == 0)
        session = ACCEPT | {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
        assert (await client.post(address, json=PING, headers=session)).status_code == 404
        assert (await client.post(address, json=INITIALIZE, headers=ACCEPT)).status_code == 200


async def test_a_profile_begins_to_take_tokens_and_its_limits_change_under_them(
    upstream: Upstream, tmp_path: Path, mode: Mode
) -> None:
    keys = write_keys(tmp_path / "keys", {"alice": "own", "bob": "shared"})
    source = put(tmp_path / "source", "off")

    def read() -> ServedConfiguration:
        takes, limits = source.read_text() != "off", Limits(read_only="read-only" in source.read_text())
        common = {"limits": limits, "restart_settings": {"caller_tokens": takes}}
        shared = options_for(local(upstream.url, "operators-token"))
        own = options_of_callers(upstream, **common) if takes else options_for(local(upstream.url, "own"), **common)
        return ServedConfiguration(shared, {"own": own, "shared": shared}, files=(source,))

    files = ConfigurationFiles(read)
    http = replace(ON_LOOPBACK, keys_file=tmp_path / "keys")
    shows_running(upstream)
    async with http_server(files.current.options, http, files.current.profiles, files) as address:
        async with acting(address, keys["alice"], None, mode) as host:
            await host.call("get_endpoint", endpoint_name="chat")
        put(source, "on")
        async with (
            acting(address, keys["alice"], FIRST, mode) as alice,
            acting(address, keys["bob"], None, mode) as bob,
        ):
            for host, token in [(alice, FIRST), (bob, "operators-token")]:
                upstream.seen.clear()
                await host.call("get_endpoint", endpoint_name="chat")
                assert {seen.headers["authorization"] for seen in upstream.seen} == {f"Bearer {token}"}
            assert "pause_endpoint" in {tool.name for tool in (await alice.client.list_tools()).tools}
            put(source, "on, read-only")
            await alice.refused("pause_endpoint", "REFUSED", endpoint_name="chat")
        async with client_of(keys["bob"], FIRST) as client:
            assert (await client.post(address, json=INITIALIZE, headers=ACCEPT)).status_code == 400


PROFILES = """
[own]
caller_tokens = true

[ops]
token_variable = "OPS_TOKEN"
"""


async def test_the_command_takes_tokens_by_profile_and_shows_them_nowhere(
    start: Start, run: Run, environment: dict[str, str], free_tcp_port: int, tmp_path: Path, mode: Mode
) -> None:
    keys = write_keys(tmp_path / "keys", {"alice": "own", "bob": "ops"})
    (tmp_path / "profiles.toml").write_text(PROFILES)
    # Nothing leaves this machine.
    environment |= {"HTTPS_PROXY": f"http://127.0.0.1:{free_tcp_port}", "OPS_TOKEN": SECOND}
    flags = ["--keys", str(tmp_path / "keys"), "--profiles", str(tmp_path / "profiles.toml"), "--log-format", "json"]
    flags += ["--audit-file", str(tmp_path / "audit"), "--metrics", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")]
    process = start("serve", "--http", "--port", "0", *flags)
    assert process.stderr is not None
    metrics = process.stderr.readline().removeprefix("Metrics at ").strip()
    address = address_of(process)
    shown = ""
    async with acting(address, keys["alice"], FIRST, mode, name=FIRST) as alice, client_of(keys["bob"], FIRST) as bob:
        refused = await alice.send("pause_endpoint", endpoint_name=FIRST, namespace="acme")
        assert refused.is_error
        shown += str(refused)
        answered = await bob.post(address, json=INITIALIZE, headers=ACCEPT)
        assert answered.status_code == 400
        shown += answered.text + (await bob.get(metrics)).text
    process.send_signal(signal.SIGTERM)
    _, log = await asyncio.to_thread(process.communicate, timeout=HANG_TIMEOUT_S)
    (call,) = [line for line in map(json.loads, log.splitlines()) if "tool" in line]
    assert len(call["account"]) == 12
    shown += log + (tmp_path / "audit").read_text()
    for path in (tmp_path / "data").rglob("*"):
        shown += path.read_bytes().decode("latin-1") if path.is_file() else ""
    for token in (FIRST, FIRST[::-1], SECOND):
        assert token not in shown


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--caller-tokens", "--local"], "--local and --caller-tokens exclude each other"),
        (["--caller-tokens", "--token-file", "token"], "--token-file and --caller-tokens exclude each other"),
    ],
)
def test_the_token_is_the_callers_or_the_operators(
    flags: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--http", *flags])
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "flags", "why"),
    [
        ('caller_tokens = true\ntoken_file = "t"', [], "more than one source"),
        ("caller_tokens = true", ["--local"], "not with --local"),
    ],
)
def test_a_profile_has_one_source_of_its_token(
    table: str, flags: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_keys(tmp_path / "keys", {"alice": "own"})
    (tmp_path / "profiles.toml").write_text(f"[own]\n{table}")
    files = ["--keys", str(tmp_path / "keys"), "--profiles", str(tmp_path / "profiles.toml")]
    assert main(["serve", "--http", "--port", "0", "--data-dir", str(tmp_path), *files, *flags]) == 2
    assert why in capsys.readouterr().err


async def test_without_a_secret_of_the_operator_no_key_is_needed_on_this_machine(
    start: Start, environment: dict[str, str], upstream: Upstream
) -> None:
    environment["HF_TOKEN"] = "hf_the_operators_own_token"
    address = address_of(start("serve", "--http", "--port", "0", "--caller-tokens"))
    async with client_of(None, None) as client:
        assert (await client.post(address, json=INITIALIZE, headers=ACCEPT)).status_code == 400
