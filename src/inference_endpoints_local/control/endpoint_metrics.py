"""The measurements of an endpoint: its requests at the gateway, its replicas, and the work of their processes.

Bounded, and in memory as long as the plane runs. Times are seconds since 1970, as documents show them, whichever clock
the endpoint's engine has.
"""

import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inference_endpoints_local.engines.engine import EngineReplica

INTERVAL_S = 15
MAX_INTERVALS = 2_880
"""Kept intervals with measurements: twelve hours under constant load."""
MAX_REPLICA_COUNTS = 1_000
"""Kept changes of the replicas."""
MIN_CPU_INTERVAL_S = 0.5
"""The shortest time over which the use of a processor is measured."""
_BUCKET_RATIO = 1.05
_FIRST_BUCKET_S = 0.001


@dataclass
class MetricsInterval:
    """The measurements of one interval. `elapsed_counts` counts responses in buckets 5 % wide, which can be added."""

    start: float
    status_counts: Counter[int] = field(default_factory=Counter)
    elapsed_counts: Counter[int] = field(default_factory=Counter)
    request_seconds: float = 0.0
    cpu_percent: dict[str, float] = field(default_factory=dict)
    memory_bytes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ReplicaCounts:
    """The replicas from a time on: how many in each stage, and how many are wanted."""

    at: float
    stages: Mapping[str, int]
    target: int


class EndpointMetrics:
    """The measurements of one endpoint since `since`."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.intervals: deque[MetricsInterval] = deque(maxlen=MAX_INTERVALS)
        self.replica_counts: deque[ReplicaCounts] = deque(maxlen=MAX_REPLICA_COUNTS)
        self._pending = 0
        self._counted_at = since
        self._work: dict[str, tuple[float, float]] = {}

    def request_started(self, at: float) -> None:
        """A request arrived."""
        self.count_pending(at)
        self._pending += 1

    def request_ended(self, at: float, elapsed: float, status: int | None) -> None:
        """A response is complete after `elapsed` seconds. No status: the caller left before the response began."""
        self.count_pending(at)
        self._pending -= 1
        if status is not None:
            interval = self._interval(at)
            interval.status_counts[status] += 1
            interval.elapsed_counts[_bucket_of(elapsed)] += 1

    def count_pending(self, at: float) -> None:
        """Add the time of the requests in flight until now."""
        while self._pending and self._counted_at < at:
            until = min(at, _interval_start(self._counted_at) + INTERVAL_S)
            self._interval(self._counted_at).request_seconds += self._pending * (until - self._counted_at)
            self._counted_at = until
        self._counted_at = at

    def record_replicas(self, replicas: Sequence[EngineReplica], target: int, at: float) -> None:
        """Record the replicas if they have changed."""
        stages = Counter(str(replica.observe().stage) for replica in replicas)
        if not self.replica_counts or (self.replica_counts[-1].stages, self.replica_counts[-1].target) != (
            stages,
            target,
        ):
            self.replica_counts.append(ReplicaCounts(at, stages, target))

    def record_usage(self, replicas: Sequence[EngineReplica], at: float) -> None:
        """Measure the processes of the replicas that have one."""
        for replica in replicas:
            if (memory := replica.memory_bytes()) is not None:
                self._interval(at).memory_bytes[replica.id] = memory
            work = replica.work_s()
            if work is None:
                continue
            before, then = self._work.setdefault(replica.id, (work, at))
            if at - then >= MIN_CPU_INTERVAL_S:
                self._interval(at).cpu_percent[replica.id] = 100 * max(0.0, work - before) / (at - then)
                self._work[replica.id] = work, at
        self._work = {name: self._work[name] for name in self._work.keys() & {replica.id for replica in replicas}}

    def _interval(self, at: float) -> MetricsInterval:
        """The interval of a time; the newest one if the clock went back."""
        if not self.intervals or self.intervals[-1].start + INTERVAL_S <= at:
            self.intervals.append(MetricsInterval(_interval_start(at)))
        return self.intervals[-1]


def percentile(elapsed: Counter[int], share: float) -> float:
    """Seconds within which this fraction of the responses was complete, accurate to 2.5 %."""
    wanted = share * elapsed.total()
    for number in sorted(elapsed):
        wanted -= elapsed[number]
        if wanted <= 1e-9:
            return float(_FIRST_BUCKET_S * _BUCKET_RATIO ** (number - 0.5))
    return 0.0


def _bucket_of(elapsed: float) -> int:
    return max(0, math.ceil(math.log(max(elapsed, 1e-9) / _FIRST_BUCKET_S, _BUCKET_RATIO)))


def _interval_start(at: float) -> float:
    return at // INTERVAL_S * INTERVAL_S
