"""Planes with an endpoint or a model to call."""

from collections.abc import AsyncIterator

import pytest
from tests.support.planes.plane_driver import Driver, PlaneOf

from inference_endpoints_local.engines.programs import from_catalogue


@pytest.fixture
async def tiny(driver: Driver, anyio_backend: str) -> Driver:
    """The plane with a running worker `tiny`, which echoes each request."""
    await driver.create_local()
    await driver.reach("tiny", "running")
    return driver


@pytest.fixture
async def models(plane_of: PlaneOf, anyio_backend: str) -> AsyncIterator[Driver]:
    async with plane_of(programs=from_catalogue) as driver:
        yield driver
