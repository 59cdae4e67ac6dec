"""The replicas follow the load between the minimum and the maximum. The test advances the clock."""

import asyncio
import os
import time
from typing import Any

import pytest
from tests.support.planes.plane_driver import Driver, PlaneOf, tiny_programs
from tests.support.polling import until_ended

from inference_endpoints_local.control.managed_endpoint import ManagedEndpoint
from inference_endpoints_local.engines.child_process import cpu_seconds
from inference_endpoints_local.engines.process_replica import ProcessReplica
from inference_endpoints_local.engines.programs import Program
from inference_endpoints_local.state.clock import ControllableClock
from inference_endpoints_local.state.record import Spec

pytestmark = pytest.mark.anyio

READY_S = 200


def scaling(least: int, most: int, measure: str = "pendingRequests", threshold: float | None = None) -> dict[str, Any]:
    return {"scaling": {"minReplica": least, "maxReplica": most, "measure": {measure: threshold}}}


async def counts(driver: Driver, name: str = "chat") -> tuple[int, int]:
    status = (await driver.get(name))["status"]
    return status["readyReplica"], status["targetReplica"]


async def simulate_load(driver: Driver, requests: object, name: str = "chat") -> int:
    return (await driver.call("POST", "/local/load", {"name": name, "requests": requests})).status


async def test_replicas_follow_pending_requests_up_and_down(driver: Driver) -> None:
    await driver.create(compute=scaling(1, 4))
    await driver.advance(READY_S)
    assert await simulate_load(driver, 4) == 200
    await driver.advance(15)
    assert await counts(driver) == (1, 1)
    await driver.advance(6)
    assert await counts(driver) == (1, 3)
    assert await driver.state("chat") == "running"
    await driver.advance(READY_S)
    assert await counts(driver) == (3, 3)
    await simulate_load(driver, 0)
    await driver.advance(290)
    assert await counts(driver) == (3, 3)
    await driver.advance(200)
    assert await counts(driver) == (1, 1)


async def test_replicas_follow_how_much_the_hardware_is_used(driver: Driver) -> None:
    """A simulated request keeps one replica in full use: one more is added as long as none is idle."""
    await driver.create(compute=scaling(1, 3, "hardwareUsage"))
    await driver.advance(READY_S)
    await simulate_load(driver, 9)
    await driver.advance(61)
    assert await counts(driver) == (1, 2)
    await driver.advance(110)
    assert await counts(driver) == (2, 3)


async def test_an_endpoint_scales_by_its_own_threshold(driver: Driver) -> None:
    await driver.create(compute=scaling(1, 4, threshold=4))
    await driver.advance(READY_S)
    await simulate_load(driver, 8)
    await driver.advance(30)
    assert await counts(driver) == (1, 2)


async def test_there_are_never_more_than_the_maximum_and_lowering_it_holds_at_once(driver: Driver) -> None:
    await driver.create(compute=scaling(1, 4))
    await driver.advance(READY_S)
    await simulate_load(driver, 1_000)
    await driver.advance(READY_S)
    assert await counts(driver) == (4, 4)
    await driver.call("PUT", "/v2/endpoint/acme/chat", {"compute": scaling(1, 2)})
    await driver.advance(0)
    assert await counts(driver) == (2, 2)


async def test_an_endpoint_with_load_stays_on_and_a_resumed_one_begins_with_its_minimum(
    driver: Driver,
) -> None:
    await driver.create(compute=scaling(0, 3))
    await driver.advance(READY_S)
    await simulate_load(driver, 4)
    await driver.advance(3_600)
    assert await counts(driver) == (3, 3)
    await driver.do("chat", "pause")
    assert await counts(driver) == (0, 0)
    await driver.do("chat", "resume")
    await driver.advance(1)
    assert await counts(driver) == (0, 1)


async def test_an_endpoint_without_load_is_not_rechecked(driver: Driver) -> None:
    await driver.create(compute=scaling(1, 4))
    await driver.advance(READY_S)
    await simulate_load(driver, 4)
    await driver.advance(10)
    assert driver.plane.executor.next_due(driver.plane.simulated_clock) is not None
    await simulate_load(driver, 0)
    await driver.advance(1_000)
    assert driver.plane.executor.next_due(driver.plane.simulated_clock) is None


@pytest.mark.parametrize("requests", [-1, True, "1", None, 1.5])
async def test_an_invalid_load_is_refused(driver: Driver, requests: object) -> None:
    await driver.create()
    assert await simulate_load(driver, requests) == 400


async def test_only_simulated_endpoints_have_a_simulated_load(driver: Driver) -> None:
    await driver.create_local()
    assert await simulate_load(driver, 1, "tiny") == 400
    assert await simulate_load(driver, 1, "nobody") == 404


