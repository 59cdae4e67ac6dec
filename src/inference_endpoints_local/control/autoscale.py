"""How many replicas the load requires. Pure: settings, readings and the time in, a scale out.

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
    """What load is measured by, as `compute.scaling.measure` spells it."""

    HARDWARE = "hardwareUsage"
    PENDING = "pendingRequests"


WINDOW_S = {Measure.HARDWARE: 60.0, Measure.PENDING: 20.0}
DEFAULT_THRESHOLD = {Measure.HARDWARE: 80.0, Measure.PENDING: 1.5}


@dataclass(frozen=True)
class ScalingRule:
    """`per_replica` is the load one replica should have: requests, or its share of full use."""

    measure: Measure
    per_replica: float
    min_replicas: int
    max_replicas: int

    @property
    def window_s(self) -> float:
        return WINDOW_S[self.measure]


@dataclass(frozen=True)
class LoadReading:
    """What the counters stood at: seconds of requests under way, and seconds of a replica in full use."""

    at: float
    requests: float
    work: float


@dataclass(frozen=True)
class Scale:
    """The replicas wanted, and when the number last rose and fell."""

    replicas: int
    raised_at: float = -inf
    lowered_at: float = -inf


def scaling_rule(record: EndpointRecord, capacity: int) -> ScalingRule:
    """How this endpoint scales, with no more replicas than there is room for unless its minimum says so."""
    name, threshold = next(iter(record.spec["compute"]["scaling"]["measure"].items()))
    measure = Measure(name)
    per_replica = float(threshold) if threshold and threshold > 0 else DEFAULT_THRESHOLD[measure]
    if measure is Measure.HARDWARE and per_replica > 1:
        per_replica /= 100  # a percentage; up to 1 it is a share, since nobody means to scale at one percent
    return ScalingRule(
        measure,
        max(0.01, per_replica),
        record.min_replicas,
        max(record.min_replicas, min(record.max_replicas, capacity)),
    )


def autoscale(rule: ScalingRule, readings: Sequence[LoadReading], scale: Scale, now: float) -> Scale:
    """The scale from now on. Readings are oldest first; without enough of them nothing changes but to fit the rule."""
    replicas = min(max(scale.replicas, rule.min_replicas), rule.max_replicas)
    targets = [
        min(max(_ceil(load / rule.per_replica), rule.min_replicas), rule.max_replicas)
        for load in _loads(rule, readings)
    ]
    if targets and targets[-1] > replicas and now >= scale.raised_at + SCALE_UP_INTERVAL_S:
        return replace(scale, replicas=targets[-1], raised_at=now)
    steady = bool(readings) and readings[0].at <= now - STABILIZATION_WINDOW_S
    if steady and max(targets, default=replicas) < replicas and now >= scale.lowered_at + SCALE_DOWN_INTERVAL_S:
        return replace(scale, replicas=max(targets), lowered_at=now)
    return replace(scale, replicas=replicas)


def _loads(rule: ScalingRule, readings: Sequence[LoadReading]) -> list[float]:
    """The mean load over each window that the readings cover, in the order of their ends."""
    loads, first = [], 0
    for last, end in enumerate(readings):
        while first + 1 < last and readings[first + 1].at <= end.at - rule.window_s:
            first += 1
        start = readings[first]
        if start.at <= end.at - rule.window_s:
            done = end.work - start.work if rule.measure is Measure.HARDWARE else end.requests - start.requests
            loads.append(done / (end.at - start.at))
    return loads


def _ceil(replicas: float) -> int:
    return ceil(replicas - 1e-9)  # what floats make of 3.0 is not a fourth replica
