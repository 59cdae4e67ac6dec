"""Measurements as the documented graphs: one point for each of a sequence of windows.

The service publishes the names of graphs and the keys of their series, but neither units nor the spelling of
percentiles. Here times are in seconds, processors in percent of those of the replica, memory in bytes. A percentile is
a fraction, as in the service's OpenMetrics.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from inference_endpoints_local.api.documents import timestamp
from inference_endpoints_local.control.endpoint_metrics import INTERVAL_S, EndpointMetrics, ReplicaCounts, percentile
from inference_endpoints_local.engines.engine import ReplicaStage
from inference_endpoints_local.wire import responses

MAX_POINTS = 120
"""The most points of a series."""
PERCENTILES = (0.5, 0.9, 0.95, 0.99)


@dataclass
class GraphWindow:
    """The sum of the intervals of one window, of which `seconds` were measured."""

    began: float
    seconds: float
    status_counts: Counter[int] = field(default_factory=Counter)
    elapsed_counts: Counter[int] = field(default_factory=Counter)
    request_seconds: float = 0.0
    cpu_percent: dict[str, list[float]] = field(default_factory=dict)
    memory_bytes: dict[str, list[float]] = field(default_factory=dict)
    replica_counts: ReplicaCounts | None = None


def all_graphs(
    metrics: EndpointMetrics, replicas: Iterable[str], start: float, stop: float
) -> responses.AllGraphsDocument:
    """Every graph between two times. There are no points from before measuring began."""
    width = INTERVAL_S * max(1, math.ceil((stop - start) / (INTERVAL_S * MAX_POINTS)))
    windows = _windows(metrics, max(start, metrics.since), stop, width)
    measured = {name for window in windows for name in window.memory_bytes.keys() | window.cpu_percent.keys()}
    frame: responses.GraphFrameDocument = {
        "start": _iso(start),
        "stop": _iso(stop),
        "timeWindowSeconds": width,
        "replicaIds": sorted(measured | set(replicas)),
    }
    codes = sorted({code for window in windows for code in window.status_counts})
    return {
        **frame,
        "hardwareCpu": {**frame, "series": _hardware(windows, lambda window: window.cpu_percent)},
        "hardwareMem": {**frame, "series": _hardware(windows, lambda window: window.memory_bytes)},
        "hardwareGpu": {**frame, "series": []},
        "hardwareGpuMem": {**frame, "series": []},
        "pendingRequest": {**frame, "series": _pending(windows)},
        "replicasRunning": {**frame, "series": _running(windows)},
        "replicasStatus": {**frame, "series": _stages(windows)},
        "responseElapsed": {**frame, "series": _elapsed(windows)},
        "responseStatusCode": {**frame, "series": _codes(windows, {str(code): [code] for code in codes})},
        "responseStatusCodeGrouped": {**frame, "series": _codes(windows, _grouped(codes))},
    }


def _windows(metrics: EndpointMetrics, start: float, stop: float, width: int) -> list[GraphWindow]:
    first = start // width
    count = math.ceil(stop / width - first) if stop > start else 0
    windows = []
    for number in range(count):
        began = (first + number) * width
        seconds = min(began + width, stop) - max(began, start)
        windows.append(
            GraphWindow(began, seconds, replica_counts=_replica_counts_at(metrics, min(began + width, stop)))
        )
    for interval in metrics.intervals:
        number = int((interval.start - first * width) // width)
        if 0 <= number < count:
            window = windows[number]
            window.status_counts += interval.status_counts
            window.elapsed_counts += interval.elapsed_counts
            window.request_seconds += interval.request_seconds
            for name, percent in interval.cpu_percent.items():
                window.cpu_percent.setdefault(name, []).append(percent)
            for name, memory in interval.memory_bytes.items():
                window.memory_bytes.setdefault(name, []).append(memory)
    return windows


def _replica_counts_at(metrics: EndpointMetrics, at: float) -> ReplicaCounts | None:
    return next((counts for counts in reversed(metrics.replica_counts) if counts.at <= at), None)


def _points(windows: Iterable[GraphWindow], values: Iterable[float | None]) -> list[responses.PointDocument]:
    """A point for each window that has a value."""
    measured = zip(windows, values, strict=True)
    return [{"x": _iso(window.began), "y": round(value, 4)} for window, value in measured if value is not None]


def _hardware(
    windows: list[GraphWindow], of: Callable[[GraphWindow], dict[str, list[float]]]
) -> list[responses.HardwareSeriesDocument]:
    names = sorted({name for window in windows for name in of(window)})
    return [
        {"replicaId": name, "data": _points(windows, [_mean(of(window).get(name)) for window in windows])}
        for name in names
    ]


def _mean(values: list[float] | None) -> float | None:
    return sum(values) / len(values) if values else None


def _pending(windows: list[GraphWindow]) -> list[responses.StatusSeriesDocument]:
    """The mean number of requests in flight, those that wait for a replica included."""
    means = [window.request_seconds / window.seconds if window.seconds else None for window in windows]
    return [{"status": "pending", "data": _points(windows, means)}]


def _running(windows: list[GraphWindow]) -> list[responses.StatusSeriesDocument]:
    counted, known_counts = _with_counts(windows)
    ready = [counts.stages.get(str(ReplicaStage.READY), 0) for counts in known_counts]
    return [
        {"status": "running", "data": _points(counted, ready)},
        {"status": "target", "data": _points(counted, [counts.target for counts in known_counts])},
    ]


def _stages(windows: list[GraphWindow]) -> list[responses.StatusSeriesDocument]:
    counted, known_counts = _with_counts(windows)
    return [
        {"status": stage, "data": _points(counted, [counts.stages.get(stage, 0) for counts in known_counts])}
        for stage in sorted({stage for counts in known_counts for stage in counts.stages})
    ]


def _with_counts(windows: list[GraphWindow]) -> tuple[list[GraphWindow], list[ReplicaCounts]]:
    """The windows for which replicas were counted, and their counts."""
    counted = [window for window in windows if window.replica_counts]
    return counted, [window.replica_counts for window in counted if window.replica_counts]


def _elapsed(windows: list[GraphWindow]) -> list[responses.PercentileSeriesDocument]:
    answered = [window for window in windows if window.elapsed_counts]
    if not answered:
        return []
    return [
        {
            "percentile": share,
            "data": _points(answered, [percentile(window.elapsed_counts, share) for window in answered]),
        }
        for share in PERCENTILES
    ]


def _codes(windows: list[GraphWindow], groups: dict[str, list[int]]) -> list[responses.StatusCodeSeriesDocument]:
    return [
        {
            "statusCode": name,
            "data": _points(windows, [sum(window.status_counts[code] for code in codes) for window in windows]),
        }
        for name, codes in groups.items()
    ]


def _grouped(codes: list[int]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for code in codes:
        groups.setdefault(f"{code // 100}xx", []).append(code)
    return groups


def _iso(at: float) -> str:
    return timestamp(int(at * 1_000) * 1_000_000)
