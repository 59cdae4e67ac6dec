"""The command as a person runs it: a process of its own, with a home of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.hang import HANG_TIMEOUT_S

COMMAND = (sys.executable, "-m", "inference_endpoints_mcp")
INHERITED = ("PATH", "LANG", "TMPDIR", "COVERAGE_PROCESS_CONFIG")

Start = Callable[..., "subprocess.Popen[str]"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def address_of(process: "subprocess.Popen[str]") -> str:
    """The address that a server prints."""
    assert process.stderr is not None
    return process.stderr.readline().removeprefix("Serving ").strip()


def write_private(path: Path, text: str) -> Path:
    """A file that only its owner can read."""
    path.touch(mode=0o600)
    path.write_text(text)
    return path


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Nothing configured: no token, an empty home, and what a process needs to run at all."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**kept, "HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"}


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Runs a command to its end."""

    def ran(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        everything = {**environment, **variables}
        return subprocess.run(
            [*COMMAND, *arguments], env=everything, capture_output=True, text=True, timeout=HANG_TIMEOUT_S, check=False
        )

    return ran


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Starts commands that go on until the test ends."""
    started: list[subprocess.Popen[str]] = []

    def start_one(*arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*COMMAND, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start_one
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=HANG_TIMEOUT_S)
