"""The same plane and hosts as the tools' tests have, with room for a fleet."""

from collections.abc import AsyncIterator

import pytest
from tests.support.driver import Driver, PlaneOf


@pytest.fixture
async def driver(plane_of: PlaneOf, anyio_backend: str) -> AsyncIterator[Driver]:
    async with plane_of(cloud_quota=1_000) as driver:
        yield driver
