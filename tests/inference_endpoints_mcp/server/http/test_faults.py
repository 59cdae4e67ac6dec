"""What happens to a wait that is open when something behind or before the server fails: the table in SECURITY.md."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from mcp.client.streamable_http import streamable_http_client
from tests.inference_endpoints_mcp.server.http.sign_in.test_keys import add_key, signed_in, status_of
from tests.support.command import Run, Start, address_of
from tests.support.hosts.host import Mode, connected

from inference_endpoints_local.daemon.data_folder import DataFolder

pytestmark = pytest.mark.anyio

WISH = {"endpoint_name": "chat", "repository": "a/b", "hardware": "aws-us-east-1-nvidia-l4-x1"}
Serve = Callable[..., str]


@pytest.fixture
def serve(start: Start, run: Run, tmp_path: Path) -> Iterator[Serve]:
    """Starts a server with these flags on a simulated plane, where nothing becomes ready soon. Returns its address."""
    folder = ("--data-dir", str(tmp_path / "plane"))

    def serving(*flags: str) -> str:
        plane = ("--local", "--simulated", "--simulated-speed", "0.01", *folder)
        return address_of(start("serve", "--http", "--port", "0", "--confirm", "off", *plane, *flags))

    yield serving
    run("control-plane", "stop", *folder)


def plane_in(folder: Path) -> psutil.Process:
    plane = DataFolder(folder / "plane").running_plane()
    assert plane is not None
    return psutil.Process(plane.pid)


async def test_waits_go_on_when_their_plane_is_killed(serve: Serve, tmp_path: Path, mode: Mode) -> None:
    async with connected(streamable_http_client(serve()), mode) as host:
        await host.call("create_endpoint", **WISH)
        waits = [
            asyncio.create_task(host.call("wait_for_endpoint", endpoint_name="chat", until="paused")) for _ in range(5)
        ]
        await host.wait_for_progress("0/1 replicas")
        plane_in(tmp_path).kill()
        assert (await host.call("pause_endpoint", endpoint_name="chat"))["changed"] is True
        assert all([(await wait)["reached"] for wait in waits])


async def test_a_wait_answers_in_its_time_while_the_plane_stands_still(
    serve: Serve, tmp_path: Path, mode: Mode
) -> None:
    async with connected(streamable_http_client(serve("--hold", "2")), mode) as host:
        await host.call("create_endpoint", **WISH)
        plane = plane_in(tmp_path)
        waiting = asyncio.create_task(host.call("wait_for_endpoint", endpoint_name="chat"))
        await host.wait_for_progress("0/1 replicas")
        plane.send_signal(signal.SIGSTOP)
        try:
            for waited in (await waiting, await host.call("wait_for_endpoint", endpoint_name="chat")):
                assert (waited["reached"], waited["next"][0]["tool"]) == (False, "wait_for_endpoint")
        finally:
            plane.send_signal(signal.SIGCONT)
        assert (await host.call("pause_endpoint", endpoint_name="chat"))["changed"] is True


async def test_a_wait_of_a_key_that_is_revoked_still_answers_and_nothing_else_does(
    serve: Serve, run: Run, tmp_path: Path, mode: Mode
) -> None:
    keys = tmp_path / "keys"
    alice, bob = (add_key(run, keys, name) for name in ("alice", "bob"))
    address = serve("--keys", str(keys))
    async with signed_in(address, alice, mode) as revoked, signed_in(address, bob, mode) as other:
        await other.call("create_endpoint", **WISH)
        await revoked.client.list_tools()  # else the client asks for them with the answer
        waiting = asyncio.create_task(revoked.call("wait_for_endpoint", endpoint_name="chat", until="paused"))
        await revoked.wait_for_progress("0/1 replicas")
        run("keys", "remove", "--keys", str(keys), "--name", "alice")
        assert await status_of(address, alice) == 401
        await other.call("pause_endpoint", endpoint_name="chat")
        assert (await waiting)["reached"] is True
