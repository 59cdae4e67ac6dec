"""What is measured of an endpoint: its requests at the gateway, its replicas, and the work of their processes.

Kept in memory and bounded, for as long as the plane runs. Times are seconds since 1970, whatever clock the endpoint's
engine runs on: they are what documents show.
"""

import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inference_endpoints_local.engines.base import EngineReplica

INTERVAL_S = 15
MAX_INTERVALS = 2_880
"""Steps kept in which anything was measured: twelve hours under constant load."""
MAX_REPLICA_COUNTS = 1_000
"""Changes of the replicas kept."""
MIN_CPU_INTERVAL_S = 0.5
"""Time over which the use of a processor can be told."""
_BUCKET_RATIO = 1.05
_FIRST_BUCKET_S = 0.001


@dataclass
class MetricsInterval:
    """What was measured in one interval. `elapsed` counts responses in buckets 5 % wide, so that intervals add up."""

    start: float
    answers: Counter[int] = field(default_factory=Counter)
    elapsed: Counter[int] = field(default_factory=Counter)
    request_seconds: float = 0.0
    cpu_percent: dict[str, float] = field(default_factory=dict)
    memory_bytes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ReplicaCounts:
    """The replicas from a moment on: how many in which stage, and how many there should be."""

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
        """A request came."""
        self.count_pending(at)
        self._pending += 1

    def request_ended(self, at: float, elapsed: float, status: int | None) -> None:
        """Its answer is complete after `elapsed` seconds; without a status the caller left before there was one."""
        self.count_pending(at)
        self._pending -= 1
        if status is not None:
            interval = self._interval(at)
            interval.answers[status] += 1
            interval.elapsed[_bucket_of(elapsed)] += 1

    def count_pending(self, at: float) -> None:
        """Count what requests under way have taken until now."""
        while self._pending and self._counted_at < at:
            until = min(at, _interval_start(self._counted_at) + INTERVAL_S)
            self._interval(self._counted_at).request_seconds += self._pending * (until - self._counted_at)
            self._counted_at = until
        self._counted_at = at

    def record_replicas(self, replicas: Sequence[EngineReplica], target: int, at: float) -> None:
        """Note the replicas, if they are not as they were."""
        stages = Counter(str(replica.observe().stage) for replica in replicas)
        if not self.replica_counts or (self.replica_counts[-1].stages, self.replica_counts[-1].target) != (
            stages,
            target,
        ):
            self.replica_counts.append(ReplicaCounts(at, stages, target))

    def record_usage(self, replicas: Sequence[EngineReplica], at: float) -> None:
        """Measure the processes of replicas, of those that have one."""
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
        """The interval of a moment; the newest, if the clock went back."""
        if not self.intervals or self.intervals[-1].start + INTERVAL_S <= at:
            self.intervals.append(MetricsInterval(_interval_start(at)))
        return self.intervals[-1]


def percentile(elapsed: Counter[int], share: float) -> float:
    """Seconds within which this share of the answers counted was complete, to 2.5 %."""
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
