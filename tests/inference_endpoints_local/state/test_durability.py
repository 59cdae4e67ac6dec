"""What survives a crash, a full disk and a damaged file."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.planes.plane_driver import Driver, PlaneOf, RawClient
from tests.support.polling import eventually

from inference_endpoints_local.engines.child_process import end_leftovers, process_identity
from inference_endpoints_local.state.record import EndpointRecord, PowerState, SpecVersion
from inference_endpoints_local.state.store import NotSaved, Store, StoreDamaged

RECORD = EndpointRecord(
    id="e1", namespace="acme", name="chat", engine="process", spec={"model": {}}, created_ns=1, updated_ns=2
)


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    record = replace(RECORD, power=PowerState.SCALED_TO_ZERO, good=SpecVersion(1, {"a": [1, None]})).failed(2, "boom")
    store = Store(tmp_path / "s" / "plane.sqlite3")
    store.save([record])
    assert Store(store.path).load() == [record]
    assert store.path.stat().st_mode & 0o077 == 0


def test_a_damaged_store_is_reported_and_left_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "plane.sqlite3"
    for content in (b"not a database at all, but long enough" * 10, b"SQLite format 3\0" + b"\1" * 5_000):
        path.write_bytes(content)
        with pytest.raises(StoreDamaged, match=r"plane\.sqlite3.*move"):
            Store(path)
        assert path.read_bytes() == content


def test_a_store_with_an_invalid_endpoint_is_damaged_too(tmp_path: Path) -> None:
    store = Store(tmp_path / "plane.sqlite3")
    with sqlite3.connect(store.path) as db:
        db.execute("INSERT INTO endpoint VALUES ('x', 'n', 'n', 1, '{\"id\": 1}')")
    with pytest.raises(StoreDamaged):
        store.load()


def test_a_store_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "plane.sqlite3"
    Store(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreDamaged, match="version 99"):
        Store(path)


def test_a_full_disk_leaves_all_of_a_change_undone(tmp_path: Path) -> None:
    store = Store(tmp_path / "plane.sqlite3")
    store.save([RECORD])
    store.limit_size()
    huge = [replace(RECORD, id=f"h{n}", name=f"h{n}", spec={"x": "y" * 10_000}) for n in range(9)]
    with pytest.raises(NotSaved, match="was not made"):
        store.save([replace(RECORD, power=PowerState.PAUSED), *huge])
    assert store.load() == [RECORD]


@pytest.mark.anyio
async def test_a_full_disk_is_an_error_and_the_state_stays_as_it_was(driver: Driver) -> None:
    await driver.create("kept")
    driver.plane.store.limit_size()
    env = {"LARGE": "x" * 100_000}
    assert (await driver.create("lost", model={"env": env})).status == 507
    refused = await driver.call("PUT", "/v2/endpoint/acme/kept", {"model": {"env": env}})
    assert refused.status == 507
    assert "error" in refused.body
    page = (await driver.call("GET", "/v2/endpoint/acme")).body
    assert [endpoint["name"] for endpoint in page["items"]] == ["kept"]
    assert page["items"][0]["model"]["env"] == {}


PLANE = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import uvicorn
from inference_endpoints_local import loopback
from inference_endpoints_local.daemon.plane import Plane, PlaneOptions
from tests.support.planes.plane_driver import TOKEN, tiny_programs

async def main():
    plane = Plane(PlaneOptions(data_dir=Path(sys.argv[1]), token=TOKEN, namespace="acme", simulated=True, cores=4,
                               programs=tiny_programs))
    listener = loopback.listen()
    plane.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    await plane.start()
    print(plane.url, flush=True)
    await uvicorn.Server(uvicorn.Config(plane.app, log_config=None, lifespan="off")).serve(sockets=[listener])

asyncio.run(main())
"""


@pytest.mark.anyio
async def test_after_a_kill_every_endpoint_returns_to_its_wanted_state(plane_of: PlaneOf, tmp_path: Path) -> None:
    """Every acknowledged change is there again after a kill, and no worker of the killed plane is left."""
    arguments = [sys.executable, "-c", PLANE, str(tmp_path / "plane"), str(Path(__file__).parents[2])]
    process = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE)
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    driver = RawClient(url)
    for name in ("runs", "paused", "asleep"):
        assert (await driver.create_local(name)).status == 200
    await driver.do("paused", "pause")
    await driver.put_to_sleep("asleep")
    before = await running(driver, "runs")
    worker = (await driver.call("POST", before["status"]["url"].removeprefix(url), {})).body["pid"]
    process.send_signal(signal.SIGKILL)
    await process.wait()

    async with plane_of(cores=4) as again:
        for name, state in (("paused", "paused"), ("asleep", "scaledToZero")):
            assert await again.state(name) == state
        after = await again.reach("runs", "running")
        assert after["status"]["url"].rpartition("/")[2] == before["status"]["url"].rpartition("/")[2]
        assert after["status"]["createdAt"] == before["status"]["createdAt"]
        assert process_identity(worker) is None


async def running(driver: RawClient, name: str) -> dict[str, dict[str, str]]:
    async def is_running() -> bool:
        return await driver.state(name) == "running"

    await eventually(is_running)
    return await driver.get(name)


@pytest.mark.anyio
async def test_a_failed_endpoint_stays_failed_with_its_error_and_logs(plane_of: PlaneOf) -> None:
    async with plane_of() as driver:
        await driver.create(model={"env": {"SIMULATED_FAULT": "image_pull_failure"}})
        await driver.advance(500)
        before = await driver.get("chat")
        logs = (await driver.call("GET", "/v3/endpoint/acme/chat/logs")).body
    async with plane_of() as driver:
        after = await driver.get("chat")
        assert after["status"]["state"] == "failed"
        assert after["status"].pop("url") != before["status"].pop("url"), "the plane has another port"
        assert after == before
        assert (await driver.call("GET", "/v3/endpoint/acme/chat/logs")).body == logs != []


def test_leftover_workers_are_ended_and_strangers_of_the_same_number_are_not() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        identity = process_identity(process.pid)
        assert identity is not None
        end_leftovers({process.pid: "another start time"})
        assert process.poll() is None
        end_leftovers({process.pid: identity, 2**22 + 1: "nobody"})
        assert process.wait(HANG_TIMEOUT_S) == -signal.SIGTERM
