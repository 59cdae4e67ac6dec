"""The daemon: how it starts, how it ends, and what it reports if it cannot start."""

import asyncio
import errno
import json
import os
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.polling import eventually

from inference_endpoints_local.daemon.__main__ import DaemonOptions, serve
from inference_endpoints_local.daemon.connect import StartOptions, connect_plane, find_plane, take_lease
from inference_endpoints_local.daemon.data_folder import DataFolder
from inference_endpoints_local.daemon.leases import LeaseMiddleware
from inference_endpoints_local.daemon.plane_errors import (
    DiskFull,
    FolderInUse,
    FolderUnusable,
    NotReachable,
    PortInUse,
    StoreUnusable,
)

from .machine import Machine, line_of, quotas_of

pytestmark = pytest.mark.anyio

SIMULATED = StartOptions(simulated=True)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.fixture
def unwritable(tmp_path: Path) -> Path:
    """A folder in which nobody can create a file, not even root."""
    if os.geteuid() == 0:
        return Path("/proc/self/fd")
    folder = tmp_path / "unwritable"
    folder.mkdir(mode=0o500)
    return folder


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_although_a_lease_is_open(machine: Machine, end: signal.Signals) -> None:
    daemon = machine.serve("--simulated")
    facts = json.loads(await line_of(daemon))
    assert facts["url"] == machine.plane.url
    async with aclosing(await take_lease(machine.plane)) as held:
        daemon.send_signal(end)
        assert await asyncio.to_thread(daemon.wait, HANG_TIMEOUT_S) == 0
        await eventually(lambda: not held.alive)
    assert find_plane(machine.data_dir) is None
    assert machine.processes() == []


async def test_the_quota_of_simulated_clouds_is_what_it_was_started_with(machine: Machine) -> None:
    quotas = await quotas_of(await connect_plane(machine.data_dir, StartOptions(simulated=True, cloud_quota=1_000)))
    assert {vendor for vendor, quota in quotas.items() if quota == {1_000}} == {"aws", "azure", "gcp"}


async def test_a_request_that_names_another_host_neither_uses_nor_ends_it(machine: Machine) -> None:
    plane = await connect_plane(machine.data_dir, SIMULATED)
    for path in ("/local/status", "/local/lease", "/local/stop"):
        for name, value, status in (("Host", "evil.example", 421), ("Origin", "https://evil.example", 403)):
            headers = {"Authorization": f"Bearer {plane.token}", name: value}
            request = urllib.request.Request(plane.url + path, b"", headers)  # noqa: S310
            with pytest.raises(urllib.error.HTTPError) as refused:
                await asyncio.to_thread(urllib.request.urlopen, request, timeout=HANG_TIMEOUT_S)
            with refused.value as answer:
                assert answer.code == status
    assert find_plane(machine.data_dir) == plane


async def test_a_second_one_on_the_same_folder_ends_and_reports_why(machine: Machine) -> None:
    await connect_plane(machine.data_dir, SIMULATED)
    second = machine.serve("--simulated")
    assert await asyncio.to_thread(second.wait, HANG_TIMEOUT_S) == FolderInUse.exit_code
    with pytest.raises(FolderInUse, match="already serves the data folder"):
        await serve(DaemonOptions(machine.data_dir), lambda _: None)


async def test_a_port_in_use_is_reported(machine: Machine, taken_port: int) -> None:
    with pytest.raises(PortInUse, match=f"Port {taken_port} of 127.0.0.1 is in use"):
        await connect_plane(machine.data_dir, StartOptions(simulated=True, port=taken_port))


async def test_the_last_port_is_not_taken_from_others(machine: Machine, taken_port: int) -> None:
    machine.data_dir.mkdir()
    (machine.data_dir / "port").write_text(str(taken_port))
    assert (await connect_plane(machine.data_dir, SIMULATED)).port != taken_port


async def test_a_folder_that_cannot_be_written_is_reported(unwritable: Path) -> None:
    with pytest.raises(FolderUnusable, match="cannot be used"):
        await connect_plane(unwritable)


async def test_a_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.touch()
    with pytest.raises(FolderUnusable, match="it is a file"):
        await connect_plane(file)
    with pytest.raises(FolderUnusable, match="Not a directory"):
        await connect_plane(file / "below")


async def test_a_folder_that_was_deleted_before_the_plane_could_use_it_does_not_come_back(tmp_path: Path) -> None:
    gone = tmp_path / "deleted"
    with pytest.raises(FolderUnusable, match="was deleted"):
        await serve(DaemonOptions(gone, existing=True), lambda _: None)
    assert not gone.exists()


async def test_a_full_disk_is_reported(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(DiskFull, match="Free some space"):
        await serve(DaemonOptions(machine.data_dir), lambda _: None)


async def test_the_reason_of_an_unexpected_error_stays_in_the_log(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(NotReachable, match=r"an unexpected error.*plane\.log shows what happened"):
        await connect_plane(machine.data_dir)


async def test_a_damaged_store_is_reported_and_left_unchanged(machine: Machine) -> None:
    machine.data_dir.mkdir()
    store = machine.data_dir / "plane.sqlite3"
    store.write_text("not a store" * 100)
    with pytest.raises(StoreUnusable, match=r"The end of .*plane\.log states what to do"):
        await connect_plane(machine.data_dir, SIMULATED)
    assert store.read_text() == "not a store" * 100
    assert "Restore it from a backup" in (machine.data_dir / "plane.log").read_text().splitlines()[-1]


async def test_a_damaged_token_is_replaced(machine: Machine) -> None:
    folder = DataFolder(machine.data_dir)
    folder.prepare()
    folder.token_file.write_bytes(b"\xff")
    token = folder.token()
    assert len(token) > 32
    assert folder.token() == token


async def test_a_plane_with_a_request_in_flight_is_in_use() -> None:
    answered = asyncio.Event()

    async def slow(_: Scope, __: Receive, ___: Send) -> None:
        await answered.wait()

    leases = LeaseMiddleware(slow, "token", may_end=lambda: True, end=lambda: None)
    request = asyncio.create_task(leases({"type": "http", "path": "/", "method": "GET", "headers": []}, None, None))  # type: ignore[arg-type]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await leases.wait_until_unused(0.05)
    answered.set()
    await request
    await leases.wait_until_unused(0.05)
