"""What all tests share."""

import pytest

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
