"""Causes of trouble with a running endpoint, and the findings for a healthy endpoint and an unknown cause."""

from inference_endpoints.deploy.specs import EndpointChange
from inference_endpoints.diagnosis.evidence import Evidence
from inference_endpoints.diagnosis.finding import (
    CALL,
    INSPECT,
    READ_LOGS,
    Cause,
    EvidenceSource,
    Finding,
    Quote,
    Remedy,
    remedy_by_update,
)
from inference_endpoints.diagnosis.log_patterns import match_log_patterns, quote_lines
from inference_endpoints.diagnosis.traffic import measure_traffic
from inference_endpoints.models.status import InferenceEndpointStatus as State

MANY_QUEUED = 10
"""Requests in an engine's queue above which it has more work than it can do."""
MANY_PENDING = 64
"""Pending requests for each replica: more than engines answer at once by default."""
CLIENT_ERROR_STATUSES = (400, 404, 405, 413, 415, 422, 424)


def detect_overload(evidence: Evidence) -> Finding | None:
    """More requests arrive than the replicas can answer."""
    status, scaling = evidence.endpoint.status, evidence.endpoint.compute.scaling
    if status.ready_replica == 0:
        return None
    matches, traffic = match_log_patterns(evidence, Cause.OVERLOAD), measure_traffic(evidence)
    has_queue = traffic.queued >= MANY_QUEUED
    has_pending = traffic.pending >= MANY_PENDING * status.ready_replica
    has_waiting = traffic.waiting >= MANY_QUEUED
    if not (matches.weight or has_queue or has_waiting or has_pending or traffic.statuses[429]):
        return None
    statements = [f"{status.ready_replica} replica(s) are ready; at most {scaling.max_replica} are allowed."]
    if has_queue:
        statements.append(f"{traffic.queued} requests waited in the engine's queue when the engine last logged it.")
    if has_waiting:
        statements.append(f"{traffic.waiting:.0f} requests waited for one engine at the last measurement.")
        if traffic.kv_cache_use is not None:
            statements.append(f"The fullest KV cache was at {traffic.kv_cache_use:g}, in a unit that is not published.")
    if has_pending:
        statements.append(f"{traffic.pending:.0f} requests were pending at the last measurement.")
    if traffic.statuses[429]:
        counted = f"{traffic.statuses[429]} of {traffic.total} {traffic.origin} calls"
        statements.append(f"{counted} were answered with status 429.")
    at_maximum = status.ready_replica >= scaling.max_replica
    add_replica = remedy_by_update(
        EndpointChange(max_replica=scaling.max_replica + 1),
        "Allow one more replica, which is billed while it runs, or send fewer requests at a time.",
    )
    wait = Remedy("The service adds replicas, at most one a minute. Send fewer requests until then.", (INSPECT,))
    return Finding(
        Cause.OVERLOAD,
        0.88 if at_maximum else 0.7,
        "The endpoint gets more requests than its replicas can answer"
        + (", and already has the maximum number of replicas" if at_maximum else ""),
        add_replica if at_maximum else wait,
        tuple(statements),
        quote_lines([*matches.lines, *(traffic.lines if has_queue else ())]),
    )


def detect_client_errors(evidence: Evidence) -> Finding | None:
    """It refuses calls because the requests are wrong."""
    matches, traffic = match_log_patterns(evidence, Cause.CLIENT_ERRORS), measure_traffic(evidence)
    share = traffic.share(CLIENT_ERROR_STATUSES)
    # Metrics also count health checks, which always succeed. So a smaller share is enough there.
    enough = traffic.count(CLIENT_ERROR_STATUSES) >= 3 and share >= 0.1 if traffic.is_measured else share >= 0.5
    if evidence.endpoint.status.ready_replica == 0 or not (enough or matches.lines):
        return None
    refused = {status: traffic.statuses[status] for status in CLIENT_ERROR_STATUSES if traffic.statuses[status]}
    counted = ", ".join(f"{count} x {status}" for status, count in refused.items())
    wrong_route = refused.get(404, 0) + refused.get(405, 0) > sum(refused.values()) / 2
    reason = "the engine does not serve this route" if wrong_route else "they do not fit the endpoint's task or limits"
    return Finding(
        Cause.CLIENT_ERRORS,
        0.8 if share >= 0.8 else 0.65,
        f"The endpoint runs but refuses calls: {reason}",
        Remedy("Call it as its task requires. A simple call shows whether it answers.", (CALL, INSPECT)),
        (f"Of {traffic.total} {traffic.origin} calls: {counted}.",) if counted else (),
        quote_lines([*(line for line in traffic.lines if _is_error(line.text)), *matches.lines]),
    )


def _is_error(text: str) -> bool:
    return any(f" {status}" in text for status in CLIENT_ERROR_STATUSES)


def detect_healthy(evidence: Evidence) -> Finding | None:
    """It runs and answers, as far as the evidence shows."""
    status = evidence.endpoint.status
    if evidence.state is not State.RUNNING or status.ready_replica == 0 or evidence.health not in (None, 200):
        return None
    running = sum(replica.status.running for replica in evidence.replicas or ())
    statements = [f"{status.ready_replica} of {status.target_replica} replicas are ready."]
    if evidence.health == 200:
        statements.append("Its health route answers 200.")
    elif EvidenceSource.HEALTH not in evidence.failed:
        reason = "a call would delay its scale to zero" if evidence.endpoint.url else "it has no address"
        statements.append(f"Its health route was not called, because {reason}.")
    confidence = 0.6
    if evidence.health == 200 or running:
        confidence = 0.9 if evidence.health == 200 else 0.8
    return Finding(
        Cause.HEALTHY,
        confidence,
        "Nothing is wrong with the endpoint: it runs and can be called",
        Remedy("If a call fails, check the request.", (CALL,)),
        tuple(statements),
    )


def report_unknown(evidence: Evidence) -> Finding:
    """The finding if no detector recognizes a cause."""
    return Finding(
        Cause.UNKNOWN,
        0.2,
        "No known cause fits the evidence",
        Remedy("Read its whole log; the last lines are quoted.", (READ_LOGS,)),
        (f"{evidence.state_summary}.",),
        tuple(Quote(line.source, line.text) for line in evidence.last_lines),
    )
