"""When the network loses answers, no retry makes a second endpoint."""

import os
from collections.abc import AsyncIterator

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.planes.plane_driver import Driver, PlaneOf

from inference_endpoints_local.state.faults import Fault

pytestmark = pytest.mark.anyio

CREATES = int(os.environ.get("LOST_ANSWERS", "20"))
"""A thousand in `make test-crash`."""
MODEL = {
    "repository": "org/model",
    "hardware": "aws-us-east-1-nvidia-l4-x1",
    "task": "text-generation",
    "framework": "pytorch",
}


@pytest.fixture
async def driver(plane_of: PlaneOf, anyio_backend: str) -> AsyncIterator[Driver]:
    async with plane_of(cloud_quota=CREATES) as driver:
        yield driver


async def test_each_create_whose_answer_is_lost_makes_one_endpoint(driver: Driver, host_of: HostOf) -> None:
    driver.plane.faults.arm(Fault.DROP_ANSWER, "create_endpoint", CREATES)
    async with host_of() as host:
        for number in range(CREATES):
            created = await host.call("create_endpoint", endpoint_name=f"e{number}", **MODEL)
            assert created["changed"] is True
        assert (await host.call("list_endpoints", limit=1))["total"] == CREATES
