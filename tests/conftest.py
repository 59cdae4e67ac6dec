"""What all tests share."""

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator

# Generated examples are the same each time, and none fails for being slow: `make test-fuzz` looks further.
settings.register_profile(
    "suite", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")

# A shell ignores Ctrl-C for what runs in its background, and every process that a test starts would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    "tests.support.service.scripted_upstream",
    "tests.support.planes.plane",
    "tests.support.command",
    "tests.support.planes.scenarios",
    "tests.support.service.service_requests",
]


@pytest.fixture(autouse=True, scope="session")
def schemas_are_checked_once() -> Iterator[None]:
    """Each session of the SDK's client checks the schema of a tool that it calls: an eighth of the suite's time."""
    check, checked = Draft202012Validator.check_schema, set[str]()

    def check_once(schema: Any, *args: Any, **options: Any) -> None:
        if (text := json.dumps(schema)) not in checked:
            check(schema, *args, **options)
            checked.add(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Draft202012Validator, "check_schema", check_once)
        yield


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
