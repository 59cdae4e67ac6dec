"""What is measured of an endpoint: its requests at the gateway, its replicas, and the work of their processes.

Kept in memory and bounded, for as long as the plane runs. Times are seconds since 1970, whatever clock the endpoint's
engine runs on: they are what documents show.
"""

import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inference_endpoints_local.engines.base import Replica

STEP_S = 15
STEPS = 2_880
"""Steps kept in which anything was measured: twelve hours under constant load."""
STANDS = 1_000
"""Changes of the replicas kept."""
SHORTEST_S = 0.5
"""Time over which the use of a processor can be told."""
_CLASS = 1.05
_FASTEST_S = 0.001


@dataclass
class Step:
    """What was measured within one step. `elapsed` counts answers by classes of 5 %, so that steps can be added up."""

    began: float
    answers: Counter[int] = field(default_factory=Counter)
    elapsed: Counter[int] = field(default_factory=Counter)
    request_seconds: float = 0.0
    cpu_percent: dict[str, float] = field(default_factory=dict)
    memory_bytes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Stand:
    """The replicas from a moment on: how many in which stage, and how many there should be."""

    at: float
    stages: Mapping[str, int]
    target: int


class Meter:
    """The measurements of one endpoint since `since`."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.steps: deque[Step] = deque(maxlen=STEPS)
        self.stands: deque[Stand] = deque(maxlen=STANDS)
        self._pending = 0
        self._counted_at = since
        self._work: dict[str, tuple[float, float]] = {}

    def begin(self, at: float) -> None:
        """A request came."""
        self.count(at)
        self._pending += 1

    def end(self, at: float, elapsed: float, status: int | None) -> None:
        """Its answer is complete after `elapsed` seconds; without a status the caller left before there was one."""
        self.count(at)
        self._pending -= 1
        if status is not None:
            step = self._step(at)
            step.answers[status] += 1
            step.elapsed[_class_of(elapsed)] += 1

    def count(self, at: float) -> None:
        """Count what requests under way have taken until now."""
        while self._pending and self._counted_at < at:
            until = min(at, _began(self._counted_at) + STEP_S)
            self._step(self._counted_at).request_seconds += self._pending * (until - self._counted_at)
            self._counted_at = until
        self._counted_at = at

    def stand(self, replicas: Sequence[Replica], target: int, at: float) -> None:
        """Note the replicas, if they are not as they were."""
        stages = Counter(str(replica.look().stage) for replica in replicas)
        if not self.stands or (self.stands[-1].stages, self.stands[-1].target) != (stages, target):
            self.stands.append(Stand(at, stages, target))

    def work(self, replicas: Sequence[Replica], at: float) -> None:
        """Measure the processes of replicas, of those that have one."""
        for replica in replicas:
            if (memory := replica.memory_bytes()) is not None:
                self._step(at).memory_bytes[replica.id] = memory
            work = replica.work_s()
            if work is None:
                continue
            before, then = self._work.setdefault(replica.id, (work, at))
            if at - then >= SHORTEST_S:
                self._step(at).cpu_percent[replica.id] = 100 * max(0.0, work - before) / (at - then)
                self._work[replica.id] = work, at
        self._work = {name: self._work[name] for name in self._work.keys() & {replica.id for replica in replicas}}

    def _step(self, at: float) -> Step:
        """The step of a moment; the newest, if the clock went back."""
        if not self.steps or self.steps[-1].began + STEP_S <= at:
            self.steps.append(Step(_began(at)))
        return self.steps[-1]


def percentile(elapsed: Counter[int], share: float) -> float:
    """Seconds within which this share of the answers counted was complete, to 2.5 %."""
    wanted = share * elapsed.total()
    for number in sorted(elapsed):
        wanted -= elapsed[number]
        if wanted <= 1e-9:
            return float(_FASTEST_S * _CLASS ** (number - 0.5))
    return 0.0


def _class_of(elapsed: float) -> int:
    return max(0, math.ceil(math.log(max(elapsed, 1e-9) / _FASTEST_S, _CLASS)))


def _began(at: float) -> float:
    return at // STEP_S * STEP_S
