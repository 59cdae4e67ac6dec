"""An endpoint to change."""

from typing import Any

import pytest
from tests.support.plane_driver import CAN_SLEEP, Driver


@pytest.fixture
async def running(driver: Driver, anyio_backend: str) -> dict[str, Any]:
    """A running endpoint `chat`, as the plane shows it."""
    await driver.create(compute=CAN_SLEEP, model={"env": {"A": "1", "B": "2"}}, tags=["team-a"])
    await driver.advance(200)
    return await driver.get("chat")
