"""When and how often the plane is killed: `CRASH_SEED` and `CRASH_POINTS` in the environment."""

import os
import secrets

import pytest

FOLDERS = 8
SEED = os.environ.get("CRASH_SEED") or secrets.token_hex(4)
POINTS = int(os.environ.get("CRASH_POINTS", "200"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kills" in metafunc.fixturenames:
        shares = [POINTS // FOLDERS + (folder < POINTS % FOLDERS) for folder in range(FOLDERS)]
        cases = [pytest.param(f"{SEED}-{n}", kills, id=f"{SEED}-{n}") for n, kills in enumerate(shares) if kills]
        metafunc.parametrize(("seed", "kills"), cases)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"crash tests: CRASH_POINTS={POINTS} CRASH_SEED={SEED}")
