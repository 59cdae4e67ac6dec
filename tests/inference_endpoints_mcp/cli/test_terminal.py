"""What commands show in a terminal, and where there is none."""

import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import pytest
from tests.support.command import COMMAND, Run, Start
from tests.support.hang import HANG_TIMEOUT_S

COLOUR = re.compile(r"\x1b\[[\d;]*3\d[\d;]*m")
STEP = re.compile(r"(\d+)/(\d+) \w+")


class Terminal:
    """Runs a command whose output is a terminal."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment

    def shows(self, *arguments: str, **variables: str) -> str:
        """Everything that was written to it."""
        ours, theirs = pty.openpty()
        everything = self._environment | {"TERM": "xterm", "COLUMNS": "100"} | variables
        process = subprocess.Popen([*COMMAND, *arguments], env=everything, stdout=theirs, stderr=theirs, stdin=theirs)
        os.close(theirs)
        written = b""
        try:
            while block := os.read(ours, 65_536):
                written += block
        except OSError:  # on Linux, the end of what a process wrote to a terminal
            pass
        os.close(ours)
        assert process.wait(HANG_TIMEOUT_S) == 0, written
        return written.decode()


@pytest.fixture
def terminal(environment: dict[str, str]) -> Terminal:
    return Terminal(environment)


@pytest.fixture
def walk(start: Start, tmp_path: Path) -> tuple[str, ...]:
    """The arguments of a walk through every reading operation of a plane."""
    folder = ("--data-dir", str(tmp_path / "plane"))
    process = start("control-plane", "--json", "--port", "0", *folder)
    assert process.stdout is not None
    process.stdout.readline()
    return ("doctor", "--live", "--local", *folder)


def test_a_long_walk_shows_where_it_is(terminal: Terminal, run: Run, walk: tuple[str, ...]) -> None:
    steps = STEP.findall(terminal.shows(*walk))
    assert steps
    assert all(int(step) <= int(total) for step, total in steps)
    assert not COLOUR.search(terminal.shows(*walk, NO_COLOR="1"))
    for variables in ({"TERM": "dumb"}, {"TERM": "dumb", "FORCE_COLOR": "1"}):
        dumb = terminal.shows(*walk, **variables)
        assert "\x1b" not in dumb or variables.get("FORCE_COLOR")
        assert not STEP.search(dumb.split("Compared with")[0])
    for variables in ({}, {"FORCE_COLOR": "1"}):
        quiet = run(*walk, **variables)
        assert quiet.stderr == ""
        assert "\x1b" not in quiet.stdout


def test_an_interrupted_demo_leaves_without_a_traceback_and_leaves_nothing(
    start: Start, environment: dict[str, str], tmp_path: Path
) -> None:
    folders = tmp_path / "temporary"
    folders.mkdir()
    environment["TMPDIR"] = str(folders)
    process = start("demo")
    assert process.stdout is not None
    assert process.stderr is not None
    while "whoami" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    assert process.wait(HANG_TIMEOUT_S) == 130
    assert "Traceback" not in process.stderr.read()
    assert list(folders.iterdir()) == []


def test_a_difference_is_coloured_in_a_terminal_only(terminal: Terminal, run: Run) -> None:
    arguments = ("install", "cursor", "--dry-run")
    assert COLOUR.search(terminal.shows(*arguments))
    assert not COLOUR.search(terminal.shows(*arguments, NO_COLOR="1"))
    assert "\x1b" not in terminal.shows(*arguments, TERM="dumb")
    assert "\x1b" not in run(*arguments).stdout
