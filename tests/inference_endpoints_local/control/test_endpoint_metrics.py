"""The measurements of an endpoint, at times set by the tests."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from inference_endpoints_local.api.observability import metric_graphs
from inference_endpoints_local.api.observability.graph_windows import MAX_POINTS, GraphWindows
from inference_endpoints_local.control.endpoint_metrics import MAX_INTERVALS, NO_REPLICA, EndpointMetrics
from inference_endpoints_local.engines.engine import ReplicaStage, ReplicaState
from inference_endpoints_local.engines.engine_counters import NOTHING_COUNTED, EngineCounters

NOW = 1_800_000_000.0  # a multiple of 15


class Worker:
    """A replica whose work, memory and engine the test sets."""

    address = None
    generation = 1
    launched_ns = 0
    in_flight = 0

    def __init__(self, name: str, stage: ReplicaStage = ReplicaStage.READY) -> None:
        self.id = name
        self.stage = stage
        self.work: float | None = 0.0
        self.memory: int | None = 1_000
        self.accelerators: tuple[float, ...] = ()
        self.engine_counters: EngineCounters | None = None

    def observe(self) -> ReplicaState:
        return ReplicaState(self.stage)

    def work_s(self) -> float | None:
        return self.work

    def memory_bytes(self) -> int | None:
        return self.memory

    def accelerator_percent(self) -> tuple[float, ...]:
        return self.accelerators

    def stop(self, drain: bool) -> None:
        raise AssertionError


def graphs_of(metrics: EndpointMetrics, start: float, stop: float, replica: str | None = None) -> Any:
    return metric_graphs.all_graphs(GraphWindows(metrics, start, stop, replica))


def values_of(
    metrics: EndpointMetrics, key: str, start: float, stop: float, replica: str | None = None
) -> dict[str, list[float]]:
    """The values of a graph, by the key of each series."""
    series = graphs_of(metrics, start, stop, replica)[key]["series"]
    return {str(next(iter(one.values()))): [point["y"] for point in one["data"]] for one in series}


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


def test_replicas_are_counted_and_their_stages_shown_as_ranges_of_time() -> None:
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
    metrics.record_replicas([first, second], 1, NOW + 40)
    metrics.record_replicas([second], 1, NOW + 44)
    assert values_of(metrics, "replicasRunning", NOW, NOW + 45) == {"running": [0, 1, 1], "target": [2, 2, 1]}
    assert [series["max"] for series in graphs_of(metrics, NOW, NOW + 45)["replicasRunning"]["series"]] == [1, 2]
    assert ranges_of(metrics, NOW + 10, NOW + 45) == {
        ("initializing", "a", 10, 20),
        ("initializing", "b", 10, 40),
        ("running", "a", 20, 44),
        ("running", "b", 40, 45),
    }
    assert ranges_of(metrics, NOW, NOW + 45, "a") == {("initializing", "a", 0, 20), ("running", "a", 20, 44)}
    assert values_of(metrics, "replicasRunning", NOW, NOW + 45, "a") == {"running": [0, 1, 0]}


def ranges_of(
    metrics: EndpointMetrics, start: float, stop: float, replica: str | None = None
) -> set[tuple[str, str, float, float]]:
    graph = graphs_of(metrics, start, stop, replica)["replicasStatus"]
    return {
        (series["stage"], one["y"], seconds(one["x"]), seconds(one["x2"]))
        for series in graph["series"]
        for one in series["data"]
    }


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp() - NOW


def test_the_requests_of_one_replica_are_those_that_it_was_sent() -> None:
    metrics = EndpointMetrics(NOW)
    metrics.record_replicas([Worker("a"), Worker("b")], 2, NOW)
    for number, replica in enumerate("aab"):
        metrics.request_started(NOW + number)
        metrics.request_sent(replica, NOW + number + 5)
        metrics.request_ended(NOW + number + 10, 10, 200, replica)
    respond(metrics, NOW + 14, 0, 503)
    assert values_of(metrics, "responseStatusCode", NOW, NOW + 15) == {"200": [3], "503": [1]}
    assert values_of(metrics, "responseStatusCode", NOW, NOW + 15, "a") == {"200": [2]}
    assert values_of(metrics, "pendingRequest", NOW, NOW + 15) == {"pending": [2]}
    assert values_of(metrics, "pendingRequest", NOW, NOW + 15, "b") == {"pending": [pytest.approx(1 / 3, abs=1e-4)]}
    assert graphs_of(metrics, NOW, NOW + 15)["replicaIds"] == ["a", "b"]
    assert graphs_of(metrics, NOW, NOW + 15, "b")["replicaIds"] == ["b"]
    assert values_of(metrics, "responseStatusCode", NOW, NOW + 15, "unknown") == {}


def test_an_engine_is_shown_by_the_means_of_what_it_counted_between_two_readings() -> None:
    metrics, worker = EndpointMetrics(NOW), Worker("a")
    worker.engine_counters = EngineCounters(
        seconds=10,
        waiting_s=20,
        running_s=10,
        kv_cache_s=5,
        first_tokens=2,
        first_token_s=1,
        next_tokens=10,
        next_token_s=1,
        prompt_tokens=20,
        cached_tokens=5,
    )
    metrics.record_usage([worker], NOW)
    worker.engine_counters += replace(NOTHING_COUNTED, seconds=15, running_s=30)
    metrics.record_usage([worker], NOW + 15)
    assert engine_values(metrics, NOW, NOW + 30) == {
        "waiting": [2, 0],
        "running": [1, 2],
        "kvCache": [0.5, 0],
        "ttft": [0.5],
        "itl": [0.1],
        "prefixCache": [0.25],
    }
    assert engine_values(metrics, NOW, NOW + 30, "b") is None


def engine_values(metrics: EndpointMetrics, start: float, stop: float, replica: str | None = None) -> Any:
    engine = graphs_of(metrics, start, stop, replica)["inference"]
    if engine is None:
        return None
    graphs = {key: engine[key] for key in ("kvCache", "ttft", "itl", "prefixCache")} | {
        key: engine["requests"][key] for key in ("waiting", "running")
    }
    return {key: [point["y"] for point in graph["series"][0]["data"]] for key, graph in graphs.items()}


def test_each_gpu_of_a_replica_is_a_series() -> None:
    metrics, worker = EndpointMetrics(NOW), Worker("a")
    worker.accelerators = (50, 100)
    metrics.record_usage([worker], NOW)
    series = graphs_of(metrics, NOW, NOW + 15)["hardwareGpu"]["series"]
    assert [(one["replicaId"], one["deviceId"], one["max"]) for one in series] == [("a", 0, 50), ("a", 1, 100)]


def test_totals_are_of_the_present_replicas_and_of_requests_that_reached_none() -> None:
    metrics = EndpointMetrics(NOW)
    metrics.record_replicas([Worker("a"), Worker("b")], 2, NOW)
    for replica in ("a", "b"):
        metrics.request_started(NOW)
        metrics.request_sent(replica, NOW)
        metrics.request_ended(NOW + 1, 1, 200, replica)
    respond(metrics, NOW + 2, 1, 503)
    metrics.record_replicas([Worker("b")], 1, NOW + 3)
    assert set(metrics.totals) == {"b", NO_REPLICA}
    assert metrics.total.status_counts == {200: 2, 503: 1}


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
    assert len(counts) == MAX_POINTS
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
