"""What was measured, as the documented graphs: one point for each of a row of windows.

The service publishes the names of graphs and of what tells their series apart, but neither units nor the spelling of
percentiles: here times are in seconds, processors in percent of the replica's own, memory in bytes, and a percentile
is a share as in the service's OpenMetrics.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from inference_endpoints_local.api.documents import timestamp
from inference_endpoints_local.control.metrics import STEP_S, Meter, Stand, percentile
from inference_endpoints_local.engines.base import Stage
from inference_endpoints_local.wire import responses

POINTS = 120
"""Most points of a series."""
PERCENTILES = (0.5, 0.9, 0.95, 0.99)


@dataclass
class Window:
    """The steps of one window, added up; `seconds` of it were measured."""

    began: float
    seconds: float
    answers: Counter[int] = field(default_factory=Counter)
    elapsed: Counter[int] = field(default_factory=Counter)
    request_seconds: float = 0.0
    cpu_percent: dict[str, list[float]] = field(default_factory=dict)
    memory_bytes: dict[str, list[float]] = field(default_factory=dict)
    stand: Stand | None = None


def all_graphs(meter: Meter, replicas: Iterable[str], start: float, stop: float) -> responses.AllGraphs:
    """Every graph between two moments. Where nothing was measured yet there are no points."""
    width = STEP_S * max(1, math.ceil((stop - start) / (STEP_S * POINTS)))
    windows = _windows(meter, max(start, meter.since), stop, width)
    measured = {name for window in windows for name in window.memory_bytes.keys() | window.cpu_percent.keys()}
    frame: responses.Frame = {
        "start": _iso(start),
        "stop": _iso(stop),
        "timeWindowSeconds": width,
        "replicaIds": sorted(measured | set(replicas)),
    }
    codes = sorted({code for window in windows for code in window.answers})
    return {
        **frame,
        "hardwareCpu": {**frame, "series": _hardware(windows, lambda one: one.cpu_percent)},
        "hardwareMem": {**frame, "series": _hardware(windows, lambda one: one.memory_bytes)},
        "hardwareGpu": {**frame, "series": []},
        "hardwareGpuMem": {**frame, "series": []},
        "pendingRequest": {**frame, "series": _pending(windows)},
        "replicasRunning": {**frame, "series": _running(windows)},
        "replicasStatus": {**frame, "series": _stages(windows)},
        "responseElapsed": {**frame, "series": _elapsed(windows)},
        "responseStatusCode": {**frame, "series": _codes(windows, {str(code): [code] for code in codes})},
        "responseStatusCodeGrouped": {**frame, "series": _codes(windows, _grouped(codes))},
    }


def _windows(meter: Meter, start: float, stop: float, width: int) -> list[Window]:
    first = start // width
    count = math.ceil(stop / width - first) if stop > start else 0
    windows = []
    for number in range(count):
        began = (first + number) * width
        seconds = min(began + width, stop) - max(began, start)
        windows.append(Window(began, seconds, stand=_stand_at(meter, min(began + width, stop))))
    for step in meter.steps:
        number = int((step.began - first * width) // width)
        if 0 <= number < count:
            window = windows[number]
            window.answers += step.answers
            window.elapsed += step.elapsed
            window.request_seconds += step.request_seconds
            for name, percent in step.cpu_percent.items():
                window.cpu_percent.setdefault(name, []).append(percent)
            for name, memory in step.memory_bytes.items():
                window.memory_bytes.setdefault(name, []).append(memory)
    return windows


def _stand_at(meter: Meter, at: float) -> Stand | None:
    return next((stand for stand in reversed(meter.stands) if stand.at <= at), None)


def _points(windows: Iterable[Window], values: Iterable[float | None]) -> list[responses.Point]:
    """A point for each window that has a value."""
    measured = zip(windows, values, strict=True)
    return [{"x": _iso(window.began), "y": round(value, 4)} for window, value in measured if value is not None]


def _hardware(windows: list[Window], of: Callable[[Window], dict[str, list[float]]]) -> list[responses.HardwareSeries]:
    names = sorted({name for window in windows for name in of(window)})
    return [
        {"replicaId": name, "data": _points(windows, [_mean(of(window).get(name)) for window in windows])}
        for name in names
    ]


def _mean(values: list[float] | None) -> float | None:
    return sum(values) / len(values) if values else None


def _pending(windows: list[Window]) -> list[responses.StatusSeries]:
    """Requests under way, on average: held for a replica, or with one."""
    means = [window.request_seconds / window.seconds if window.seconds else None for window in windows]
    return [{"status": "pending", "data": _points(windows, means)}]


def _running(windows: list[Window]) -> list[responses.StatusSeries]:
    stands = [(window, window.stand) for window in windows if window.stand]
    known = [window for window, _ in stands]
    ready = [stand.stages.get(str(Stage.READY), 0) for _, stand in stands]
    return [
        {"status": "running", "data": _points(known, ready)},
        {"status": "target", "data": _points(known, [stand.target for _, stand in stands])},
    ]


def _stages(windows: list[Window]) -> list[responses.StatusSeries]:
    stands = [(window, window.stand) for window in windows if window.stand]
    known = [window for window, _ in stands]
    return [
        {"status": stage, "data": _points(known, [stand.stages.get(stage, 0) for _, stand in stands])}
        for stage in sorted({stage for _, stand in stands for stage in stand.stages})
    ]


def _elapsed(windows: list[Window]) -> list[responses.PercentileSeries]:
    answered = [window for window in windows if window.elapsed]
    if not answered:
        return []
    return [
        {"percentile": share, "data": _points(answered, [percentile(window.elapsed, share) for window in answered])}
        for share in PERCENTILES
    ]


def _codes(windows: list[Window], groups: dict[str, list[int]]) -> list[responses.StatusCodeSeries]:
    return [
        {"statusCode": name, "data": _points(windows, [sum(one.answers[code] for code in codes) for one in windows])}
        for name, codes in groups.items()
    ]


def _grouped(codes: list[int]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for code in codes:
        groups.setdefault(f"{code // 100}xx", []).append(code)
    return groups


def _iso(at: float) -> str:
    return timestamp(int(at * 1_000) * 1_000_000)
