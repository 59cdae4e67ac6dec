"""Attacks from inside a worker that a hostile model took over. What a system cannot deny, its workers' log says."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.planes.plane_driver import Driver, PlaneOf

from inference_endpoints_local.confinement import CONNECTIONS, FILES, PROGRAMS, SIGNALS, WRITING
from inference_endpoints_local.daemon import connect
from inference_endpoints_local.engines.programs import Program
from inference_endpoints_local.isolated_python import isolated
from inference_endpoints_local.models.model_files import ModelFolders
from inference_endpoints_local.state.record import Spec

pytestmark = pytest.mark.anyio


@pytest.fixture
async def prying(plane_of: PlaneOf, tmp_path: Path, anyio_backend: str) -> AsyncIterator[Driver]:
    """A plane with a prying worker, and beside it a file of the user."""
    weights = tmp_path / "weights"
    weights.write_text("weights")
    (tmp_path / "note.txt").write_text("private")

    def programs(spec: Spec) -> Program:
        return Program(
            isolated("tests.support.planes.prying_worker"),
            "text-generation",
            lambda *_: {"model": ModelFolders.of((tmp_path,)).open(weights)},
        )

    async with plane_of(programs=programs) as driver:
        await driver.create_local(model={"repository": "tiny/prying"})
        await driver.reach("tiny", "running")
        yield driver


async def attempt(prying: Driver, action: str, subject: Any = "") -> dict[str, Any]:
    answer = await prying.call_endpoint(body={"action": action, "subject": str(subject)})
    assert answer.status == 200, answer
    return dict(answer.body)


def needs(denial: str) -> None:
    denied = connect.describe_confinement().partition(";")[0]
    if denial not in denied:
        pytest.skip(f"this system cannot deny {denial}")


async def test_a_worker_reads_its_weights_and_the_log_names_what_it_is_denied(prying: Driver, tmp_path: Path) -> None:
    """Those that were opened for it, though something else is at their path by now."""
    (tmp_path / "weights").unlink()
    (tmp_path / "weights").write_text("other")
    assert "weights" in (await attempt(prying, "read", "its weights"))["done"]
    log = (await prying.call("GET", "/v2/endpoint/acme/tiny/logs")).body
    assert connect.describe_confinement() in str(log)


async def test_it_reads_neither_the_token_of_the_plane_nor_files_of_the_user(prying: Driver, tmp_path: Path) -> None:
    needs(FILES)
    store = prying.plane.options.data_dir
    for path in (tmp_path / "note.txt", store / "plane.sqlite3", "/etc/passwd", f"/proc/{os.getpid()}/environ"):
        assert "denied" in await attempt(prying, "read", path)
    for folder in (tmp_path, store, Path.home(), "/", "/etc"):
        assert "denied" in await attempt(prying, "list", folder)


async def test_it_changes_no_file(prying: Driver, tmp_path: Path) -> None:
    needs(FILES)
    note = tmp_path / "note.txt"
    for action in ("write", "append", "remove", "open to all"):
        assert "denied" in await attempt(prying, action, note)
    for action in ("write", "link"):
        for folder in (tmp_path, sys.prefix, Path(__file__).parent, "/dev/shm"):  # noqa: S108
            assert "denied" in await attempt(prying, action, Path(folder) / "new")
    assert note.read_text() == "private"
    assert sorted(os.listdir(tmp_path)) == ["note.txt", "plane", "weights"]  # noqa: PTH208


async def test_it_connects_to_nobody_and_opens_no_port_that_others_expect(prying: Driver, tmp_path: Path) -> None:
    needs(CONNECTIONS)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_UNIX) as service:
        service.bind(str(path := tmp_path / "service"))
        service.listen()
        port = listener.getsockname()[1]
        for action in ("connect", "send", "send a datagram"):
            assert "denied" in await attempt(prying, action, port)
        assert "denied" in await attempt(prying, "speak to", path)
    needs(SIGNALS)  # a system that denies signals also denies ports
    assert "denied" in await attempt(prying, "listen", port)


async def test_it_starts_no_program_and_signals_no_process(prying: Driver) -> None:
    needs(PROGRAMS)
    for program in (sys.executable, "/bin/sh"):
        assert "denied" in await attempt(prying, "start", program)
    for pid in (os.getpid(), os.getppid(), 1):
        assert "denied" in await attempt(prying, "signal", pid)


async def test_it_starts_isolated_in_a_folder_that_nobody_can_fill(prying: Driver) -> None:
    found = (await attempt(prying, "environment"))["done"]
    assert "'cwd': '/'" in found
    assert "'isolated': 1" in found
    assert "TOKEN" not in found


def test_a_confined_process_still_ends_on_a_signal_and_reports_every_denial() -> None:
    every = (FILES, WRITING, CONNECTIONS, PROGRAMS, SIGNALS)
    report = connect.describe_confinement()
    assert all(denial in report for denial in every)
    code = "from inference_endpoints_local.confinement import confine; confine(); print(1, flush=True); input()"
    with subprocess.Popen([sys.executable, "-I", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        process.terminate()
        assert process.wait(HANG_TIMEOUT_S) == -signal.SIGTERM
