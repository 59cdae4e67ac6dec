"""The load of an endpoint, measured while it serves, and the replicas that it requires.

Requests and work are counters that only grow, so that the mean over any period is a difference of two readings. Nothing
between two readings is missed, and an endpoint without load needs no readings.
"""

from collections import deque
from collections.abc import Sequence

from inference_endpoints_local.control.autoscale import (
    STABILIZATION_WINDOW_S,
    LoadReading,
    Scale,
    ScalingRule,
    autoscale,
)
from inference_endpoints_local.engines.engine import EngineReplica

READING_INTERVAL_S = 5.0


class Load:
    """The load of one endpoint. Times are seconds of its engine's clock.

    `requests` are in flight now, those that wait for a replica included.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.scale = Scale(1)
        self._counted_at = 0.0
        self._request_seconds = 0.0
        self._work = 0.0
        self._work_by_replica: dict[str, float] = {}
        self._readings: deque[LoadReading] = deque()

    def add(self, requests: int, now: float) -> None:
        """Change the number of requests in flight by `requests`."""
        self._count(now)
        self.requests += requests

    def reset(self) -> None:
        """Drop all readings: the endpoint runs no replicas, or does not scale."""
        self._readings.clear()
        self.scale = Scale(1)

    def update(
        self, rule: ScalingRule, ready: Sequence[EngineReplica], last_request_at: float, now: float
    ) -> float | None:
        """Update the scale. Returns when to update it again; None: at the next request."""
        quiet = not self.requests and self.scale.replicas <= rule.min_replicas and now > last_request_at + rule.window_s
        if quiet or not ready or rule.max_replicas <= rule.min_replicas:
            self._readings.clear()
        elif not self._readings or now >= self._readings[-1].at + READING_INTERVAL_S:
            self._read(ready, now)
            while len(self._readings) > 1 and self._readings[1].at <= now - STABILIZATION_WINDOW_S - rule.window_s:
                self._readings.popleft()
        self.scale = autoscale(rule, self._readings, self.scale, now)
        return self._readings[-1].at + READING_INTERVAL_S if self._readings else None

    def _read(self, ready: Sequence[EngineReplica], now: float) -> None:
        self._count(now)
        work_by_replica = {replica.id: work for replica in ready if (work := replica.work_s()) is not None}
        # Counted from the first reading of a ready replica: loading a model is no load.
        self._work += sum(work - self._work_by_replica.get(name, work) for name, work in work_by_replica.items())
        self._work_by_replica = work_by_replica
        if not work_by_replica and self._readings:
            # Where it cannot be measured, each request counts as one replica in full use.
            last = self._readings[-1]
            self._work += min(self._request_seconds - last.request_seconds, len(ready) * (now - last.at))
        self._readings.append(LoadReading(now, self._request_seconds, self._work))

    def _count(self, now: float) -> None:
        self._request_seconds += self.requests * (now - self._counted_at)
        self._counted_at = now
