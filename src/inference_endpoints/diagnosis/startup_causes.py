"""Causes that keep a replica from becoming ready: what it is made of cannot be had, does not fit, or ends."""

from inference_endpoints.deploy.engines import accelerators_used, family
from inference_endpoints.deploy.specs import EndpointChange
from inference_endpoints.diagnosis.engine_changes import (
    DEFAULT_PORT,
    latest_tag,
    using_all,
    with_image,
)
from inference_endpoints.diagnosis.facts import Facts
from inference_endpoints.diagnosis.finding import Act, Cause, Finding, Fix, Quote, Step
from inference_endpoints.diagnosis.listening_port import listening_port
from inference_endpoints.diagnosis.log_patterns import Seen, quotes, seen
from inference_endpoints.diagnosis.remedies import larger, more_accelerator_memory, more_host_memory


def image_pull_failure(facts: Facts) -> Finding | None:
    said = seen(facts, Cause.IMAGE_PULL)
    if not said.weight:
        return None
    url = facts.endpoint.model.image.settings.get("url") if facts.endpoint.model.image else None
    return Finding(
        Cause.IMAGE_PULL,
        _surer(said),
        "Its container image cannot be pulled",
        _image_fix(facts, said),
        _image_facts(said),
        (*quotes(said.lines), *([Quote("configuration", f"image: {url}")] if url else [])),
    )


def _image_facts(said: Seen) -> tuple[str, ...]:
    if said.matching(r"denied|unauthorized|authorization failed|\b401\b|\b403\b"):
        return ("The registry wants credentials, or those it has were refused.",)
    if said.matching(r"manifest unknown|not found|no matching manifest"):
        return ("The registry has no image of that name and tag.",)
    return ()


def _image_fix(facts: Facts, said: Seen) -> Fix:
    if said.matching(r"toomanyrequests|timeout|timed out|connection reset|\b50[0234]\b"):
        return Fix("The registry failed for the moment. Start it again.", (Step(Act.RESUME), Step(Act.WAIT)))
    if said.matching(r"denied|unauthorized|authorization failed|\b401\b|\b403\b"):
        words = "Give it credentials for the registry (no tool takes them: in the web interface), or a public image."
        return Fix(words, (Step(Act.INSPECT),))
    change = latest_tag(facts.endpoint)
    if change is None:
        return Fix("Correct the address of the image: name and tag must exist.", (Step(Act.INSPECT),))
    return Fix("Correct the image's tag; latest may be it.", (Step(Act.UPDATE, change), Step(Act.WAIT)))


