"""Updates are rolling: the old version serves until the new one does, and a bad update changes nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.planes.plane_driver import Driver, PlaneOf, RawResponse
from tests.support.polling import until_ended

from inference_endpoints_local.state.clock import ControllableClock

pytestmark = pytest.mark.anyio


class Answers:
    """Counts answers by status and version."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[int, Any]] = Counter()
        self._added = asyncio.Condition()

    async def add(self, answer: RawResponse) -> None:
        self.counts[answer.status, answer.body.get("environment", {}).get("VERSION")] += 1
        async with self._added:
            self._added.notify_all()

    async def wait_for_more_of(self, version: str, times: int = 20) -> None:
        goal = self.counts[200, version] + times
        async with asyncio.timeout(HANG_TIMEOUT_S), self._added:
            await self._added.wait_for(lambda: self.counts[200, version] >= goal)


@asynccontextmanager
async def under_load(driver: Driver, callers: int = 4) -> AsyncIterator[Answers]:
    """Callers that call without pause during the block."""
    answers = Answers()
    over = asyncio.Event()

    async def caller() -> None:
        while not over.is_set():
            await answers.add(await driver.call_endpoint(X_Scale_Up_Timeout="10"))

    calling = [asyncio.create_task(caller()) for _ in range(callers)]
    try:
        yield answers
    finally:
        over.set()
        await asyncio.gather(*calling)


async def update(driver: Driver, version: str, **env: str) -> None:
    change = {"model": {"env": {"VERSION": version, **env}}}
    assert (await driver.call("PUT", "/v2/endpoint/acme/tiny", change)).status == 200


async def test_no_call_fails_during_updates_where_there_is_room_for_two(driver: Driver) -> None:
    await driver.create_local(model={"env": {"VERSION": "0"}})
    await driver.reach("tiny", "running")
    async with under_load(driver) as answers:
        for version in ("1", "2", "3"):
            await update(driver, version)
            await answers.wait_for_more_of(version)
    assert {status for status, _ in answers.counts} == {200}


async def test_a_call_under_way_during_an_update_is_answered_by_the_version_that_began_it(
    driver: Driver, tmp_path: Path
) -> None:
    release = tmp_path / "release"
    await driver.create_local(model={"env": {"VERSION": "0", "TINY_HOLDS_UNTIL": str(release)}})
    await driver.reach("tiny", "running")
    held = asyncio.create_task(driver.call_endpoint("/held"))
    await driver.wait_until(driver.endpoint("tiny"), lambda endpoint: bool(endpoint.replicas[0].in_flight))
    await update(driver, "1")
    async with under_load(driver) as answers:
        await answers.wait_for_more_of("1")
    assert not held.done()
    release.touch()
    answer = await held
    assert (answer.status, answer.body["environment"]["VERSION"]) == (200, "0")


async def test_no_call_fails_during_an_update_that_cannot_start(plane_of: PlaneOf) -> None:
    async with plane_of(clock=ControllableClock(speed=100)) as driver:
        await driver.create_local(model={"env": {"VERSION": "0"}})
        await driver.reach("tiny", "running")
        async with under_load(driver) as answers:
            await update(driver, "1", TINY_FAILS="bad flag")
            await driver.reach("tiny", "updateFailed")
            await answers.wait_for_more_of("0")
        assert set(answers.counts) == {(200, "0")}


async def test_without_room_for_more_replicas_are_replaced_one_at_a_time(driver: Driver) -> None:
    await driver.create_local(model={"env": {"VERSION": "0"}}, compute={"scaling": {"minReplica": 2, "maxReplica": 2}})
    endpoint = driver.endpoint("tiny")
    await driver.wait_until(endpoint, lambda endpoint: len(endpoint.ready) == 2)
    async with under_load(driver) as answers:
        await update(driver, "1")
        await driver.wait_until(endpoint, lambda endpoint: endpoint.record.good == endpoint.record.version)
        await answers.wait_for_more_of("1")
    assert {status for status, _ in answers.counts} == {200}
    assert len(endpoint.ready) == 2


async def test_an_update_keeps_the_old_replica_serving_until_the_new_one_is_ready(
    driver: Driver, tmp_path: Path
) -> None:
    await driver.create_local()
    await driver.reach("tiny", "running")
    old = (await driver.call_endpoint()).body["pid"]
    change = {"model": {"env": {"TINY_LOADS_UNTIL": str(tmp_path / "loaded")}}}
    answer = await driver.call("PUT", "/v2/endpoint/acme/tiny", change)
    assert answer.body["status"]["state"] == "updating"
    assert (await driver.call_endpoint()).body["pid"] == old
    (tmp_path / "loaded").touch()
    await driver.reach("tiny", "running")
    assert (await driver.call_endpoint()).body["pid"] != old
    await until_ended(old)


async def test_a_bad_update_leaves_the_old_replica_serving(plane_of: PlaneOf) -> None:
    async with plane_of(clock=ControllableClock(speed=100)) as driver:
        await driver.create_local()
        await driver.reach("tiny", "running")
        old = (await driver.call_endpoint()).body["pid"]
        await driver.call("PUT", "/v2/endpoint/acme/tiny", {"model": {"env": {"TINY_FAILS": "bad flag"}}})
        status = (await driver.reach("tiny", "updateFailed"))["status"]
        assert "bad flag" in status["errorMessage"]
        assert (await driver.call_endpoint()).body["pid"] == old


async def test_a_bad_update_without_room_for_two_brings_the_old_version_back(plane_of: PlaneOf) -> None:
    async with plane_of(clock=ControllableClock(speed=100)) as driver:
        await driver.create_local(compute={"instanceSize": "x2"})
        await driver.reach("tiny", "running")
        await driver.call("PUT", "/v2/endpoint/acme/tiny", {"model": {"env": {"TINY_FAILS": "bad flag"}}})
        await driver.reach("tiny", "updateFailed")
        await driver.wait_until(driver.endpoint("tiny"), lambda endpoint: bool(endpoint.ready))
        answer = await driver.call_endpoint()
        assert (answer.status, "TINY_FAILS" in answer.body["environment"]) == (200, False)
        assert await driver.state("tiny") == "updateFailed"
