"""The plane and hosts of the tools' tests, with room for many endpoints."""

from collections.abc import AsyncIterator

import pytest
from tests.support.planes.plane_driver import Driver, PlaneOf


@pytest.fixture
async def driver(plane_of: PlaneOf, anyio_backend: str) -> AsyncIterator[Driver]:
    async with plane_of(cloud_quota=1_000) as driver:
        yield driver
