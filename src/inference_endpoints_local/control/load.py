"""What an endpoint has to do, measured while it serves, and the replicas this asks for.

Requests and work are kept as counters that only grow, so that a mean over any time is a difference: nothing that
happens between two readings is missed, and an endpoint without load is not looked at.
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
from inference_endpoints_local.engines.base import EngineReplica

READING_INTERVAL_S = 5.0


class Load:
    """The load of one endpoint. Times are seconds of its engine's clock.

    `requests` are under way now: held until a replica is ready, or with one until the end of their answer.
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
        """So many more requests are under way, or fewer."""
        self._count(now)
        self.requests += requests

    def reset(self) -> None:
        """It runs nothing, or nothing that scales: what was measured says nothing about the next time."""
        self._readings.clear()
        self.scale = Scale(1)

    def update(
        self, rule: ScalingRule, ready: Sequence[EngineReplica], last_request_at: float, now: float
    ) -> float | None:
        """Decide the scale anew if it is time to. Returns when to look again; None: at the next request."""
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
        # From when each was first seen ready: loading a model is no load.
        self._work += sum(work - self._work_by_replica.get(name, work) for name, work in work_by_replica.items())
        self._work_by_replica = work_by_replica
        if not work_by_replica and self._readings:
            # Where it cannot be measured, each request is taken to keep one replica in full use.
            last = self._readings[-1]
            self._work += min(self._request_seconds - last.requests, len(ready) * (now - last.at))
        self._readings.append(LoadReading(now, self._request_seconds, self._work))

    def _count(self, now: float) -> None:
        self._request_seconds += self.requests * (now - self._counted_at)
        self._counted_at = now
