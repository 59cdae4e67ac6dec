"""The same plane and hosts as the tools' tests have, with room for a fleet."""

from collections.abc import AsyncIterator

import pytest
from tests.plane.driver import Driver, PlaneOf
from tests.tools.conftest import host, host_of, mode, modern, plane_of

__all__ = ["driver", "host", "host_of", "mode", "modern", "plane_of"]


@pytest.fixture
async def driver(plane_of: PlaneOf, anyio_backend: str) -> AsyncIterator[Driver]:
    async with plane_of(cloud_quota=1_000) as driver:
        yield driver
