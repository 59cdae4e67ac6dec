"""How long a start takes is measured by earlier ones, or by the model's size."""

import asyncio
from collections import Counter
from contextlib import AbstractAsyncContextManager, nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.inference_endpoints.diagnosis.test_diagnosis import NOW, endpoint, found
from tests.support.planes.plane_driver import TOKEN, Driver

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.diagnosis.evidence import Evidence
from inference_endpoints.diagnosis.start_times import EarlierStarts, StartHistory, estimate_start, start_durations
from inference_endpoints.models import StageGraph
from inference_endpoints.transport import operations
from inference_endpoints.transport.backend import local
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.operations import Request

L40S = {"accelerator": "gpu", "instanceType": "nvidia-l40s", "instanceSize": "x1"}
BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


def span(begin_s: float, end_s: float) -> dict[str, Any]:
    return {"x": (BEGAN + timedelta(seconds=begin_s)).isoformat(), "x2": (BEGAN + timedelta(seconds=end_s)).isoformat()}


def test_the_starts_of_an_endpoint_are_read_from_the_stages_of_its_replicas() -> None:
    stages = StageGraph.model_validate(
        {
            "series": [
                {"stage": "pending", "data": [span(0, 5), span(1_000, 1_010)]},
                {"stage": "pulling", "data": [span(5, 60)]},
                {"stage": "initializing", "data": [span(60, 150), span(1_010, 1_040), span(2_000, 2_500)]},
                {"stage": "running", "data": [span(150, 900), span(1_040, 1_900)]},
            ]
        }
    )
    assert start_durations(stages) == [40.0, 150.0], "newest first, and without the start that never ran"


@pytest.mark.parametrize(
    ("state", "repository", "earlier", "seconds", "basis"),
    [
        ("initializing", "org/model-7B", [80.0, 70.0, 300.0], 80.0, "Its last 3 starts took 1 min 20 s"),
        ("initializing", "org/model-7B", [], 434.2, "A model of its size usually takes about 7 min 14 s"),
        ("initializing", "org/model-400B", [], 1_200.0, "about 20 min"),
        ("initializing", "org/model", [], 300.0, "3 to 5 minutes"),
        ("scaledToZero", "org/model", [], 40.0, "Waking usually takes about 40 s."),
    ],
)
def test_a_start_is_estimated_by_the_nearest_that_is_known(
    state: str, repository: str, earlier: list[float], seconds: float, basis: str
) -> None:
    expected = estimate_start(endpoint(state, repository=repository), EarlierStarts(earlier))
    assert expected.seconds == pytest.approx(seconds)
    assert basis in expected.basis


def test_longer_than_usual_is_measured_against_its_own_starts() -> None:
    for earlier, text in (([600.0], "not taken longer than usual"), ([60.0], "5 times the usual time")):
        finding = found(Evidence(endpoint("initializing", ago_s=300), NOW, earlier_starts=EarlierStarts(earlier)))
        assert text in finding.summary


@pytest.mark.anyio
async def test_an_endpoint_without_starts_is_estimated_by_others_alike(driver: Driver) -> None:
    for name, repository in (("alike", "org/b-7.2B"), ("other", "org/c-1B")):
        await driver.create(name, model={"repository": repository, "image": {"tgi": {"url": "tgi:3"}}}, compute=L40S)
    await driver.advance(850)
    await driver.create("new", model={"repository": "org/a-7B"}, compute=L40S)
    async with AsyncEndpointsClient(local(driver.plane.url, TOKEN)) as client:
        new, alike = await client.get("new", "acme"), await client.get("alike", "acme")
        history = StartHistory(client)
        found, own = await history.earlier(new, "acme"), await history.earlier(alike, "acme")
    assert (len(found.own), len(found.alike), len(own.own)) == (0, 1, 1)
    assert "Models of its size on the same hardware started in" in estimate_start(new, found).basis


CALLER: ContextVar[str | None] = ContextVar("caller", default=None)


class Counting:
    """A guard that counts what is read of the control plane, and notes for whom."""

    def __init__(self) -> None:
        self.sent = Counter[str]()
        self.callers = set[str | None]()

    def guard_request(self, request: Request) -> AbstractAsyncContextManager[None]:
        self.sent[request.operation.name] += 1
        self.callers.add(CALLER.get())
        return nullcontext()

    def guard_call(self, call: EndpointCall) -> AbstractAsyncContextManager[None]:
        return nullcontext()


@pytest.mark.anyio
async def test_many_who_wait_at_once_read_the_fleet_once(driver: Driver) -> None:
    await driver.create("new", model={"repository": "org/a-7B"}, compute=L40S)
    guard = Counting()
    async with AsyncEndpointsClient(local(driver.plane.url, TOKEN), guard=guard) as client:
        new, history = await client.get("new", "acme"), StartHistory(client)
        await asyncio.gather(*(history.earlier(new, "acme") for _ in range(50)))
        assert guard.sent[operations.LIST.name] == 1
        await history.earlier(new, "acme")
        assert guard.sent[operations.LIST.name] == 2, "what is shown later is read anew"


@pytest.mark.anyio
async def test_what_is_read_for_all_callers_is_read_under_the_limits_of_none(driver: Driver) -> None:
    await driver.create("new", model={"repository": "org/a-7B"}, compute=L40S)
    guard = Counting()
    async with AsyncEndpointsClient(local(driver.plane.url, TOKEN), guard=guard) as client:
        new, history = await client.get("new", "acme"), StartHistory(client)
        token = CALLER.set("the first to ask")
        await history.earlier(new, "acme")
        CALLER.reset(token)
    assert guard.sent[operations.LIST.name] == 1
    assert guard.callers == {None}
