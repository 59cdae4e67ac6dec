"""A worker as a process: how it starts, whom it answers, and that it ends with the plane."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.hang import HANG_TIMEOUT_S

Until = Callable[..., Any]


def has_ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_the_port_is_written_before_the_model_is_loaded_and_health_shows_when_it_is(
    gated_worker: Any, gate: Path
) -> None:
    assert gated_worker.get("/health", secret=None) == (503, {"error": "Model is loading"})
    gate.touch()
    assert gated_worker.ready().get("/health", secret=None)[0] == 200


def test_stdout_has_one_line_and_nothing_else(gated_worker: Any, gate: Path) -> None:
    gate.touch()
    gated_worker.ready().post("/", {})
    gated_worker.process.terminate()
    assert gated_worker.process.stdout.read() == b""


def test_everything_but_health_needs_the_secret_also_while_loading(gated_worker: Any, gate: Path) -> None:
    assert gated_worker.post("/", {}, secret="wrong")[0] == 401
    assert gated_worker.post("/", {})[0] == 503
    gate.touch()
    gated_worker.ready()
    assert gated_worker.post("/", {}, secret=None) == (401, {"error": "Missing or wrong bearer token"})
    assert gated_worker.get("/v1/models", secret="wrong")[1]["error"]["code"] == 401
    assert gated_worker.post("/", {}) == (200, {"fields": 0})


def test_the_log_counts_requests_and_quotes_neither_prompt_nor_secret(
    gated_worker: Any, gate: Path, until: Until
) -> None:
    gate.touch()
    gated_worker.ready().post("/", {"inputs": "my diary"})
    assert gated_worker.post("/", {"explode": "my diary"}) == (500, {"error": "The model failed on this input"})
    until(lambda: "POST / 500" in gated_worker.log)
    loading, ready, request, *_ = gated_worker.log.splitlines()
    assert "loading none for counting" in loading
    assert "ready in" in ready
    assert "counting POST / 200 in" in request
    assert "failed with RuntimeError in gated_worker.py" in gated_worker.log
    assert "diary" not in gated_worker.log
    assert gated_worker.secret not in gated_worker.log


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"[]", 400), (b'"' + b"x" * (10 * 1024 * 1024) + b'"', 413)]
)
def test_a_body_that_cannot_be_read_is_refused(gated_worker: Any, gate: Path, body: bytes, status: int) -> None:
    gate.touch()
    assert gated_worker.ready().post("/", body)[0] == status


def test_an_unknown_route_lists_the_known_ones(gated_worker: Any, gate: Path) -> None:
    gate.touch()
    assert gated_worker.ready().post("/generate", {}) == (404, {"error": "This endpoint serves /"})


def test_a_model_that_cannot_be_loaded_is_reported_in_one_line_and_ends_the_worker(
    gated_worker: Any, gate: Path
) -> None:
    gate.with_suffix(".new").write_text("no such\ntensor")
    gate.with_suffix(".new").replace(gate)
    assert gated_worker.process.wait(HANG_TIMEOUT_S) == 1
    assert gated_worker.log.splitlines()[-1].endswith("ERROR cannot load none: RuntimeError: no such tensor")


def test_the_worker_ends_when_its_stdin_closes_even_while_loading(gated_worker: Any) -> None:
    gated_worker.process.stdin.close()
    assert gated_worker.process.wait(HANG_TIMEOUT_S) == 0


def test_the_worker_exits_with_zero_on_sigterm(gated_worker: Any, gate: Path) -> None:
    gate.touch()
    gated_worker.ready().process.send_signal(signal.SIGTERM)
    assert gated_worker.process.wait(HANG_TIMEOUT_S) == 0


@pytest.mark.parametrize("line", [b"hello\n", b"[]\n", b'{"secret": "hush", "files": {}}\n', b'{"files": 1}\n'])
def test_a_bad_first_line_ends_the_worker_without_being_quoted(line: bytes) -> None:
    script = Path(__file__).with_name("gated_worker.py")
    ended = subprocess.run(
        [sys.executable, script], input=line, capture_output=True, timeout=HANG_TIMEOUT_S, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert b"not a worker configuration" in ended.stderr
    assert b"hush" not in ended.stderr


PARENT = """
import json, subprocess, sys, time
worker = subprocess.Popen([sys.executable, sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
worker.stdin.write(sys.argv[2].encode() + b"\\n")
worker.stdin.flush()
print(worker.pid, worker.stdout.readline().decode(), flush=True)
time.sleep(600)
"""


def test_the_worker_is_gone_once_its_parent_is_killed(gate: Path, until: Until) -> None:
    config = {"endpoint": "e", "model": "none", "task": "t", "secret": "s", "files": {"gate": str(gate)}}
    script = str(Path(__file__).with_name("gated_worker.py"))
    command = [sys.executable, "-c", PARENT, script, json.dumps(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        worker = int(parent.stdout.readline().split()[0])
        parent.kill()
    until(lambda: has_ended(worker))
