"""How many replicas the load requires. A pure function of the settings, the readings and the time.

The rules are those the service documents. Pending requests are averaged over 20 seconds, hardware usage over one
minute. Replicas are added at most once a minute, and removed at most every two minutes, never below the highest target
of the last five minutes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import ceil, inf

from inference_endpoints_local.state.record import EndpointRecord

SCALE_UP_INTERVAL_S = 60.0
SCALE_DOWN_INTERVAL_S = 120.0
STABILIZATION_WINDOW_S = 300.0


class Measure(StrEnum):
    """How load is measured, as `compute.scaling.measure` spells it."""

    HARDWARE = "hardwareUsage"
    PENDING = "pendingRequests"


WINDOW_S = {Measure.HARDWARE: 60.0, Measure.PENDING: 20.0}
DEFAULT_THRESHOLD = {Measure.HARDWARE: 80.0, Measure.PENDING: 1.5}


@dataclass(frozen=True)
class ScalingRule:
    """`per_replica` is the target load of one replica: requests, or a fraction of full use."""

    measure: Measure
    per_replica: float
    min_replicas: int
    max_replicas: int

    @property
    def window_s(self) -> float:
        return WINDOW_S[self.measure]


@dataclass(frozen=True)
class LoadReading:
    """The counters at one time: seconds of requests in flight, and seconds of replicas in full use."""

    at: float
    request_seconds: float
    work_seconds: float


@dataclass(frozen=True)
class Scale:
    """The wanted number of replicas, and when it last rose and fell."""

    replicas: int
    raised_at: float = -inf
    lowered_at: float = -inf


def scaling_rule(record: EndpointRecord, capacity: int) -> ScalingRule:
    """How this endpoint scales: up to its maximum or the capacity, but never below its minimum."""
    name, threshold = next(iter(record.spec["compute"]["scaling"]["measure"].items()))
    measure = Measure(name)
    per_replica = float(threshold) if threshold and threshold > 0 else DEFAULT_THRESHOLD[measure]
    if measure is Measure.HARDWARE and per_replica > 1:
        per_replica /= 100  # a percentage; up to 1 it is a fraction, as nobody scales at one percent
    return ScalingRule(
        measure,
        max(0.01, per_replica),
        record.min_replicas,
        max(record.min_replicas, min(record.max_replicas, capacity)),
    )


def autoscale(rule: ScalingRule, readings: Sequence[LoadReading], scale: Scale, now: float) -> Scale:
    """The scale from now on. Readings are oldest first. With too few of them only the limits of the rule apply."""
    replicas = min(max(scale.replicas, rule.min_replicas), rule.max_replicas)
    targets = [
        min(max(_ceil(load / rule.per_replica), rule.min_replicas), rule.max_replicas)
        for load in _loads(rule, readings)
    ]
    if targets and targets[-1] > replicas and now >= scale.raised_at + SCALE_UP_INTERVAL_S:
        return replace(scale, replicas=targets[-1], raised_at=now)
    enough = bool(readings) and readings[0].at <= now - STABILIZATION_WINDOW_S
    if enough and max(targets, default=replicas) < replicas and now >= scale.lowered_at + SCALE_DOWN_INTERVAL_S:
        return replace(scale, replicas=max(targets), lowered_at=now)
    return replace(scale, replicas=replicas)


def _loads(rule: ScalingRule, readings: Sequence[LoadReading]) -> list[float]:
    """The mean load over each window that the readings cover whole, in the order of their ends."""
    loads, first = [], 0
    for last, end in enumerate(readings):
        while first + 1 < last and readings[first + 1].at <= end.at - rule.window_s:
            first += 1
        start = readings[first]
        if start.at <= end.at - rule.window_s:
            done = (
                end.work_seconds - start.work_seconds
                if rule.measure is Measure.HARDWARE
                else end.request_seconds - start.request_seconds
            )
            loads.append(done / (end.at - start.at))
    return loads


def _ceil(replicas: float) -> int:
    return ceil(replicas - 1e-9)  # a rounding error above 3.0 must not become 4