def gated_model(facts: Facts) -> Finding | None:
    said = seen(facts, Cause.GATED_MODEL)
    if not said.weight:
        return None
    named = {name.upper() for name in facts.endpoint.model.secrets}
    token = bool(named & {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN"})
    return Finding(
        Cause.GATED_MODEL,
        _surer(said),
        "The model is gated, and the endpoint has no access to it",
        Fix(
            "On the model's page a person accepts its terms; the endpoint needs that account's token as its secret "
            "HF_TOKEN. Then start it again. Or take an open model.",
            (Step(Act.AUTHORIZE), Step(Act.WAIT)),
        ),
        (
            "It has a secret with a Hub token: that token's account has no access."
            if token
            else "It has no secret named HF_TOKEN.",
        ),
        quotes(said.lines),
    )


def missing_model(facts: Facts) -> Finding | None:
    said = seen(facts, Cause.MISSING_MODEL)
    if not said.weight:
        return None
    model = facts.endpoint.model
    revision = said.matching(r"revision ?not ?found|not a valid git identifier")
    search = Step(Act.SEARCH_CATALOGUE, search=model.repository.rpartition("/")[2])
    fix = Fix("Correct the model's id. A private model needs a secret HF_TOKEN that may read it.", (search,))
    if revision and model.revision not in (None, "main"):
        change = EndpointChange(revision="main")
        fix = Fix("Take a revision that exists; main always does.", (Step(Act.UPDATE, change), Step(Act.WAIT)))
    return Finding(
        Cause.MISSING_MODEL,
        _surer(said),
        "The model's repository has no such revision" if revision else "The model cannot be found, or lacks a file",
        fix,
        (),
        (*quotes(said.lines), Quote("configuration", f"repository: {model.repository}, revision: {model.revision}")),
    )


def out_of_accelerator_memory(facts: Facts) -> Finding | None:
    said = seen(facts, Cause.ACCELERATOR_MEMORY)
    if not said.weight:
        return None
    memory = facts.offer.instance.gpu_memory_gb if facts.offer else None
    told = (f"A replica has {facts.accelerators} accelerator(s), {memory:g} GB in all.",) if memory else ()
    less = "Or ask for less: a shorter context, smaller batches, or quantized weights."
    return Finding(
        Cause.ACCELERATOR_MEMORY,
        _surer(said),
        "The model does not fit into the accelerator's memory",
        larger(facts, more_accelerator_memory(facts), less),
        told,
        quotes(said.lines),
    )


def out_of_host_memory(facts: Facts) -> Finding | None:
    said = seen(facts, Cause.HOST_MEMORY)
    if not said.weight:
        return None
    memory = facts.offer.instance.memory_gb if facts.offer else None
    on_gpu = bool(seen(facts, Cause.ACCELERATOR_MEMORY).weight)
    return Finding(
        Cause.HOST_MEMORY,
        _surer(said) * (0.8 if on_gpu else 1.0),  # a container may be killed for what its accelerator lacked
        "The container took more main memory than its hardware has, and was killed",
        larger(facts, more_host_memory(facts), "Or take a smaller or quantized model."),
        (f"A replica has {memory:g} GB of main memory.",) if memory else (),
        quotes(said.lines),
    )


def wrong_port_or_health_route(facts: Facts) -> Finding | None:
    said, health = seen(facts, Cause.HEALTH_ROUTE), facts.health
    wanted = facts.endpoint.model.image.settings.get("port") if facts.endpoint.model.image else None
    port = wanted if isinstance(wanted, int) else DEFAULT_PORT
    listens = None if facts.here else listening_port(facts.lines)
    confidence, told, fix = said.weight, [], _health_route_fix(facts, said)
    if health not in (None, 200):
        confidence = max(confidence, 0.9 if health in {404, 405} else 0.75)
        answered = f"is answered {health}" if health else "is not answered"
        told.append(f"Its state is {facts.state.value}, and its health route {answered}.")
    if listens is not None and listens[0] != port and (facts.starting or facts.given_up or confidence):
        confidence = max(confidence, 0.9)
        told.append(f"The container listens on port {listens[0]}; the endpoint is set to port {port}.")
        fix = _health_fix(with_image(facts.endpoint, port=listens[0]), "Set the port the container listens on.")
    if not confidence:
        return None
    route = facts.endpoint.health_route or "/health"
    return Finding(
        Cause.HEALTH_ROUTE,
        confidence,
        "The container runs, but is not found healthy where the endpoint looks",
        fix,
        tuple(told),
        (
            *quotes([*said.lines, *([listens[1]] if listens else [])]),
            Quote("configuration", f"health route: {route}, port: {port}"),
        ),
    )


def _health_route_fix(facts: Facts, said: Seen) -> Fix:
    """Where a route of its own is missing, the one that all common engines have may be there."""
    own = (facts.endpoint.health_route or "/health") != "/health"
    missing = facts.health in {404, 405} or said.matching(r"\b40[45]\b")
    change = with_image(facts.endpoint, healthRoute="/health") if own and missing else None
    return _health_fix(change, "Set the health route to /health, which common engines serve.")


def _health_fix(change: EndpointChange | None, words: str) -> Fix:
    if change is None:
        said = "Set port and health route to what the container serves; its log says what that is."
        return Fix(said, (Step(Act.READ_LOGS),))
    return Fix(words, (Step(Act.UPDATE, change), Step(Act.WAIT)))


def missing_parallelism(facts: Facts) -> Finding | None:
    """Several accelerators, of which the engine was told to use another number."""
    there, used = facts.accelerators, accelerators_used(facts.endpoint.model)
    if used is None or used == there or facts.stopped or facts.endpoint.compute.accelerator == "cpu":
        return None
    change = using_all(facts.endpoint, there)
    broke = seen(facts, Cause.ACCELERATOR_MEMORY).weight > 0 or used > there
    fixed = (Step(Act.UPDATE, change), Step(Act.WAIT)) if change else (Step(Act.INSPECT),)
    told = {"tgi": "--num-shard"}.get(family(facts.endpoint.model), "tensor parallelism")
    less = "fewer" if used < there else "more"
    return Finding(
        Cause.PARALLELISM,
        0.98 if broke else 0.75,
        f"The engine is told to use {less} accelerators than a replica has, all of which are billed",
        Fix(f"Set {told} to {there}, or take hardware with {used} accelerator(s).", fixed),
        (f"A replica has {there} accelerator(s); by its settings the engine uses {used}.",),
        quotes(seen(facts, Cause.ACCELERATOR_MEMORY).lines, 2),
    )


def crash_loop(facts: Facts) -> Finding | None:
    """It starts and ends, again and again, for a reason that none of the other causes knows."""
    said, dead = seen(facts, Cause.CRASH_LOOP), facts.dead_replicas
    serves = not facts.given_up and not facts.starting  # then an error in its log need not have ended anything
    if not said.weight or facts.stopped or (serves and not dead):
        return None
    confidence = said.weight + (0.1 if dead > 1 else 0.0) + (0.1 if said.confirmed else 0.0)
    told = [f"{dead} replica(s) ended since the last change."] if dead else []
    if facts.given_up:
        told.append("The control plane gave it up.")
    return Finding(
        Cause.CRASH_LOOP,
        said.weight if serves else min(0.85, confidence),
        "Its container ends by itself each time it is started",
        Fix(
            "Its last words say why: correct the model, the settings or the container, then start it again.",
            (Step(Act.READ_LOGS), Step(Act.RESUME)) if facts.given_up else (Step(Act.READ_LOGS),),
        ),
        tuple(told),
        quotes([*said.lines[-3:], *facts.last_words], 6),
    )


def _surer(said: Seen) -> float:
    """The weight of what was said, a little more if the control plane says so too."""
    return min(0.97, said.weight + 0.03) if said.confirmed else said.weight
