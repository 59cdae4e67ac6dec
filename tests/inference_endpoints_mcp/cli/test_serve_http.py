"""`serve --http`: many hosts over streamable HTTP, and no others."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp.client.streamable_http import streamable_http_client
from tests.support.command import Run, Start, address_of, write_private
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Mode, connected
from tests.support.hosts.round_robin import round_robin

from inference_endpoints.transport.http import httpx
from inference_endpoints_mcp.tools.registry import TOOLS

CLOUD = "aws-us-east-1-nvidia-l4-x1"

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(start: Start, tmp_path: Path, run: Run) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A server with a simulated plane in a new folder, and its address."""
    process = start("serve", "--http", "--port", "0", "--local", "--simulated", "--data-dir", str(tmp_path / "plane"))
    yield process, address_of(process)
    run("control-plane", "stop", "--data-dir", str(tmp_path / "plane"))


@pytest.fixture
def planning(start: Start, tmp_path: Path, run: Run) -> Iterator[list[str]]:
    """The addresses of two servers on one plane, where changes need two calls."""
    flags = ["--local", "--simulated", "--data-dir", str(tmp_path / "plane"), "--confirm", "plan"]
    servers = [start("serve", "--http", "--port", "0", *flags, "--confirm-simulated") for _ in range(2)]
    yield [address_of(server) for server in servers]
    run("control-plane", "stop", "--data-dir", str(tmp_path / "plane"))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_both_protocols_are_served_with_progress(server: tuple[object, str], mode: Mode) -> None:
    async with connected(streamable_http_client(server[1]), mode) as host:
        assert len((await host.client.list_tools()).tools) == len(TOOLS)
        created = await host.call("create_endpoint", endpoint_name=mode, repository="a/b", hardware=CLOUD)
        assert created["backend"] == "simulated"
        waited = await host.call("wait_for_endpoint", endpoint_name=mode, timeout_s=1)
        assert waited["reached"] is False
        assert host.progress


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_plan_is_valid_for_its_caller_in_every_session_and_process(planning: list[str], mode: Mode) -> None:
    wish = {"endpoint_name": "planned", "repository": "a/b", "hardware": CLOUD}
    one, other = planning
    async with connected(streamable_http_client(one), mode) as host:
        token = (await host.call("create_endpoint", **wish))["plan_token"]
    async with (
        httpx.AsyncClient(headers={"Authorization": "Bearer another"}, timeout=HANG_TIMEOUT_S) as signed,
        connected(streamable_http_client(one, http_client=signed), mode) as host,
    ):
        assert "another caller" in await host.refused("create_endpoint", "REFUSED", **wish, plan_token=token)
    async with connected(streamable_http_client(other), mode, name="another host") as host:
        assert (await host.call("create_endpoint", **wish, plan_token=token))["changed"] is True


async def test_a_person_answers_to_another_process_of_the_same_data_folder(
    start: Start, tmp_path: Path, run: Run
) -> None:
    flags = ["--local", "--simulated", "--data-dir", str(tmp_path / "plane"), "--confirm-simulated"]
    servers = [start("serve", "--http", "--port", "0", *flags) for _ in range(2)]
    async with (
        round_robin([address_of(server) for server in servers]) as address,
        httpx.AsyncClient(limits=httpx.Limits(max_keepalive_connections=0), timeout=HANG_TIMEOUT_S) as client,
        connected(streamable_http_client(address, http_client=client), "auto", answer=lambda question: True) as host,
    ):
        for name in ("one", "two"):
            created = await host.call("create_endpoint", endpoint_name=name, repository="a/b", hardware=CLOUD)
            assert created["changed"] is True
    run("control-plane", "stop", "--data-dir", str(tmp_path / "plane"))


async def test_a_call_whose_host_disconnects_is_cancelled(server: tuple[object, str]) -> None:
    async with connected(streamable_http_client(server[1]), "auto") as host:
        await host.call("create_endpoint", endpoint_name="left", repository="a/b", hardware=CLOUD)
        waiting = asyncio.create_task(host.call("wait_for_endpoint", endpoint_name="left", timeout_s=600))
        await host.wait_for_progress("pending")
        waiting.cancel()
        listed = await host.call("list_endpoints")
        assert listed["total"] == 1


@pytest.mark.parametrize("path", ["/mcp", "/anything", "/"])
def test_another_host_or_origin_is_refused_on_every_route(server: tuple[object, str], path: str) -> None:
    address = server[1].removesuffix("/mcp") + path
    assert httpx.get(address, headers={"Host": "evil.example"}).status_code == 421
    assert httpx.get(address, headers={"Origin": "https://evil.example"}).status_code == 403
    assert httpx.get(address, headers={"Origin": "http://localhost.evil.example:80"}).status_code == 403


@pytest.mark.parametrize("key", ["", "wrong-key-of-some-length", "0123456789abcdef0123456789abcde"])
def test_with_a_key_file_only_its_key_is_accepted(start: Start, tmp_path: Path, key: str) -> None:
    write_private(tmp_path / "key", "0123456789abcdef0123456789abcdef\n")
    address = address_of(start("serve", "--http", "--port", "0", "--api-key-file", str(tmp_path / "key")))
    refused = httpx.post(address, headers={"Authorization": f"Bearer {key}".strip()}, json={})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    right = httpx.post(address, headers={"Authorization": "Bearer 0123456789abcdef0123456789abcdef"}, json={})
    assert right.status_code not in {401, 403, 421}


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (["--host", "0.0.0.0"], "--api-key-file"),  # noqa: S104
        (["--host", "0.0.0.0", "--allowed-hosts", "example.com"], "--api-key-file"),  # noqa: S104
        (["--host", "0.0.0.0", "--api-key-file", "KEY"], "--allowed-hosts"),  # noqa: S104
        (["--api-key-file", "/nowhere/key"], "cannot be read"),
        (["--api-key-file", "SHORT"], "shorter than 16"),
        (["--host", "192.0.2.1", "--api-key-file", "KEY", "--allowed-hosts", "a"], "Cannot listen"),
    ],
)
def test_an_address_that_others_can_reach_needs_a_key_and_host_names(
    run: Run, tmp_path: Path, arguments: list[str], needed: str
) -> None:
    write_private(tmp_path / "key", "k" * 32)
    write_private(tmp_path / "short", "k")
    files = {"KEY": str(tmp_path / "key"), "SHORT": str(tmp_path / "short")}
    ended = run("serve", "--http", "--port", "0", *(files.get(word, word) for word in arguments))
    assert ended.returncode == 2
    assert needed in ended.stderr
    assert "Traceback" not in ended.stderr
