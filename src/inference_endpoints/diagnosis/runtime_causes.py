"""Causes of trouble with an endpoint that runs, and what to say where there is none, or none that is known."""

from inference_endpoints.deploy.specs import EndpointChange
from inference_endpoints.diagnosis.facts import Facts
from inference_endpoints.diagnosis.finding import Act, Cause, Finding, Fix, Quote, Source, Step
from inference_endpoints.diagnosis.log_patterns import quotes, seen
from inference_endpoints.diagnosis.traffic import traffic
from inference_endpoints.models.status import InferenceEndpointStatus as State

MANY_WAITING = 10
"""Requests that wait in an engine's queue before that counts as more than it can do."""
MANY_PENDING = 64
"""Requests under way for each replica: more than engines answer at once, unless they are told to."""
CLIENT_STATUSES = (400, 404, 405, 413, 415, 422, 424)


def overload(facts: Facts) -> Finding | None:
    """More requests than its replicas can answer."""
    if facts.endpoint.status.ready_replica == 0:
        return None
    said, load = seen(facts, Cause.OVERLOAD), traffic(facts)
    status, scaling = facts.endpoint.status, facts.endpoint.compute.scaling
    busy = load.waiting >= MANY_WAITING
    crowded = load.pending >= MANY_PENDING * status.ready_replica
    if not (said.weight or busy or crowded or load.statuses[429]):
        return None
    full = status.ready_replica >= scaling.max_replica
    told = [f"{status.ready_replica} replica(s) are ready; at most {scaling.max_replica} are allowed."]
    if busy:
        told.append(f"{load.waiting} requests waited in the engine's queue when it last said so.")
    if crowded:
        told.append(f"{load.pending:.0f} requests were under way when that was last measured.")
    if load.statuses[429]:
        told.append(f"{load.statuses[429]} of {load.total} {load.known_by} calls were answered 429.")
    change = EndpointChange(max_replica=scaling.max_replica + 1)
    more = Fix(
        "Allow one more replica, which is billed while it runs; or send less at a time.",
        (Step(Act.UPDATE, change), Step(Act.WAIT)),
    )
    wait = Fix("Replicas are added by themselves, at most once a minute. Send less until then.", (Step(Act.INSPECT),))
    return Finding(
        Cause.OVERLOAD,
        0.88 if full else 0.7,
        "It gets more requests than its replicas can answer" + (", and may have no more replicas" if full else ""),
        more if full else wait,
        tuple(told),
        quotes([*said.lines, *(line for line in load.lines if busy)]),
    )


def client_errors(facts: Facts) -> Finding | None:
    """Calls that it refuses because of what was asked."""
    said, load = seen(facts, Cause.CLIENT_ERRORS), traffic(facts)
    share = load.share(CLIENT_STATUSES)
    # Measured calls include checks of health, which always succeed: of those a smaller share tells as much.
    enough = load.count(CLIENT_STATUSES) >= 3 and share >= 0.1 if load.measured else share >= 0.5
    if facts.endpoint.status.ready_replica == 0 or not (enough or said.lines):
        return None
    refused = {status: load.statuses[status] for status in CLIENT_STATUSES if load.statuses[status]}
    counted = ", ".join(f"{count} x {status}" for status, count in refused.items())
    wrong_route = refused.get(404, 0) + refused.get(405, 0) > sum(refused.values()) / 2
    where = "the route called does not exist in this engine" if wrong_route else "they do not fit its task or limits"
    return Finding(
        Cause.CLIENT_ERRORS,
        0.8 if share >= 0.8 else 0.65,
        f"It runs, but refuses calls: {where}",
        Fix(
            "Call it in the way of its task; a plain call shows whether it answers.",
            (Step(Act.CALL), Step(Act.INSPECT)),
        ),
        (f"Of {load.total} {load.known_by} calls: {counted}.",) if counted else (),
        quotes([line for line in [*load.lines, *said.lines] if _refused(line.text) or line in said.lines]),
    )


def _refused(text: str) -> bool:
    return any(f" {status}" in text for status in CLIENT_STATUSES)


def healthy(facts: Facts) -> Finding | None:
    """It runs and answers, as far as can be seen."""
    status = facts.endpoint.status
    if facts.state is not State.RUNNING or status.ready_replica == 0 or facts.health not in (None, 200):
        return None
    live = sum(replica.status.live for replica in facts.replicas or ())
    told = [f"{status.ready_replica} of {status.target_replica} replicas are ready."]
    if facts.health == 200:
        told.append("Its health route was just answered 200.")
    elif Source.HEALTH not in facts.failed:
        told.append("Its health route was not asked, since that would keep it from falling asleep.")
    confidence = 0.6
    if facts.health == 200 or live:
        confidence = 0.9 if facts.health == 200 else 0.8
    return Finding(
        Cause.HEALTHY,
        confidence,
        "Nothing is wrong with it: it runs and can be called",
        Fix("If a call fails, look at how it is called.", (Step(Act.CALL),)),
        tuple(told),
    )


def unknown(facts: Facts) -> Finding:
    """What is left to say where no cause is recognized."""
    status = facts.endpoint.status
    running = facts.state is State.RUNNING
    steps = (Step(Act.READ_LOGS),) if running or facts.starting else (Step(Act.READ_LOGS), Step(Act.RESUME))
    return Finding(
        Cause.UNKNOWN,
        0.2,
        "None of the known causes is recognized",
        Fix("Read its log in full; its last words are quoted.", steps),
        (f"Its state is {facts.state.value}, {status.ready_replica} of {status.target_replica} replicas ready.",),
        tuple(Quote(line.source, line.text) for line in facts.last_words),
    )