class Workers:
    """A plane of two cores whose clock stands still until the test advances it."""

    def __init__(self, driver: Driver, clock: ControllableClock) -> None:
        self.driver = driver
        self.clock = clock

    async def create(self, name: str = "tiny", measure: str = "pendingRequests") -> None:
        assert (await self.driver.create_local(name, compute=scaling(0, 4, measure))).status == 200
        await self.driver.reach(name, "running")

    async def pass_time(self, seconds: int) -> None:
        for _ in range(seconds // 5):
            self.clock.advance(5)
            await self.driver.plane.settle()

    async def until_ready(self, count: int, name: str = "tiny") -> None:
        await self.driver.wait_until(self.driver.endpoint(name), lambda endpoint: len(endpoint.ready) == count)


@pytest.fixture
async def workers(plane_of: PlaneOf, anyio_backend: str) -> Any:
    clock = ControllableClock(speed=0)
    async with plane_of(clock=clock) as driver:
        yield Workers(driver, clock)


async def busy_with(driver: Driver, calls: int) -> list[asyncio.StreamWriter]:
    """Calls that last until they are closed."""
    return [(await driver.begin_call("/hang"))[1] for _ in range(calls)]


async def test_a_busy_worker_gets_another_beside_it_as_far_as_there_are_cores(workers: Workers) -> None:
    await workers.create()
    first = (await workers.driver.call_endpoint()).body["pid"]
    writers = await busy_with(workers.driver, 9)
    await workers.pass_time(30)
    await workers.until_ready(2)
    assert await counts(workers.driver, "tiny") == (2, 2)
    assert (await workers.driver.call_endpoint()).body["pid"] != first
    vendors = (await workers.driver.call("GET", "/v2/provider/acme")).body["vendors"]
    quota = vendors[0]["regions"][0]["computes"][0]["quota"]
    assert quota == {"maxAccelerators": 2, "usedAccelerators": 2}
    for writer in writers:
        writer.close()


async def test_workers_of_light_models_share_a_core(plane_of: PlaneOf) -> None:
    def any_model(spec: Spec) -> Program:
        return tiny_programs(spec | {"model": {"repository": "tiny/echo"}})

    async with plane_of(programs=any_model) as driver:
        for name in ("first", "second", "third", "fourth"):
            assert (await driver.create_local(name, model={"repository": "fasttext/lid.176-ftz"})).status == 200
            await driver.reach(name, "running")
        assert (await driver.create_local("whole")).status == 200
        await driver.reach("whole", "running")
        assert (await driver.create_local("more")).body["error"] == "Conflict: Quota exceeded"


async def test_a_worker_no_longer_needed_finishes_what_it_answers_and_gets_nothing_new(workers: Workers) -> None:
    await workers.create()
    writers = await busy_with(workers.driver, 3)
    await workers.pass_time(30)
    await workers.until_ready(2)
    second = (await workers.driver.call_endpoint()).body["pid"]
    reader, writer = await workers.driver.begin_call("/hang")
    for other in writers:
        other.close()
    endpoint = workers.driver.endpoint("tiny")
    await workers.driver.wait_until(endpoint, lambda endpoint: endpoint.load.requests == 1)
    await workers.pass_time(360)
    assert await counts(workers.driver, "tiny") == (1, 1)
    assert {(await workers.driver.call_endpoint()).body["pid"] for _ in range(3)} == {first_of(endpoint)} - {second}
    await reader.read(1 << 20)  # what came so far
    assert await reader.readexactly(10)
    writer.close()
    await until_ended(second)


def first_of(endpoint: ManagedEndpoint) -> int | None:
    """The process of its oldest replica."""
    replica = endpoint.replicas[0]
    assert isinstance(replica, ProcessReplica)
    return replica.pid


async def test_a_surplus_worker_is_stopped_for_an_endpoint_that_has_none(workers: Workers) -> None:
    await workers.create("other")
    await workers.driver.put_to_sleep("other")
    await workers.create()
    writers = await busy_with(workers.driver, 9)
    await workers.pass_time(30)
    await workers.until_ready(2)
    await workers.driver.call_endpoint(name="other")
    await workers.pass_time(10)
    await workers.until_ready(1, "other")
    assert await counts(workers.driver, "tiny") == (1, 1)
    for writer in writers:
        writer.close()


async def test_the_processor_time_of_a_worker_is_its_use_of_the_hardware(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = 100.0
    monkeypatch.setattr("inference_endpoints_local.engines.process_replica.cpu_seconds", lambda _: taken)
    await workers.create(measure="hardwareUsage")
    writers = await busy_with(workers.driver, 1)
    for in_use, replicas in ((0.5, 1), (0.9, 2)):
        for _ in range(16):
            taken += 5 * in_use
            await workers.pass_time(5)
        await workers.until_ready(replicas)
    writers[0].close()


@pytest.mark.skipif(cpu_seconds(os.getpid()) is None, reason="this system does not report processor time")
def test_processor_time_is_that_of_the_process() -> None:
    started = time.process_time()
    before = cpu_seconds(os.getpid())
    while time.process_time() < started + 0.2:
        pass
    after, used = cpu_seconds(os.getpid()), time.process_time() - started
    assert before is not None
    assert after is not None
    assert after - before == pytest.approx(used, abs=0.05), "the system counts in hundredths of a second"
    assert cpu_seconds(2**22 + 1) is None
