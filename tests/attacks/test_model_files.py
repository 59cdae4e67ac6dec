"""Attacks by the path of a model file: each tries to freeze the plane, to read what is not allowed, or to learn what is
on the disk."""

import asyncio
import os
import stat
import struct
import tempfile
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.inference_endpoints_local.models.test_catalogue import gguf
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.planes.plane_driver import TOKEN, Driver, PlaneOf

from inference_endpoints.transport.backend import local
from inference_endpoints_local.engines.engine import CannotRun
from inference_endpoints_local.engines.programs import Program
from inference_endpoints_local.models.gguf import read_header
from inference_endpoints_local.models.gguf_kind import InvalidGguf
from inference_endpoints_local.models.model_files import ModelFile, ModelFolders, NoModelFile
from inference_endpoints_local.state.record import Spec
from inference_endpoints_mcp.policy.limits import Limits

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The operator's folder of models, with one model in it."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "model.gguf").write_bytes(gguf())
    return folder


@pytest.fixture
async def plane(plane_of: PlaneOf, folder: Path, anyio_backend: str) -> AsyncIterator[Driver]:
    """A plane that runs the models of that folder."""
    async with plane_of(programs=None, model_folders=(str(folder),)) as driver:
        yield driver


def host_at(host_of: HostOf, plane: Driver, folder: Path) -> Any:
    """A host whose server has the same folder and may only read."""

    async def open_backend(_: Any) -> Any:
        return local(plane.url, TOKEN)

    return host_of(open_backend=open_backend, limits=Limits(read_only=True, model_folders=(str(folder),)))


async def looks(plane: Driver, path: str) -> list[tuple[int, str]]:
    """Every look at a file that a caller of the plane can cause, with its answer, without the path itself."""
    suggestion = await plane.call("GET", f"/api/configuration?model_id={path}")
    created = await plane.create_local("own", model={"repository": path})
    return [(answer.status, str(answer.body).replace(path, "PATH")) for answer in (suggestion, created)]


SPECIAL: dict[str, Callable[[Path], Any]] = {
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a socket": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
    "a link to a model": lambda path: path.symlink_to(path.parent / "model.gguf"),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("kind", SPECIAL)
async def test_what_is_no_regular_file_gets_the_answer_of_a_file_that_is_not_there(
    plane: Driver, folder: Path, kind: str
) -> None:
    absent = await looks(plane, str(folder / "absent.gguf"))
    SPECIAL[kind](folder / "special.gguf")
    async with asyncio.timeout(HANG_TIMEOUT_S):
        assert await looks(plane, str(folder / "special.gguf")) == absent
    assert [status for status, _ in absent] == [404, 400]
    assert "there is no suggestion for this model" in absent[0][1]


@pytest.mark.parametrize(
    "path", ["/dev/ptmx", "/dev/tty", "/dev/zero", "/dev/stdin", "/proc/self/environ", "/etc/passwd"]
)
async def test_a_file_outside_the_folders_gets_the_answer_of_one_that_is_not_there(
    plane: Driver, host_of: HostOf, folder: Path, path: str
) -> None:
    async with asyncio.timeout(HANG_TIMEOUT_S):
        assert await looks(plane, path) == await looks(plane, str(folder / "absent.gguf"))


@pytest.mark.parametrize("path", ["/dev/ptmx", "/etc/passwd", "/absent", "{folder}/../other", "file:///dev/ptmx"])
async def test_a_recommendation_looks_at_no_file_outside_the_folders_even_where_only_reading_is_allowed(
    plane: Driver, host_of: HostOf, folder: Path, path: str
) -> None:
    async with host_at(host_of, plane, folder) as host, asyncio.timeout(HANG_TIMEOUT_S):
        text = await host.refused("get_recommended_config", "REFUSED", repository=path.format(folder=folder))
        assert "--model-folders" in text
        found = await host.call("get_recommended_config", repository=str(folder / "model.gguf"))
        assert found["hardware"] == "local-machine-cpu-x1"


def test_devices_and_pipes_are_never_opened_where_every_folder_is_allowed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = len(list(Path("/dev/pts").iterdir()))
    for path in ("/dev/ptmx", "/dev/zero", str(tmp_path / "pipe")):
        with pytest.raises(NoModelFile):
            ModelFolders.of(()).open(Path(path))
    assert len(list(Path("/dev/pts").iterdir())) == before


@pytest.mark.parametrize(
    "path", ["../outside/model.gguf", "link/model.gguf", "link.gguf", "a/../model.gguf", "\0", "n" * 5_000]
)
def test_no_path_leads_out_of_the_folders(tmp_path: Path, folder: Path, path: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "model.gguf").write_bytes(gguf())
    (folder / "link").symlink_to(outside)
    (folder / "link.gguf").symlink_to(outside / "model.gguf")
    with pytest.raises(NoModelFile):
        ModelFolders.of((folder,)).open(folder / path)


def test_a_folder_that_is_swapped_for_a_link_after_the_check_leads_nowhere(tmp_path: Path, folder: Path) -> None:
    """Another process replaces a folder by a link, and back, as fast as it can."""
    secret, inner = tmp_path / "secret", folder / "inner"
    for place in (secret, inner):
        place.mkdir()
        (place / "model.gguf").write_text(place.name)
    ended = threading.Event()

    def swap() -> None:
        while not ended.is_set():
            inner.rename(folder / "kept")
            inner.symlink_to(secret)
            inner.unlink()
            (folder / "kept").rename(inner)

    with ModelFolders.of((folder,)).open(inner / "model.gguf") as file:
        read = {file.read(100, 0)}
    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(2_000):
            try:
                with ModelFolders.of((folder,)).open(inner / "model.gguf") as file:
                    read.add(file.read(100, 0))
            except NoModelFile:
                read.add(b"nothing")
    finally:
        ended.set()
        swapping.join()
    assert read <= {b"inner", b"nothing"}


def test_a_second_name_of_a_file_of_another_user_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.link(folder / "model.gguf", folder / "second.gguf")
    ModelFolders.of((folder,)).open(folder / "second.gguf").close()
    monkeypatch.setattr(os, "geteuid", lambda: (folder / "model.gguf").stat().st_uid + 1)
    with pytest.raises(NoModelFile):
        ModelFolders.of((folder,)).open(folder / "second.gguf")


async def test_what_was_checked_is_what_a_worker_gets_whatever_is_at_the_path_by_then(folder: Path) -> None:
    path = folder / "model.gguf"
    with ModelFolders.of((folder,)).open(path) as file:
        path.rename(folder / "checked.gguf")
        path.write_text("replaced")
        assert file.path.read_bytes() == (folder / "checked.gguf").read_bytes()


async def test_a_file_that_is_not_allowed_any_more_is_not_opened_by_a_restart_or_a_resume(
    plane_of: PlaneOf, folder: Path, tmp_path: Path
) -> None:
    body = {"repository": str(folder / "model.gguf")}
    for change in ("narrowed", "linked"):
        async with plane_of(programs=None, model_folders=(str(folder),)) as driver:
            assert (await driver.create_local(change, model=body)).status == 200
            await driver.do(change, "pause")
        allowed = folder
        if change == "narrowed":
            allowed = tmp_path / "other"
        else:
            (folder / "model.gguf").rename(folder / "moved.gguf")
            (folder / "model.gguf").symlink_to(folder / "moved.gguf")
        async with plane_of(programs=None, model_folders=(str(allowed),)) as driver:
            await driver.do(change, "resume")
            status = (await driver.reach(change, "failed"))["status"]
            assert "is no model file that can be opened here" in status["errorMessage"]
            await driver.call("DELETE", f"/v2/endpoint/acme/{change}")


def announced(*parts: bytes) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + struct.pack("<Q", 1) + b"a" + b"".join(parts)


HEADERS = {
    "a text of 600 MB": (announced(struct.pack("<IQ", 8, 600_000_000)), b"", 700_000_000),
    "a text of 2^60 bytes": (announced(struct.pack("<IQ", 8, 2**60)), b"", 2**36),
    "a list of 2^60 numbers": (announced(struct.pack("<IIQ", 9, 5, 2**60)), b"", 2**36),
    "a list of 14 million empty texts": (announced(struct.pack("<IIQ", 9, 8, 14_000_000)), b"", 130_000_000),
    "lists in lists": (announced(struct.pack("<I", 9), struct.pack("<IQ", 9, 1) * 100_000), b"", 0),
    "2^60 tensors": (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0), b"", 2**36),
    "2^60 settings": (b"GGUF" + struct.pack("<IQQ", 3, 1, 2**60), b"", 2**36),
}


