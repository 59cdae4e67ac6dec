"""A caller who finds no replica ready is told when to try again."""

from collections.abc import AsyncIterator

import pytest
from tests.support.planes.plane_driver import Driver, PlaneOf

pytestmark = pytest.mark.anyio

WAKING_S = 40
"""What the simulation takes to wake an endpoint."""


@pytest.fixture
async def driver(plane_of: PlaneOf) -> AsyncIterator[Driver]:
    async with plane_of(simulated_speed=1) as driver:
        yield driver


async def retry_after(driver: Driver) -> int:
    refused = await driver.call_endpoint(name="chat")
    assert (refused.status, refused.body["error"]) == (503, "503 Service Unavailable")
    return int(refused.headers["retry-after"])


async def test_while_an_endpoint_wakes_it_is_what_its_last_start_took_and_at_most_a_minute(driver: Driver) -> None:
    await driver.create()
    await driver.advance(600)
    await driver.put_to_sleep("chat")
    assert await retry_after(driver) == 60
    await driver.advance(WAKING_S + 5)
    assert await driver.state("chat") == "running"
    await driver.put_to_sleep("chat")
    assert 5 < await retry_after(driver) <= WAKING_S + 1


async def test_as_long_as_nothing_is_known_of_its_start_it_is_a_few_seconds(driver: Driver) -> None:
    await driver.create()
    assert await retry_after(driver) == 5


async def test_a_start_that_takes_longer_than_the_last_one_is_asked_for_every_few_seconds(driver: Driver) -> None:
    await driver.create()
    await driver.advance(600)
    slow = {"model": {"env": {"SIMULATED_FAULT": "slow_start"}}}
    await driver.do("chat", "pause")
    assert (await driver.call("PUT", "/v2/endpoint/acme/chat", slow)).status == 200
    await driver.do("chat", "resume")
    await driver.advance(500)
    assert await driver.state("chat") == "initializing"
    assert await retry_after(driver) == 5


async def test_without_room_it_is_longer(driver: Driver) -> None:
    await driver.create()
    await driver.do("chat", "pause")
    none = {"hardware": "aws-us-east-1-intel-spr-x1", "replicas": 0}
    assert (await driver.call("POST", "/local/capacity", none)).status == 200
    await driver.do("chat", "resume")
    await driver.wait_until(driver.endpoint("chat"), lambda endpoint: endpoint.lacks_capacity)
    assert await retry_after(driver) == 15
