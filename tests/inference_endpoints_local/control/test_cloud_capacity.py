"""Simulated hardware that is scarce: who finds no room waits for it, and gets it when another gives it back."""

from typing import Any

import pytest
from tests.support.planes.plane_driver import Driver
from tests.support.planes.scenarios import L4, finish_all_attempts, finish_starts

pytestmark = pytest.mark.anyio

L4_ID = "aws-us-east-1-nvidia-l4-x1"
NONE_FREE = f"Simulated: Endpoint waiting to be scheduled: no {L4_ID} is free"


async def set_capacity(driver: Driver, replicas: int | None, hardware: str = L4_ID) -> int:
    return (await driver.call("POST", "/local/capacity", {"hardware": hardware, "replicas": replicas})).status


async def status(driver: Driver, name: str) -> dict[str, Any]:
    return dict((await driver.get(name))["status"])


async def listed(driver: Driver) -> str:
    vendors = (await driver.call("GET", "/v2/provider/acme")).body["vendors"]
    computes = [one for vendor in vendors for region in vendor["regions"] for one in region["computes"]]
    return next(str(one["status"]) for one in computes if one["id"] == L4_ID)


async def test_who_comes_later_waits_until_another_gives_its_hardware_back(driver: Driver) -> None:
    assert await set_capacity(driver, 1) == 200
    for name in ("first", "second"):
        assert (await driver.create(name, compute=L4)).status == 200
    await finish_starts(driver)
    assert await driver.state("first") == "running"
    waiting = await status(driver, "second")
    assert (waiting["state"], waiting["message"], waiting["readyReplica"]) == ("pending", NONE_FREE, 0)
    await driver.do("first", "pause")
    await finish_starts(driver)
    assert await driver.state("second") == "running"
    await driver.do("first", "resume")
    await finish_starts(driver)
    assert await driver.state("first") == "pending"
    await driver.call("DELETE", "/v2/endpoint/acme/second")
    await finish_starts(driver)
    assert await driver.state("first") == "running"


async def test_capacity_that_comes_back_is_used_at_once(driver: Driver) -> None:
    await driver.create(compute=L4)
    await driver.do("chat", "pause")
    await set_capacity(driver, 0)
    await driver.do("chat", "resume")
    await finish_starts(driver)
    assert await driver.state("chat") == "pending"
    await set_capacity(driver, None)
    await finish_starts(driver)
    assert await driver.state("chat") == "running"


async def test_a_replica_that_ended_by_itself_gives_its_hardware_back(driver: Driver) -> None:
    await set_capacity(driver, 1)
    await driver.create("broken", compute=L4, model={"env": {"SIMULATED_FAULT": "crash_on_start"}})
    await finish_all_attempts(driver)
    assert await driver.state("broken") == "failed"
    await driver.create("chat", compute=L4)
    await finish_starts(driver)
    assert await driver.state("chat") == "running"


async def test_an_endpoint_gets_as_many_replicas_as_there_is_room_for(driver: Driver) -> None:
    await set_capacity(driver, 2)
    await driver.create(compute=L4 | {"scaling": {"minReplica": 3, "maxReplica": 3}})
    await finish_starts(driver)
    found = await status(driver, "chat")
    assert (found["state"], found["readyReplica"], found["targetReplica"]) == ("running", 2, 3)


async def test_the_list_of_hardware_says_what_is_scarce_and_nothing_is_created_where_there_is_none(
    driver: Driver,
) -> None:
    assert await listed(driver) == "available"
    await set_capacity(driver, 1)
    assert await listed(driver) == "available"
    await driver.create(compute=L4)
    assert await listed(driver) == "low_availability"
    await set_capacity(driver, 0)
    assert await listed(driver) == "not_available"
    refused = await driver.create("other", compute=L4)
    assert (refused.status, refused.body["error"]) == (400, "Bad Request: Compute instance not available yet")
    await finish_starts(driver)
    assert await driver.state("chat") == "running", "those that run stay"


@pytest.mark.parametrize(("hardware", "replicas"), [("aws-us-east-1-nvidia-l4-x3", 1), ("local", 1), (L4_ID, -1)])
async def test_what_is_no_cloud_hardware_or_no_number_is_refused(driver: Driver, hardware: str, replicas: int) -> None:
    assert await set_capacity(driver, replicas, hardware) == 400
