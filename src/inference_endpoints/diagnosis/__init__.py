"""Why an endpoint does not do what is expected of it: pure, from facts to causes.

One function per cause, each `Facts -> Finding | None`. `gather` in the module of that name collects the facts.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from inference_endpoints.diagnosis import runtime_causes, startup_causes, state_causes
from inference_endpoints.diagnosis.facts import Facts
from inference_endpoints.diagnosis.finding import Act, Cause, Finding, Fix, Quote, Source, Step

LEAST = 0.15
"""Confidence below which a cause is not worth naming."""
DOUBT = 0.85
"""What remains of a confidence for each source that could not be read and might have said otherwise."""
GENERAL = 0.7
"""What remains of the confidence in a general cause beside a particular one."""

Check = Callable[[Facts], Finding | None]

CHECKS: tuple[tuple[Check, frozenset[Source]], ...] = (
    (state_causes.paused, frozenset({Source.HARDWARE})),
    (state_causes.scaled_to_zero, frozenset()),
    (state_causes.quota_exceeded, frozenset({Source.HARDWARE})),
    (state_causes.no_capacity, frozenset({Source.HARDWARE, Source.LOGS})),
    (state_causes.slow_start, frozenset({Source.LOGS, Source.REPLICAS})),
    (startup_causes.image_pull_failure, frozenset({Source.LOGS})),
    (startup_causes.gated_model, frozenset({Source.LOGS})),
    (startup_causes.missing_model, frozenset({Source.LOGS})),
    (startup_causes.missing_parallelism, frozenset({Source.LOGS, Source.HARDWARE})),
    (startup_causes.out_of_accelerator_memory, frozenset({Source.LOGS, Source.HARDWARE})),
    (startup_causes.out_of_host_memory, frozenset({Source.LOGS, Source.HARDWARE})),
    (startup_causes.wrong_port_or_health_route, frozenset({Source.LOGS, Source.HEALTH})),
    (startup_causes.crash_loop, frozenset({Source.LOGS, Source.REPLICAS})),
    (runtime_causes.overload, frozenset({Source.LOGS, Source.METRICS})),
    (runtime_causes.client_errors, frozenset({Source.LOGS, Source.METRICS})),
    (runtime_causes.healthy, frozenset({Source.LOGS, Source.REPLICAS, Source.HEALTH})),
)
"""Every cause with the sources that could confirm it or speak against it."""


@dataclass(frozen=True)
class Diagnosis:
    """The most likely cause, and the others that may be it, likeliest first."""

    finding: Finding
    others: tuple[Finding, ...] = ()


def diagnose(facts: Facts) -> Diagnosis:
    """The causes that the facts speak for, ranked."""
    found = [
        replace(finding, confidence=finding.confidence * DOUBT ** len(facts.failed & sources))
        for check, sources in CHECKS
        if (finding := check(facts)) is not None and finding.confidence >= LEAST
    ]
    found = [_beside(finding, {other.cause for other in found} - {finding.cause}) for finding in found]
    found.sort(key=lambda finding: -finding.confidence)
    if not found:
        found = [runtime_causes.unknown(facts)]
    return Diagnosis(found[0], tuple(found[1:]))


def _beside(finding: Finding, others: set[Cause]) -> Finding:
    """A general cause is less certain where something else was seen: the particular one explains more."""
    plain = {Cause.HEALTHY: set(), Cause.CRASH_LOOP: {Cause.HEALTHY, Cause.SLOW_START}}
    if finding.cause in plain and others - plain[finding.cause]:
        return replace(finding, confidence=finding.confidence * GENERAL)
    return finding


__all__ = [
    "CHECKS",
    "Act",
    "Cause",
    "Diagnosis",
    "Facts",
    "Finding",
    "Fix",
    "Quote",
    "Source",
    "Step",
    "diagnose",
]
