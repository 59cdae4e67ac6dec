"""The measurements of an endpoint, at times set by the tests."""

from typing import Any

import pytest

from inference_endpoints_local.api import metric_graphs
from inference_endpoints_local.control.endpoint_metrics import MAX_INTERVALS, EndpointMetrics
from inference_endpoints_local.engines.engine import ReplicaStage, ReplicaState

NOW = 1_800_000_000.0  # a multiple of 15


class Worker:
    """A replica whose work and memory the test sets."""

    address = None
    generation = 1
    launched_ns = 0
    in_flight = 0

    def __init__(self, name: str, stage: ReplicaStage = ReplicaStage.READY) -> None:
        self.id = name
        self.stage = stage
        self.work: float | None = 0.0
        self.memory: int | None = 1_000

    def observe(self) -> ReplicaState:
        return ReplicaState(self.stage)

    def work_s(self) -> float | None:
        return self.work

    def memory_bytes(self) -> int | None:
        return self.memory

    def stop(self, drain: bool) -> None:
        raise AssertionError


def values_of(metrics: EndpointMetrics, key: str, start: float, stop: float) -> dict[str, list[float]]:
    """The values of a graph, by the key of each series."""
    graph: Any = metric_graphs.all_graphs(metrics, [], start, stop)[key]  # type: ignore[literal-required]
    return {
        str(next(value for name, value in one.items() if name != "data")): [point["y"] for point in one["data"]]
        for one in graph["series"]
    }


def respond(metrics: EndpointMetrics, at: float, elapsed: float, status: int | None = 200) -> None:
    metrics.request_started(at - elapsed)
    metrics.request_ended(at, elapsed, status)


def test_answers_are_counted_by_window_with_zeros_between() -> None:
    metrics = EndpointMetrics(NOW)
    for at, status in ((5, 200), (10, 200), (12, 503), (50, 200)):
        respond(metrics, NOW + at, 1.0, status)
    assert values_of(metrics, "responseStatusCode", NOW, NOW + 60) == {"200": [2, 0, 0, 1], "503": [1, 0, 0, 0]}
    assert values_of(metrics, "responseStatusCodeGrouped", NOW, NOW + 60) == {"2xx": [2, 0, 0, 1], "5xx": [1, 0, 0, 0]}


def test_latency_is_shown_where_there_was_a_response_to_within_five_percent() -> None:
    metrics = EndpointMetrics(NOW)
    for number in range(100):
        respond(metrics, NOW + 31, (number + 1) / 100)
    elapsed = values_of(metrics, "responseElapsed", NOW, NOW + 60)
    assert {share: len(values) for share, values in elapsed.items()} == {"0.5": 1, "0.9": 1, "0.95": 1, "0.99": 1}
    assert elapsed["0.5"] == [pytest.approx(0.5, rel=0.05)]
    assert elapsed["0.95"] == [pytest.approx(0.95, rel=0.05)]


def test_a_caller_who_left_early_counts_as_load_and_not_as_a_response() -> None:
    metrics = EndpointMetrics(NOW)
    respond(metrics, NOW + 12, 6.0, None)
    assert values_of(metrics, "responseStatusCode", NOW, NOW + 15) == {}
    assert values_of(metrics, "pendingRequest", NOW, NOW + 15) == {"pending": [pytest.approx(0.4)]}


def test_a_long_request_is_load_in_every_window_it_spans() -> None:
    metrics = EndpointMetrics(NOW)
    metrics.request_started(NOW + 7.5)
    metrics.request_started(NOW + 30)
    metrics.count_pending(NOW + 60)
    assert values_of(metrics, "pendingRequest", NOW, NOW + 60) == {"pending": [0.5, 1, 2, 2]}


def test_a_response_is_shown_at_once() -> None:
    metrics = EndpointMetrics(NOW)
    respond(metrics, NOW + 30.1, 0.05)
    assert values_of(metrics, "responseStatusCode", NOW, NOW + 30.2) == {"200": [0, 0, 1]}


def test_nothing_is_shown_from_before_measuring_began_or_from_the_future() -> None:
    metrics = EndpointMetrics(NOW + 30)
    respond(metrics, NOW + 40, 1.0)
    assert values_of(metrics, "responseStatusCode", NOW, NOW + 45) == {"200": [1]}
    assert values_of(metrics, "responseStatusCode", NOW - 100, NOW) == {}


def test_replicas_are_shown_by_stage_over_time() -> None:
    metrics, first, second = (
        EndpointMetrics(NOW),
        Worker("a", ReplicaStage.STARTING),
        Worker("b", ReplicaStage.STARTING),
    )
    metrics.record_replicas([first, second], 2, NOW)
    first.stage = ReplicaStage.READY
    for at in (20, 25, 29):
        metrics.record_replicas([first, second], 2, NOW + at)
    second.stage = ReplicaStage.READY
    metrics.record_replicas([first, second], 2, NOW + 40)
    assert len(metrics.replica_counts) == 3
    assert values_of(metrics, "replicasRunning", NOW, NOW + 45) == {"running": [0, 1, 2], "target": [2, 2, 2]}
    assert values_of(metrics, "replicasStatus", NOW, NOW + 45) == {"initializing": [2, 1, 0], "running": [0, 1, 2]}


def test_the_work_of_a_process_is_a_fraction_of_the_time_between_two_measurements() -> None:
    metrics, worker = EndpointMetrics(NOW), Worker("a")
    metrics.record_usage([worker], NOW)
    worker.work, worker.memory = 3.75, 2_000
    metrics.record_usage([worker], NOW + 15)
    metrics.record_usage([worker], NOW + 30)
    assert values_of(metrics, "hardwareCpu", NOW, NOW + 45) == {"a": [25, 0]}
    assert values_of(metrics, "hardwareMem", NOW, NOW + 45) == {"a": [1_000, 2_000, 2_000]}
    metrics.record_usage([worker], NOW + 30.1)
    assert values_of(metrics, "hardwareCpu", NOW, NOW + 45) == {"a": [25, 0]}, "too soon to measure"


def test_long_times_have_wide_windows_and_few_points() -> None:
    metrics = EndpointMetrics(NOW)
    for minute in range(600):
        respond(metrics, NOW + 60 * minute + 1, 0.1)
    (counts,) = values_of(metrics, "responseStatusCode", NOW, NOW + 36_000).values()
    assert len(counts) == metric_graphs.MAX_POINTS
    assert sum(counts) == 600


def test_the_measurements_are_bounded() -> None:
    metrics = EndpointMetrics(NOW)
    for step in range(MAX_INTERVALS + 100):
        respond(metrics, NOW + 15 * step + 5, 0.1)
    assert len(metrics.intervals) == MAX_INTERVALS
    assert metrics.intervals[0].start == NOW + 1_500


def test_a_clock_that_goes_back_loses_nothing() -> None:
    metrics = EndpointMetrics(NOW)
    respond(metrics, NOW + 40, 1.0)
    respond(metrics, NOW + 10, 1.0)
    assert sum(sum(values) for values in values_of(metrics, "responseStatusCode", NOW, NOW + 60).values()) == 2
