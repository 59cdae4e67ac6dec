"""The measurements of an endpoint, added up in windows of equal width: one for each point of a graph."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from inference_endpoints_local.control.endpoint_metrics import (
    INTERVAL_S,
    EndpointMetrics,
    MeasuredStage,
    ReplicaMetrics,
)
from inference_endpoints_local.engines.engine import ReplicaStage

MAX_POINTS = 120
"""The most points of a series."""


@dataclass
class GraphWindow:
    """The sum of the intervals of one window, of which `seconds` were measured: by replica, and of all together.

    `running` and `target` are numbers of replicas at its end, None before any were counted.
    """

    began: float
    seconds: float
    running: int | None = None
    target: int | None = None
    replicas: dict[str, ReplicaMetrics] = field(default_factory=dict)
    total: ReplicaMetrics = field(default_factory=ReplicaMetrics)

    def add(self, replica: str, measured: ReplicaMetrics) -> None:
        self.replicas.setdefault(replica, ReplicaMetrics()).add(measured)
        self.total.add(measured)


class GraphWindows:
    """The windows between two times, of one replica if `replica` is set. None are from before measuring began."""

    def __init__(self, metrics: EndpointMetrics, start: float, stop: float, replica: str | None = None) -> None:
        self.start, self.stop, self.replica = start, stop, replica
        self.width = INTERVAL_S * max(1, math.ceil((stop - start) / (INTERVAL_S * MAX_POINTS)))
        self._metrics = metrics
        self._all_spans = [span for span in metrics.stage_spans if self._is_shown(span.replica)]
        self.spans = list(self._spans_between())
        self.windows = self._windows(max(start, metrics.since))
        self._add_intervals()
        self.total = ReplicaMetrics()
        for window in self.windows:
            self.total.add(window.total)

    def replica_ids(self) -> list[str]:
        """The replicas that existed in this time, or were measured."""
        measured = {name for window in self.windows for name in window.replicas if name}
        return sorted(measured | {span.replica for span in self.spans})

    def _windows(self, start: float) -> list[GraphWindow]:
        first = start // self.width
        count = math.ceil(self.stop / self.width - first) if self.stop > start else 0
        windows = []
        for number in range(count):
            began = (first + number) * self.width
            end = min(began + self.width, self.stop)
            window = GraphWindow(began, end - max(began, start), target=self._target_at(end))
            if window.target is not None:
                window.running = self._running_at(end)
            windows.append(window)
        return windows

    def _add_intervals(self) -> None:
        for interval in self._metrics.intervals if self.windows else ():
            number = int((interval.start - self.windows[0].began) // self.width)
            if 0 <= number < len(self.windows):
                for name, measured in interval.replicas.items():
                    if self._is_shown(name):
                        self.windows[number].add(name, measured)

    def _spans_between(self) -> Iterator[MeasuredStage]:
        """The spans between the two times, cut at both."""
        for span in self._all_spans:
            since, until = max(span.since, self.start), self.stop if span.until is None else min(span.until, self.stop)
            if since < until:
                yield MeasuredStage(span.replica, span.stage, since, until)

    def _is_shown(self, replica: str) -> bool:
        return self.replica in (None, replica)

    def _target_at(self, at: float) -> int | None:
        return next((target for since, target in reversed(self._metrics.targets) if since <= at), None)

    def _running_at(self, at: float) -> int:
        return sum(
            span.stage == ReplicaStage.READY and span.since <= at and (span.until is None or at < span.until)
            for span in self._all_spans
        )
