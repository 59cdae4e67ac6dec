"""What all tests share."""

import signal

import pytest
from hypothesis import HealthCheck, settings

# Generated examples are the same each time, and none fails for being slow: `make test-fuzz` looks further.
settings.register_profile(
    "suite", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")

# A shell ignores Ctrl-C for what runs in its background, and every process that a test starts would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    "tests.support.scripted_upstream",
    "tests.support.plane",
    "tests.support.command",
    "tests.support.scenarios",
    "tests.support.service_requests",
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