@pytest.mark.parametrize("name", HEADERS)
async def test_a_hostile_header_costs_little_memory_and_stops_nobody(plane: Driver, folder: Path, name: str) -> None:
    head, rest, size = HEADERS[name]
    with (folder / "hostile.gguf").open("wb") as file:
        file.write(head + rest)
        file.truncate(max(size, len(head) + len(rest)))
    look = asyncio.create_task(plane.call("GET", f"/api/configuration?model_id={folder / 'hostile.gguf'}"))
    tracemalloc.start()
    try:
        while not look.done():
            assert (await plane.call("GET", "/healthz", token=None)).status == 200
        assert look.result().status == 404
        assert tracemalloc.get_traced_memory()[1] < 80_000_000
    finally:
        tracemalloc.stop()


WHOLE = gguf()


def overwritten(at: int, content: bytes) -> bytes:
    return WHOLE[:at] + content + WHOLE[at + len(content) :]


@settings(max_examples=500, deadline=None)
@given(
    st.binary(max_size=300).map(lambda rest: b"GGUF" + rest)
    | st.builds(overwritten, st.integers(4, len(WHOLE)), st.binary(min_size=1, max_size=16))
)
def test_every_header_is_read_or_refused_in_words(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        path.write_bytes(content)
        with ModelFolders.of((folder,)).open(path) as file, suppress(InvalidGguf):
            read_header(file)


async def test_a_disk_that_does_not_answer_stops_nobody(plane_of: PlaneOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference_endpoints_local.models.model_files.READ_TIMEOUT_S", 0.2)
    reading, answers = threading.Event(), threading.Event()

    def programs(_: Spec) -> Program:
        reading.set()
        answers.wait(HANG_TIMEOUT_S)
        raise CannotRun("too late")

    async with plane_of(programs=programs) as driver:
        create = asyncio.create_task(driver.create_local())
        await asyncio.to_thread(reading.wait, HANG_TIMEOUT_S)
        assert (await driver.call("GET", "/healthz", token=None)).status == 200
        assert "could not be read in" in (await create).body["error"]
        answers.set()


async def test_files_are_read_in_another_thread_than_that_of_the_plane(
    plane: Driver, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[threading.Thread] = []
    opening = ModelFile.__init__

    def recorded(file: ModelFile, descriptor: int) -> None:
        readers.append(threading.current_thread())
        opening(file, descriptor)

    monkeypatch.setattr(ModelFile, "__init__", recorded)
    assert [status for status, _ in await looks(plane, str(folder / "model.gguf"))] == [200, 200]
    assert len(readers) >= 2
    assert threading.main_thread() not in readers
