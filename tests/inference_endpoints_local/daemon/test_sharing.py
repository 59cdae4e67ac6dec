"""One plane per data folder, whoever started it and whoever ends."""

import asyncio
import os
import shutil
import signal
from contextlib import aclosing

import pytest
from tests.support.polling import eventually

from inference_endpoints_local.daemon.connect import StartOptions, connect_plane, find_plane, stop_plane, take_lease
from inference_endpoints_local.daemon.data_folder import DataFolder

from .machine import Machine, create_endpoint, endpoints_of, line_of, status_of

pytestmark = pytest.mark.anyio

SIMULATED = StartOptions(simulated=True)


async def test_eight_hosts_that_start_at_once_share_one_plane(machine: Machine) -> None:
    hosts = [machine.start_host() for _ in range(8)]
    pids = {await line_of(host) for host in hosts}
    assert pids == {str(machine.plane.pid)}


async def test_a_plane_outlives_the_host_that_started_it(machine: Machine) -> None:
    host = machine.start_host()
    pid = int(await line_of(host))
    machine.kill(host)
    plane = await connect_plane(machine.data_dir)
    assert plane.pid == pid
    await create_endpoint(plane)
    assert await endpoints_of(plane) == ["e"]


async def test_without_a_lease_it_ends_and_leaves_no_process(machine: Machine) -> None:
    host = machine.start_host(linger=0.3)
    await line_of(host)
    machine.kill(host)
    await eventually(lambda: not machine.processes())
    assert find_plane(machine.data_dir) is None


async def test_a_lease_of_a_second_host_keeps_it_when_the_first_goes(machine: Machine) -> None:
    first = machine.start_host(linger=0.2)
    await line_of(first)
    async with aclosing(await take_lease(machine.plane)) as held:
        machine.kill(first)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.8):
                await eventually(lambda: not held.alive)
        assert await endpoints_of(machine.plane) == []


async def test_a_lease_reports_that_its_plane_was_killed(machine: Machine) -> None:
    plane = await connect_plane(machine.data_dir, SIMULATED)
    async with aclosing(await take_lease(plane)) as held:
        assert held.alive
        os.kill(plane.pid, signal.SIGKILL)
        await eventually(lambda: not held.alive)


async def test_after_a_kill_the_next_plane_has_the_same_address_token_and_endpoints(machine: Machine) -> None:
    killed = await connect_plane(machine.data_dir, SIMULATED)
    await create_endpoint(killed)
    os.kill(killed.pid, signal.SIGKILL)
    await eventually(lambda: find_plane(machine.data_dir) is None)
    plane = await connect_plane(machine.data_dir, SIMULATED)
    assert plane.pid != killed.pid
    assert (plane.url, plane.token) == (killed.url, killed.token)
    assert await endpoints_of(plane) == ["e"]


async def test_what_a_killed_plane_left_is_not_found_while_the_next_one_starts(machine: Machine) -> None:
    killed = await connect_plane(machine.data_dir, SIMULATED)
    os.kill(killed.pid, signal.SIGKILL)
    await eventually(lambda: find_plane(machine.data_dir) is None)
    with DataFolder(machine.data_dir).hold():
        assert find_plane(machine.data_dir) is None


async def test_after_a_stop_the_next_plane_has_the_same_address_token_and_endpoints(machine: Machine) -> None:
    stopped = await connect_plane(machine.data_dir, SIMULATED)
    await create_endpoint(stopped)
    assert await stop_plane(machine.data_dir)
    plane = await connect_plane(machine.data_dir, SIMULATED)
    assert (plane.url, plane.token) == (stopped.url, stopped.token)
    assert await endpoints_of(plane) == ["e"]


async def test_stop_leaves_no_process_and_returns_whether_there_was_one(machine: Machine) -> None:
    assert not await stop_plane(machine.data_dir)
    await connect_plane(machine.data_dir, SIMULATED)
    assert await stop_plane(machine.data_dir)
    assert find_plane(machine.data_dir) is None
    await eventually(lambda: not machine.processes())
    assert not await stop_plane(machine.data_dir)


async def test_only_the_holder_of_the_token_may_stop_it(machine: Machine) -> None:
    plane = await connect_plane(machine.data_dir, SIMULATED)
    for path, method in (("status", "GET"), ("lease", "GET"), ("stop", "POST")):
        assert await status_of(f"{plane.url}/local/{path}", "guessed", method) == 401
    assert machine.plane == plane


async def test_a_discovery_file_without_a_plane_is_ignored(machine: Machine) -> None:
    plane = await connect_plane(machine.data_dir, SIMULATED)
    discovery = machine.data_dir / "plane.json"
    stale = discovery.read_text().replace(str(plane.pid), str(os.getpid()))
    await stop_plane(machine.data_dir)
    discovery.write_text(stale)
    assert find_plane(machine.data_dir) is None
    assert (await connect_plane(machine.data_dir, SIMULATED)).pid not in (plane.pid, os.getpid())


async def test_a_damaged_discovery_file_is_ignored(machine: Machine) -> None:
    machine.data_dir.mkdir()
    for content in (b"", b"{", b"[]", b"\xff", b'{"url": "http://192.0.2.1:80"}'):
        (machine.data_dir / "plane.json").write_bytes(content)
        assert find_plane(machine.data_dir) is None
    plane = await connect_plane(machine.data_dir, SIMULATED)
    assert machine.plane == plane


async def test_a_discovery_file_lost_while_the_plane_runs_is_written_again(machine: Machine) -> None:
    plane = await connect_plane(machine.data_dir, SIMULATED)
    (machine.data_dir / "plane.json").unlink()
    assert await connect_plane(machine.data_dir) == plane


async def test_a_plane_whose_folder_was_deleted_is_replaced(machine: Machine) -> None:
    lost = await connect_plane(machine.data_dir, SIMULATED)
    async with aclosing(await take_lease(lost)) as held:
        shutil.rmtree(machine.data_dir)
        plane = await connect_plane(machine.data_dir, SIMULATED)
        await eventually(lambda: not held.alive)
    assert plane.pid != lost.pid
    assert machine.plane == plane


async def test_only_this_user_can_read_secrets(machine: Machine) -> None:
    plane = await connect_plane(machine.data_dir, SIMULATED)
    modes = {path.name: path.stat().st_mode & 0o777 for path in machine.data_dir.iterdir()}
    assert machine.data_dir.stat().st_mode & 0o777 == 0o700
    assert (modes["token"], modes["plane.json"], modes["plane.log"]) == (0o600, 0o600, 0o600)
    assert plane.token not in (machine.data_dir / "plane.json").read_text()
    assert plane.token not in repr(plane)
