"""What all tests share."""

import pytest

pytest_plugins = ["tests.support.upstream", "tests.support.plane", "tests.support.command", "tests.support.world"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
