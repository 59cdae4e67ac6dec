"""Causes that follow from the endpoint's state: it is stopped, waits for hardware, or has not started yet."""

from inference_endpoints.deploy.offers import QUOTAS_WITHOUT_PAYMENT_METHOD, cloud_quotas, lack_payment_method
from inference_endpoints.deploy.specs import EndpointChange
from inference_endpoints.diagnosis.evidence import Evidence
from inference_endpoints.diagnosis.finding import (
    LIST_HARDWARE,
    LIST_RUNNING,
    READ_LOGS,
    RESUME,
    WAIT,
    Action,
    ActionKind,
    Cause,
    Finding,
    Remedy,
)
from inference_endpoints.diagnosis.log_patterns import match_log_patterns, quote_lines
from inference_endpoints.diagnosis.remedies.hardware_changes import cheapest_available, remedy_by_move
from inference_endpoints.diagnosis.start_times import estimate_start
from inference_endpoints.errors import ADD_PAYMENT_METHOD
from inference_endpoints.models import format_duration
from inference_endpoints.models.status import InferenceEndpointStatus as State

SLOW_SHARE, TOO_LONG_SHARE = 1.5, 4.0
"""A start that takes so many times what is expected is slow, or too long."""
SHORTEST_USUAL_S = 60.0
"""No start is called slow because an earlier one was very short."""
LONG_PENDING_S = 600.0
"""A longer wait for hardware is not an ordinary queue."""


def detect_paused(evidence: Evidence) -> Finding | None:
    if evidence.state is not State.PAUSED:
        return None
    return Finding(
        Cause.PAUSED,
        0.95,
        "The endpoint is paused: it has no replicas, is not billed, and does not answer until it is resumed",
        Remedy("Resume it. A replica is billed from then on.", (RESUME,)),
        ("Its state is paused.",),
    )


def detect_scaled_to_zero(evidence: Evidence) -> Finding | None:
    if evidence.state is not State.SCALED_TO_ZERO:
        return None
    minutes = evidence.endpoint.compute.scaling.scale_to_zero_timeout
    return Finding(
        Cause.SCALED_TO_ZERO,
        0.95,
        "The endpoint is scaled to zero: no replica runs or is billed, and the first call waits for a new one",
        Remedy("Resume it, or call it. A minimum of one replica avoids the wait and is always billed.", (RESUME,)),
        ("Its state is scaledToZero.", *([f"It scales to zero after {minutes} idle minutes."] if minutes else [])),
    )


def detect_quota_exceeded(evidence: Evidence) -> Finding | None:
    """A paused endpoint does not count against the quota, so resuming it can exceed the quota."""
    matches = match_log_patterns(evidence, Cause.QUOTA)
    quota = evidence.offer.instance.quota if evidence.offer else None
    statements: tuple[str, ...] = ()
    confidence = matches.weight
    if evidence.state is State.PAUSED and evidence.offer is not None and quota is not None:
        needed = evidence.offer.instance.num_accelerators * max(1, evidence.endpoint.compute.scaling.min_replica)
        if needed > quota.left:
            confidence = 0.97
            usage = f"{quota.used_accelerators} of {quota.max_accelerators} are used, {quota.left} left"
            statements = (
                "The endpoint is paused. A paused endpoint does not count against the quota until it is resumed.",
                f"A start needs {needed} of this hardware's quota; {usage}.",
            )
    if not confidence:
        return None
    if lack_payment_method(cloud_quotas(evidence.offers or ())):
        remedy = Remedy(f"{QUOTAS_WITHOUT_PAYMENT_METHOD} {ADD_PAYMENT_METHOD} Nothing else helps before that.")
    else:
        other = cheapest_available(evidence)
        remedy = Remedy(
            "Pause or delete an endpoint on this hardware. A person can request more quota. "
            + remedy_by_move(evidence, other, "", "").text,
            (LIST_RUNNING, *([Action(ActionKind.UPDATE, EndpointChange(**other.hardware.instance))] if other else [])),
        )
    return Finding(
        Cause.QUOTA,
        confidence,
        "The namespace's quota for this hardware is used up: a start would be refused",
        remedy,
        statements,
        quote_lines(matches.lines),
    )


def detect_no_capacity(evidence: Evidence) -> Finding | None:
    """The hardware is not available, so nothing has started that could fail."""
    matches = match_log_patterns(evidence, Cause.NO_CAPACITY)
    confidence, statements = matches.weight, []
    if evidence.state is State.PENDING:
        availability = evidence.offer.instance.status if evidence.offer else "available"
        if availability in {"not_available", "deprecated", "low_availability"}:
            confidence = max(confidence, 0.6 if availability == "low_availability" else 0.93)
            statements.append(f"The hardware listing marks its hardware as {availability}.")
        if evidence.start_duration_s > LONG_PENDING_S:
            confidence = max(confidence, 0.6)
            statements.append(f"It has waited to be scheduled for {format_duration(evidence.start_duration_s)}.")
    if not confidence:
        return None
    statements.append(f"{evidence.state_summary}.")
    other = cheapest_available(evidence)
    unknown = "" if evidence.memory_check else " whether the model fits there is not known;"
    return Finding(
        Cause.NO_CAPACITY,
        confidence,
        "No replica can be scheduled: the endpoint's hardware is not available at the moment",
        remedy_by_move(
            evidence, other, ", which is available", f"Or wait until some is free;{unknown} see get_vendors."
        )
        if other
        else Remedy(
            "Pause an endpoint that is not needed, create a new endpoint on other hardware, or wait.",
            (LIST_RUNNING, LIST_HARDWARE),
        ),
        tuple(statements),
        quote_lines(matches.lines),
    )


def detect_slow_start(evidence: Evidence) -> Finding | None:
    """It is starting, and nothing indicates that it will fail."""
    if not evidence.is_starting:
        return None
    seconds = evidence.start_duration_s
    expected = estimate_start(evidence.endpoint, evidence.earlier_starts)
    usual = max(SHORTEST_USUAL_S, expected.seconds)
    if seconds < usual * SLOW_SHARE:
        confidence, summary = 0.8, "The endpoint is still starting, and has not taken longer than usual"
    elif seconds < usual * TOO_LONG_SHARE:
        confidence, summary = 0.7, "The endpoint is still starting, slower than usual"
    else:
        confidence, summary = 0.45, f"The endpoint is still starting after {seconds / usual:.0f} times the usual time"
    return Finding(
        Cause.SLOW_START,
        confidence,
        summary,
        Remedy(
            "Wait for it. A minimum of one replica avoids cold starts and is always billed.",
            (WAIT,) if seconds < usual * TOO_LONG_SHARE else (READ_LOGS, WAIT),
        ),
        (
            f"{evidence.state_summary}. It has been starting for {format_duration(seconds)}.",
            expected.basis,
        ),
        quote_lines([*evidence.status_lines[:1], *evidence.log_lines[-2:]]),
    )
