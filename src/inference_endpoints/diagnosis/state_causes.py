"""Causes that follow from where an endpoint stands: stopped, waiting for hardware, or just not there yet."""

from inference_endpoints.diagnosis.facts import Facts
from inference_endpoints.diagnosis.finding import Act, Cause, Finding, Fix, Step
from inference_endpoints.diagnosis.log_patterns import quotes, seen
from inference_endpoints.diagnosis.remedies import other_hardware
from inference_endpoints.models.status import InferenceEndpointStatus as State

USUAL_START_S = 300.0
"""The service's quick start: a start takes three to five minutes."""
LONG_START_S = 1_200.0
"""What a large model on several accelerators may take."""
LONG_PENDING_S = 600.0
"""Who waits longer than this for hardware does not stand in the ordinary queue."""

_START = (Step(Act.RESUME), Step(Act.WAIT))


def paused(facts: Facts) -> Finding | None:
    if facts.state is not State.PAUSED:
        return None
    return Finding(
        Cause.PAUSED,
        0.95,
        "It is paused: it has no replicas, is not billed, and does not answer until it is resumed",
        Fix("Resume it; a replica is billed from then on.", _START),
        ("Its state is paused.",),
    )


def scaled_to_zero(facts: Facts) -> Finding | None:
    if facts.state is not State.SCALED_TO_ZERO:
        return None
    minutes = facts.endpoint.compute.scaling.scale_to_zero_timeout
    return Finding(
        Cause.SCALED_TO_ZERO,
        0.95,
        "It is asleep: no replica runs, nothing is billed, and the first call has to wait until one has started",
        Fix(
            "Resume it, or just call it. A minimum of one replica avoids the wait, and is billed day and night.", _START
        ),
        ("Its state is scaledToZero.", *([f"It falls asleep after {minutes} idle minutes."] if minutes else [])),
    )


def quota_exceeded(facts: Facts) -> Finding | None:
    """What is paused counts against no quota, so that starting it again may be over it."""
    refused = seen(facts, Cause.QUOTA)
    quota = facts.offer.instance.quota if facts.offer else None
    facts_of_quota: tuple[str, ...] = ()
    confidence = refused.weight
    if facts.state is State.PAUSED and facts.offer is not None and quota is not None:
        needed = facts.offer.instance.num_accelerators * max(1, facts.endpoint.compute.scaling.min_replica)
        if needed > quota.left:
            confidence = 0.97
            facts_of_quota = (
                "It is paused, and what is paused counts against no quota until it is resumed.",
                (
                    f"A start takes {needed} of this hardware's quota; {quota.used_accelerators} of "
                    f"{quota.max_accelerators} are used, {quota.left} left."
                ),
            )
    if not confidence:
        return None
    change = other_hardware(facts)
    steps = (Step(Act.LIST_RUNNING), *([Step(Act.UPDATE, change)] if change else []))
    return Finding(
        Cause.QUOTA,
        confidence,
        "The namespace's quota for this hardware is used up: a start would be refused",
        Fix("Pause or delete something on this hardware, ask for more quota, or move it to other hardware.", steps),
        facts_of_quota,
        quotes(refused.lines),
    )


def no_capacity(facts: Facts) -> Finding | None:
    """Hardware that is wanted and not to be had: nothing has started that could fail."""
    said = seen(facts, Cause.NO_CAPACITY)
    confidence, told = said.weight, []
    if facts.state is State.PENDING:
        listed = facts.offer.instance.status if facts.offer else "available"
        if listed in {"not_available", "deprecated", "low_availability"}:
            confidence = max(confidence, 0.6 if listed == "low_availability" else 0.93)
            told.append(f"The hardware listing says {listed} of its hardware.")
        if facts.starting_s > LONG_PENDING_S:
            confidence = max(confidence, 0.6)
            told.append(f"It has waited to be scheduled for {_spoken(facts.starting_s)}.")
    if not confidence:
        return None
    status = facts.endpoint.status
    told.append(f"Its state is {facts.state.value}, {status.ready_replica} of {status.target_replica} replicas ready.")
    change = other_hardware(facts)
    move = (Step(Act.UPDATE, change), Step(Act.WAIT)) if change else (Step(Act.LIST_RUNNING), Step(Act.LIST_HARDWARE))
    return Finding(
        Cause.NO_CAPACITY,
        confidence,
        "There is no room for a replica: its hardware is not to be had at the moment",
        Fix(
            "Take other hardware, or wait until some is free. Another region needs a new endpoint."
            if change
            else "Free some by pausing what is not needed, take hardware elsewhere in a new endpoint, or wait.",
            move,
        ),
        tuple(told),
        quotes(said.lines),
    )


def slow_start(facts: Facts) -> Finding | None:
    """On its way, with nothing that speaks against its arriving."""
    if not facts.starting:
        return None
    seconds = facts.starting_s
    status = facts.endpoint.status
    if seconds < USUAL_START_S:
        confidence, how = 0.8, "It is still starting, and has not taken longer than usual"
    elif seconds < LONG_START_S:
        confidence, how = 0.7, "It is still starting, slower than usual, as large models do"
    else:
        confidence, how = 0.45, "It is still starting after a time in which even large models are ready"
    steps = (Step(Act.WAIT),) if seconds < LONG_START_S else (Step(Act.READ_LOGS), Step(Act.WAIT))
    return Finding(
        Cause.SLOW_START,
        confidence,
        how,
        Fix("Wait for it. A minimum of one replica avoids cold starts, and is billed day and night.", steps),
        (
            (
                f"Its state is {facts.state.value}, {status.ready_replica} of {status.target_replica} replicas ready, "
                f"for {_spoken(seconds)}."
            ),
            "A start usually takes 3 to 5 minutes; large models on several accelerators up to 20.",
        ),
        quotes([*facts.status_lines[:1], *facts.lines[-2:]]),
    )


def _spoken(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes else f"{int(seconds)} s"
