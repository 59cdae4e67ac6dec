"""Run every detector over the evidence, and rank the causes that they find."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from inference_endpoints.diagnosis.causes import memory_causes, runtime_causes, startup_causes, state_causes
from inference_endpoints.diagnosis.evidence import Evidence
from inference_endpoints.diagnosis.finding import Cause, EvidenceSource, Finding
from inference_endpoints.diagnosis.remedies.past_remedies import reconsider

MIN_CONFIDENCE = 0.15
"""A finding with less confidence is not reported."""
UNREAD_SOURCE_FACTOR = 0.85
"""Multiplies the confidence once for each relevant source that could not be read."""
GENERAL_CAUSE_FACTOR = 0.7
"""Multiplies the confidence in a general cause if a specific one was found too."""

Detector = Callable[[Evidence], Finding | None]

_LOGS, _REPLICAS, _METRICS = EvidenceSource.LOGS, EvidenceSource.REPLICAS, EvidenceSource.METRICS
_HARDWARE, _HEALTH = EvidenceSource.HARDWARE, EvidenceSource.HEALTH

DETECTORS: dict[Detector, frozenset[EvidenceSource]] = {
    state_causes.detect_paused: frozenset({_HARDWARE}),
    state_causes.detect_scaled_to_zero: frozenset(),
    state_causes.detect_quota_exceeded: frozenset({_HARDWARE}),
    state_causes.detect_no_capacity: frozenset({_HARDWARE, _LOGS}),
    state_causes.detect_slow_start: frozenset({_LOGS, _REPLICAS}),
    startup_causes.detect_image_pull_failure: frozenset({_LOGS}),
    startup_causes.detect_gated_model: frozenset({_LOGS}),
    startup_causes.detect_missing_model: frozenset({_LOGS}),
    memory_causes.detect_missing_parallelism: frozenset({_LOGS, _HARDWARE}),
    memory_causes.detect_out_of_accelerator_memory: frozenset({_LOGS, _HARDWARE}),
    memory_causes.detect_out_of_host_memory: frozenset({_LOGS, _HARDWARE}),
    startup_causes.detect_wrong_port_or_health_route: frozenset({_LOGS, _HEALTH}),
    startup_causes.detect_crash_loop: frozenset({_LOGS, _REPLICAS}),
    runtime_causes.detect_overload: frozenset({_LOGS, _METRICS}),
    runtime_causes.detect_client_errors: frozenset({_LOGS, _METRICS}),
    runtime_causes.detect_healthy: frozenset({_LOGS, _REPLICAS, _HEALTH}),
}
"""Each detector, with the sources that can confirm or refute its cause."""


@dataclass(frozen=True)
class Diagnosis:
    """The most likely finding, and the other possible ones, most likely first.

    >>> async with AsyncEndpointsClient() as client:
    ...     diagnosis = diagnose(await collect_evidence(client, "broken"))
    >>> print(diagnosis.finding.cause, [str(other.cause) for other in diagnosis.others])
    out_of_accelerator_memory ['out_of_host_memory', 'crash_loop']
    """

    finding: Finding
    others: tuple[Finding, ...] = ()


def diagnose(evidence: Evidence) -> Diagnosis:
    """Rank the causes that the evidence supports.

    >>> async with AsyncEndpointsClient() as client:
    ...     diagnosis = diagnose(await collect_evidence(client, "broken"))
    >>> print(diagnosis.finding.summary)
    The model does not fit into the accelerator's memory
    """
    found = [
        replace(finding, confidence=finding.confidence * UNREAD_SOURCE_FACTOR ** len(evidence.failed & sources))
        for detect, sources in DETECTORS.items()
        if (finding := detect(evidence)) is not None and finding.confidence >= MIN_CONFIDENCE
    ]
    found = [_weigh_against(finding, {other.cause for other in found} - {finding.cause}) for finding in found]
    found.sort(key=lambda finding: -finding.confidence)
    if not found:
        found = [runtime_causes.report_unknown(evidence)]
    found = sorted((reconsider(finding, evidence) for finding in found), key=lambda finding: -finding.confidence)
    return Diagnosis(found[0], tuple(found[1:]))


def _weigh_against(finding: Finding, others: set[Cause]) -> Finding:
    """Lower the confidence in a general cause if a specific one was found: the specific one explains more."""
    compatible = {Cause.HEALTHY: set(), Cause.CRASH_LOOP: {Cause.HEALTHY, Cause.SLOW_START}}
    if finding.cause in compatible and others - compatible[finding.cause]:
        return replace(finding, confidence=finding.confidence * GENERAL_CAUSE_FACTOR)
    return finding
