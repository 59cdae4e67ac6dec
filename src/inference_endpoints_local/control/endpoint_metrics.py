"""The measurements of an endpoint: its requests at the gateway, its replicas, and the work of their processes.

Bounded, and in memory as long as the plane runs. Times are seconds since 1970, as documents show them, whichever clock
the endpoint's engine has.
"""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from inference_endpoints_local.engines.engine import EngineReplica
from inference_endpoints_local.engines.engine_counters import NOTHING_COUNTED, EngineCounters

INTERVAL_S = 15
MAX_INTERVALS = 2_880
"""Kept intervals with measurements: twelve hours under constant load."""
MAX_STAGE_SPANS = 1_000
"""Kept times that replicas were in a stage, and kept changes of the number of wanted replicas."""
MIN_CPU_INTERVAL_S = 0.5
"""The shortest time over which the use of a processor is measured."""
NO_REPLICA = ""
"""Stands for the replica of requests that reached none."""
_BUCKET_RATIO = 1.05
_FIRST_BUCKET_S = 0.001


@dataclass
class ReplicaMetrics:
    """What was measured of one replica, or of several together.

    `elapsed_counts` counts responses in buckets 5 % wide, which can be added, and `elapsed_s` is the sum of their
    times. `request_seconds` is the time of requests in flight. The lists have one value for each interval.
    """

    status_counts: Counter[int] = field(default_factory=Counter)
    elapsed_counts: Counter[int] = field(default_factory=Counter)
    elapsed_s: float = 0.0
    request_seconds: float = 0.0
    cpu_percent: list[float] = field(default_factory=list)
    memory_bytes: list[float] = field(default_factory=list)
    accelerator_percent: list[Sequence[float]] = field(default_factory=list)
    engine: EngineCounters = NOTHING_COUNTED

    def add(self, other: "ReplicaMetrics") -> None:
        self.status_counts += other.status_counts
        self.elapsed_counts += other.elapsed_counts
        self.elapsed_s += other.elapsed_s
        self.request_seconds += other.request_seconds
        self.cpu_percent += other.cpu_percent
        self.memory_bytes += other.memory_bytes
        self.accelerator_percent += other.accelerator_percent
        self.engine += other.engine

    def count_response(self, status: int, elapsed: float) -> None:
        self.status_counts[status] += 1
        self.elapsed_counts[_bucket_of(elapsed)] += 1
        self.elapsed_s += elapsed


@dataclass
class MetricsInterval:
    """The measurements of one interval, by replica."""

    start: float
    replicas: defaultdict[str, ReplicaMetrics] = field(default_factory=lambda: defaultdict(ReplicaMetrics))


@dataclass(frozen=True)
class MeasuredStage:
    """The time that a replica was in a stage. `until` is None as long as it is in it."""

    replica: str
    stage: str
    since: float
    until: float | None = None


class EndpointMetrics:
    """The measurements of one endpoint since `since`. `totals` are those of its present replicas and of `NO_REPLICA`.

    `targets` are the numbers of wanted replicas, each with the time from which on it was wanted.
    """

    def __init__(self, since: float) -> None:
        self.since = since
        self.intervals: deque[MetricsInterval] = deque(maxlen=MAX_INTERVALS)
        self.targets: deque[tuple[float, int]] = deque(maxlen=MAX_STAGE_SPANS)
        self.totals: defaultdict[str, ReplicaMetrics] = defaultdict(ReplicaMetrics)
        self.total = ReplicaMetrics()
        self._ended_spans: deque[MeasuredStage] = deque(maxlen=MAX_STAGE_SPANS)
        self._current_spans: dict[str, MeasuredStage] = {}
        self._pending: Counter[str] = Counter()
        self._counted_at = since
        self._work: dict[str, tuple[float, float]] = {}
        self._engines: dict[str, EngineCounters] = {}

    @property
    def stage_spans(self) -> list[MeasuredStage]:
        return [*self._ended_spans, *self._current_spans.values()]

    def request_started(self, at: float) -> None:
        """A request arrived."""
        self.count_pending(at)
        self._pending[NO_REPLICA] += 1

    def request_sent(self, replica: str, at: float) -> None:
        """A request that has started is now in flight at a replica."""
        self.count_pending(at)
        self._pending[NO_REPLICA] -= 1
        self._pending[replica] += 1

    def request_ended(self, at: float, elapsed: float, status: int | None, replica: str = NO_REPLICA) -> None:
        """A response is complete after `elapsed` seconds. No status: the caller left before the response began."""
        self.count_pending(at)
        self._pending[replica] -= 1
        if status is not None:
            for measured in (self._interval(at).replicas[replica], self.totals[replica], self.total):
                measured.count_response(status, elapsed)

    def count_pending(self, at: float) -> None:
        """Add the time of the requests in flight until now."""
        self._pending = +self._pending
        while self._pending and self._counted_at < at:
            until = min(at, _interval_start(self._counted_at) + INTERVAL_S)
            for replica, requests in self._pending.items():
                self._interval(self._counted_at).replicas[replica].request_seconds += requests * (
                    until - self._counted_at
                )
            self._counted_at = until
        self._counted_at = at

    def record_replicas(self, replicas: Sequence[EngineReplica], target: int, at: float) -> None:
        """Record the stages of the replicas, and how many are wanted."""
        if not self.targets or self.targets[-1][1] != target:
            self.targets.append((at, target))
        stages = {replica.id: str(replica.observe().stage) for replica in replicas}
        for name, span in list(self._current_spans.items()):
            if stages.get(name) != span.stage:
                self._ended_spans.append(replace(span, until=at))
                del self._current_spans[name]
        for name, stage in stages.items():
            self._current_spans.setdefault(name, MeasuredStage(name, stage, at))
        for name in self.totals.keys() - stages.keys() - {NO_REPLICA}:
            del self.totals[name]

    def record_usage(self, replicas: Sequence[EngineReplica], at: float) -> None:
        """Measure the replicas: their processes, accelerators and engines."""
        for replica in replicas:
            measured = ReplicaMetrics()
            if (memory := replica.memory_bytes()) is not None:
                measured.memory_bytes = [memory]
            if (percent := self._cpu_percent(replica, at)) is not None:
                measured.cpu_percent = [percent]
            if accelerators := replica.accelerator_percent():
                measured.accelerator_percent = [accelerators]
            if (counters := replica.engine_counters) is not None:
                measured.engine = counters - self._engines.get(replica.id, NOTHING_COUNTED)
                self._engines[replica.id] = counters
            if measured != ReplicaMetrics():
                self._record(replica.id, measured, at)
        present = {replica.id for replica in replicas}
        self._work = {name: work for name, work in self._work.items() if name in present}
        self._engines = {name: counters for name, counters in self._engines.items() if name in present}

    def _cpu_percent(self, replica: EngineReplica, at: float) -> float | None:
        """The use since the last measurement; None too soon after it, or where it cannot be measured."""
        if (work := replica.work_s()) is None:
            return None
        before, then = self._work.setdefault(replica.id, (work, at))
        if at - then < MIN_CPU_INTERVAL_S:
            return None
        self._work[replica.id] = work, at
        return 100 * max(0.0, work - before) / (at - then)

    def _record(self, replica: str, measured: ReplicaMetrics, at: float) -> None:
        """Add to the interval. Of several readings in an interval, it keeps the last."""
        kept = self._interval(at).replicas[replica]
        for readings in ("cpu_percent", "memory_bytes", "accelerator_percent"):
            if getattr(measured, readings):
                setattr(kept, readings, [])
        kept.add(measured)

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
