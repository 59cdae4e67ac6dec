"""How many replicas the load requires: settings, readings and the time in, a scale out."""

from dataclasses import replace
from typing import Any

import pytest
from tests.inference_endpoints_local.control.test_reconcile import wanted

from inference_endpoints_local.control.autoscale import (
    LoadReading,
    Measure,
    Scale,
    ScalingRule,
    autoscale,
    scaling_rule,
)

PENDING = ScalingRule(Measure.PENDING, per_replica=1.5, min_replicas=1, max_replicas=10)
HARDWARE = ScalingRule(Measure.HARDWARE, per_replica=0.8, min_replicas=1, max_replicas=10)
EVERY_S = 5


def readings(*phases: tuple[int, float]) -> list[LoadReading]:
    """Readings every five seconds over phases of (seconds, load), with the same load of requests and of work."""
    taken = [LoadReading(0.0, 0.0, 0.0)]
    for seconds, load in phases:
        for _ in range(seconds // EVERY_S):
            last = taken[-1]
            taken.append(
                LoadReading(
                    last.at + EVERY_S, last.request_seconds + EVERY_S * load, last.work_seconds + EVERY_S * load
                )
            )
    return taken


def after(rule: ScalingRule, scale: Scale, *phases: tuple[int, float]) -> Scale:
    taken = readings(*phases)
    return autoscale(rule, taken, scale, taken[-1].at)


@pytest.mark.parametrize(("pending", "replicas"), [(0, 1), (1.5, 1), (1.6, 2), (3, 2), (6.1, 5), (1_000, 10)])
def test_the_pending_requests_of_the_last_20_seconds_set_the_replicas(pending: float, replicas: int) -> None:
    assert after(PENDING, Scale(1), (20, pending)).replicas == replicas


@pytest.mark.parametrize(("in_use", "replicas"), [(0.8, 1), (0.85, 2), (1.6, 2), (1.7, 3)])
def test_the_replicas_keep_their_hardware_below_80_percent(in_use: float, replicas: int) -> None:
    assert after(HARDWARE, Scale(1), (60, in_use)).replicas == replicas


def test_only_the_whole_window_counts() -> None:
    assert after(PENDING, Scale(1), (15, 9)) == Scale(1)
    assert after(PENDING, Scale(1), (100, 9), (20, 1)) == Scale(1)
    assert after(PENDING, Scale(1), (100, 0), (10, 0), (10, 6)).replicas == 2
    assert after(HARDWARE, Scale(1), (55, 9)) == Scale(1)


def test_replicas_are_added_at_most_once_a_minute() -> None:
    for since, expected in ((59, 2), (60, 6)):
        assert after(PENDING, Scale(2, raised_at=100 - since), (100, 9)).replicas == expected


def test_replicas_are_removed_down_to_the_highest_target_of_five_minutes() -> None:
    assert after(PENDING, Scale(6), (300, 1)).replicas == 1
    assert after(PENDING, Scale(6), (295, 1)).replicas == 6
    assert after(PENDING, Scale(6), (100, 1), (20, 4.5), (200, 1)).replicas == 3


def test_replicas_are_removed_at_most_every_two_minutes() -> None:
    for since, expected in ((119, 6), (120, 1)):
        assert after(PENDING, Scale(6, lowered_at=400 - since), (400, 1)).replicas == expected


def test_a_rule_that_allows_fewer_holds_at_once() -> None:
    assert after(replace(PENDING, max_replicas=2), Scale(6), (20, 9)).replicas == 2
    assert after(replace(PENDING, min_replicas=3), Scale(1)).replicas == 3


def rule(measure: dict[str, Any], affordable: int = 100, min_replicas: int = 1) -> ScalingRule:
    return scaling_rule(wanted({"measure": measure, "minReplica": min_replicas, "maxReplica": 4}), affordable)


def test_thresholds_are_the_services_unless_the_endpoint_has_its_own() -> None:
    assert rule({"pendingRequests": None}).per_replica == 1.5
    assert rule({"pendingRequests": 3}).per_replica == 3
    assert rule({"hardwareUsage": None}).per_replica == 0.8
    assert rule({"hardwareUsage": 60.0}).per_replica == 0.6
    assert rule({"hardwareUsage": 0.6}).per_replica == 0.6
    assert rule({"hardwareUsage": -1.0}).per_replica == 0.8


def test_the_maximum_is_the_endpoints_or_the_capacity_but_never_below_its_minimum() -> None:
    for affordable, min_replicas, max_replicas in ((100, 1, 4), (2, 1, 2), (0, 1, 1), (2, 3, 3)):
        assert rule({"pendingRequests": None}, affordable, min_replicas).max_replicas == max_replicas
