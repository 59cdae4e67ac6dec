"""The plane and hosts of the tools' tests, with the models of the catalogue."""

from collections.abc import AsyncIterator

import pytest
from tests.support.planes.plane_driver import Driver, PlaneOf, tiny_programs

from inference_endpoints_local.engines.programs import Program, from_catalogue
from inference_endpoints_local.state.record import Spec


def tiny_or_real(spec: Spec) -> Program:
    return tiny_programs(spec) if spec["model"]["repository"].startswith("tiny/") else from_catalogue(spec)


@pytest.fixture
async def driver(plane_of: PlaneOf, anyio_backend: str) -> AsyncIterator[Driver]:
    async with plane_of(programs=tiny_or_real, cloud_quota=8) as driver:
        yield driver
