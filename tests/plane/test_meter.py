"""What is measured of an endpoint, over times of our choosing."""

from typing import Any

import pytest

from inference_endpoints_local.api import metric_graphs
from inference_endpoints_local.control.metrics import STEPS, Meter
from inference_endpoints_local.engines.base import Sighting, Stage

NOW = 1_800_000_000.0  # a multiple of 15


class Worker:
    """A replica whose work and memory are what the test says."""

    address = None
    generation = 1
    in_flight = 0

    def __init__(self, name: str, stage: Stage = Stage.READY) -> None:
        self.id = name
        self.stage = stage
        self.work: float | None = 0.0
        self.memory: int | None = 1_000

    def look(self) -> Sighting:
        return Sighting(self.stage)

    def work_s(self) -> float | None:
        return self.work

    def memory_bytes(self) -> int | None:
        return self.memory

    def stop(self, drain: bool) -> None:
        raise AssertionError


def shown(meter: Meter, key: str, start: float, stop: float) -> dict[str, list[float]]:
    """The values of a graph, by what tells its series apart."""
    graph: Any = metric_graphs.all_graphs(meter, [], start, stop)[key]  # type: ignore[literal-required]
    return {
        str(next(value for name, value in one.items() if name != "data")): [point["y"] for point in one["data"]]
        for one in graph["series"]
    }


def answer(meter: Meter, at: float, elapsed: float, status: int | None = 200) -> None:
    meter.begin(at - elapsed)
    meter.end(at, elapsed, status)


def test_answers_are_counted_by_window_with_zeros_between() -> None:
    meter = Meter(NOW)
    for at, status in ((5, 200), (10, 200), (12, 503), (50, 200)):
        answer(meter, NOW + at, 1.0, status)
    assert shown(meter, "responseStatusCode", NOW, NOW + 60) == {"200": [2, 0, 0, 1], "503": [1, 0, 0, 0]}
    assert shown(meter, "responseStatusCodeGrouped", NOW, NOW + 60) == {"2xx": [2, 0, 0, 1], "5xx": [1, 0, 0, 0]}


def test_latency_is_given_where_there_was_an_answer_to_within_five_percent() -> None:
    meter = Meter(NOW)
    for number in range(100):
        answer(meter, NOW + 31, (number + 1) / 100)
    elapsed = shown(meter, "responseElapsed", NOW, NOW + 60)
    assert {share: len(values) for share, values in elapsed.items()} == {"0.5": 1, "0.9": 1, "0.95": 1, "0.99": 1}
    assert elapsed["0.5"] == [pytest.approx(0.5, rel=0.05)]
    assert elapsed["0.95"] == [pytest.approx(0.95, rel=0.05)]


def test_a_caller_who_left_without_an_answer_was_load_but_is_no_answer() -> None:
    meter = Meter(NOW)
    answer(meter, NOW + 12, 6.0, None)
    assert shown(meter, "responseStatusCode", NOW, NOW + 15) == {}
    assert shown(meter, "pendingRequest", NOW, NOW + 15) == {"pending": [pytest.approx(0.4)]}


def test_a_long_request_is_load_in_every_window_it_spans() -> None:
    meter = Meter(NOW)
    meter.begin(NOW + 7.5)
    meter.begin(NOW + 30)
    meter.count(NOW + 60)
    assert shown(meter, "pendingRequest", NOW, NOW + 60) == {"pending": [0.5, 1, 2, 2]}


def test_what_was_just_counted_is_shown_at_once() -> None:
    meter = Meter(NOW)
    answer(meter, NOW + 30.1, 0.05)
    assert shown(meter, "responseStatusCode", NOW, NOW + 30.2) == {"200": [0, 0, 1]}


def test_nothing_is_shown_from_before_measuring_began_nor_of_the_future() -> None:
    meter = Meter(NOW + 30)
    answer(meter, NOW + 40, 1.0)
    assert shown(meter, "responseStatusCode", NOW, NOW + 45) == {"200": [1]}
    assert shown(meter, "responseStatusCode", NOW - 100, NOW) == {}


def test_replicas_are_shown_as_they_stood() -> None:
    meter, first, second = Meter(NOW), Worker("a", Stage.STARTING), Worker("b", Stage.STARTING)
    meter.stand([first, second], 2, NOW)
    first.stage = Stage.READY
    for at in (20, 25, 29):
        meter.stand([first, second], 2, NOW + at)
    second.stage = Stage.READY
    meter.stand([first, second], 2, NOW + 40)
    assert len(meter.stands) == 3
    assert shown(meter, "replicasRunning", NOW, NOW + 45) == {"running": [0, 1, 2], "target": [2, 2, 2]}
    assert shown(meter, "replicasStatus", NOW, NOW + 45) == {"initializing": [2, 1, 0], "running": [0, 1, 2]}


def test_a_processs_work_is_a_share_of_the_time_between_two_looks() -> None:
    meter, worker = Meter(NOW), Worker("a")
    meter.work([worker], NOW)
    worker.work, worker.memory = 3.75, 2_000
    meter.work([worker], NOW + 15)
    meter.work([worker], NOW + 30)
    assert shown(meter, "hardwareCpu", NOW, NOW + 45) == {"a": [25, 0]}
    assert shown(meter, "hardwareMem", NOW, NOW + 45) == {"a": [1_000, 2_000, 2_000]}
    meter.work([worker], NOW + 30.1)
    assert shown(meter, "hardwareCpu", NOW, NOW + 45) == {"a": [25, 0]}, "too soon to tell"


def test_long_times_have_wide_windows_and_few_points() -> None:
    meter = Meter(NOW)
    for minute in range(600):
        answer(meter, NOW + 60 * minute + 1, 0.1)
    (counts,) = shown(meter, "responseStatusCode", NOW, NOW + 36_000).values()
    assert len(counts) == metric_graphs.POINTS
    assert sum(counts) == 600


def test_what_is_kept_is_bounded() -> None:
    meter = Meter(NOW)
    for step in range(STEPS + 100):
        answer(meter, NOW + 15 * step + 5, 0.1)
    assert len(meter.steps) == STEPS
    assert meter.steps[0].began == NOW + 1_500


def test_a_clock_that_goes_back_loses_nothing() -> None:
    meter = Meter(NOW)
    answer(meter, NOW + 40, 1.0)
    answer(meter, NOW + 10, 1.0)
    assert sum(sum(values) for values in shown(meter, "responseStatusCode", NOW, NOW + 60).values()) == 2
