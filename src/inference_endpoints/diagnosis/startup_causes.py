"""Causes that keep a replica from becoming ready: image, model, memory, port, settings, or a crash."""

from inference_endpoints.deploy.memory_check import MemoryCheck
from inference_endpoints.deploy.specs import EndpointChange
from inference_endpoints.diagnosis.engine_changes import (
    DEFAULT_PORT,
    change_image,
    set_context,
    set_latest_tag,
    set_parallelism,
)
from inference_endpoints.diagnosis.evidence import Evidence
from inference_endpoints.diagnosis.finding import (
    AUTHORIZE,
    INSPECT,
    READ_LOGS,
    RESUME,
    WAIT,
    Action,
    ActionKind,
    Cause,
    Finding,
    Quote,
    Remedy,
    remedy_by_update,
)
from inference_endpoints.diagnosis.hardware_changes import (
    cheapest_with_enough_memory,
    move_to_more_accelerator_memory,
    move_to_more_host_memory,
    remedy_by_move,
)
from inference_endpoints.diagnosis.log_patterns import (
    LogMatches,
    find_listening_port,
    match_log_patterns,
    quote_lines,
)
from inference_endpoints.engines.engine_settings import accelerators_used, engine_name

COMPUTED_CONFIDENCE = 0.6
"""That memory is the cause if a failed endpoint's model does not fit, and no line shows it."""
_UNAUTHORIZED = r"denied|unauthorized|authorization failed|\b401\b|\b403\b"


def detect_image_pull_failure(evidence: Evidence) -> Finding | None:
    matches = match_log_patterns(evidence, Cause.IMAGE_PULL)
    if not matches.weight:
        return None
    url = evidence.endpoint.model.image.settings.get("url") if evidence.endpoint.model.image else None
    return Finding(
        Cause.IMAGE_PULL,
        matches.confidence,
        "The endpoint's container image cannot be pulled",
        _choose_image_remedy(evidence, matches),
        _explain_image_pull(matches),
        (*quote_lines(matches.lines), *([Quote("configuration", f"image: {url}")] if url else [])),
    )


def _explain_image_pull(matches: LogMatches) -> tuple[str, ...]:
    if matches.contain(_UNAUTHORIZED):
        return ("The registry requires credentials, or it refused those of the endpoint.",)
    if matches.contain(r"manifest unknown|not found|no matching manifest"):
        return ("The registry has no image of that name and tag.",)
    return ()


def _choose_image_remedy(evidence: Evidence, matches: LogMatches) -> Remedy:
    if matches.contain(r"toomanyrequests|timeout|timed out|connection reset|\b50[0234]\b"):
        return Remedy("The registry failed temporarily. Start the endpoint again.", (RESUME, WAIT))
    if matches.contain(_UNAUTHORIZED):
        return Remedy(
            "Use a public image, or set the registry's credentials in the web interface: no tool accepts them.",
            (INSPECT,),
        )
    change = set_latest_tag(evidence.endpoint)
    if change is None:
        return Remedy("Correct the address of the image: its name and tag must exist.", (INSPECT,))
    return remedy_by_update(change, "Correct the image's tag. The tag latest probably exists.")


def detect_gated_model(evidence: Evidence) -> Finding | None:
    matches = match_log_patterns(evidence, Cause.GATED_MODEL)
    if not matches.weight:
        return None
    names = {name.upper() for name in evidence.endpoint.model.secrets}
    has_token = bool(names & {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN"})
    return Finding(
        Cause.GATED_MODEL,
        matches.confidence,
        "The model is gated, and the endpoint has no access to it",
        Remedy(
            "A person must accept the terms on the model's page. The endpoint needs a token of that account in its "
            "secret HF_TOKEN. Then start it again. Or use a model that is not gated.",
            (AUTHORIZE, WAIT),
        ),
        (
            "The endpoint has a secret with a Hub token, but that token's account has no access."
            if has_token
            else "The endpoint has no secret named HF_TOKEN.",
        ),
        quote_lines(matches.lines),
    )


def detect_missing_model(evidence: Evidence) -> Finding | None:
    matches = match_log_patterns(evidence, Cause.MISSING_MODEL)
    if not matches.weight:
        return None
    model = evidence.endpoint.model
    no_revision = matches.contain(r"revision ?not ?found|not a valid git identifier")
    if no_revision and model.revision not in (None, "main"):
        remedy = remedy_by_update(
            EndpointChange(revision="main"), "Choose a revision that exists. The revision main always exists."
        )
    else:
        search = Action(ActionKind.SEARCH_CATALOGUE, search=model.repository.rpartition("/")[2])
        remedy = Remedy("Correct the model's id. A private model needs a secret HF_TOKEN that can read it.", (search,))
    return Finding(
        Cause.MISSING_MODEL,
        matches.confidence,
        "The model's repository does not have this revision"
        if no_revision
        else "The model does not exist, or a file of it is missing",
        remedy,
        (),
        (
            *quote_lines(matches.lines),
            Quote("configuration", f"repository: {model.repository}, revision: {model.revision}"),
        ),
    )


def detect_out_of_accelerator_memory(evidence: Evidence) -> Finding | None:
    matches = match_log_patterns(evidence, Cause.ACCELERATOR_MEMORY)
    on_accelerator = evidence.endpoint.compute.accelerator != "cpu"
    shortage = evidence.memory_shortage if on_accelerator else None
    computed = COMPUTED_CONFIDENCE if shortage and evidence.has_failed else 0.0
    if not matches.weight and not computed:
        return None
    memory = evidence.offer.instance.gpu_memory_gb if evidence.offer else None
    has = (f"A replica has {evidence.accelerators} accelerator(s), {memory:g} GB in all.",) if memory else ()
    return Finding(
        Cause.ACCELERATOR_MEMORY,
        max(matches.confidence, computed),
        "The model does not fit into the accelerator's memory",
        _choose_memory_remedy(evidence, shortage),
        (*has, *([str(shortage)] if shortage else [])),
        quote_lines(matches.lines),
    )


def _choose_memory_remedy(evidence: Evidence, shortage: MemoryCheck | None) -> Remedy:
    """A shorter context where that suffices, else the cheapest hardware that holds the model as it is set."""
    otherwise = "Or reduce what it needs: a shorter context, smaller batches, or quantized weights."
    larger = cheapest_with_enough_memory(evidence) if shortage else None
    there = f"{larger.id} ({larger.memory_gb:g} GB, ${larger.price or 0:g}/h)" if larger else ""
    if shortage and shortage.shorter_context:
        change = set_context(evidence.endpoint, shortage.shorter_context)
        if change is not None:
            also = f" The cheapest hardware that holds the whole context is {there}." if there else ""
            return remedy_by_update(change, f"Set a context of {shortage.shorter_context:,} tokens, which fits.{also}")
    if larger is not None:
        change = EndpointChange(**larger.hardware.instance)
        return remedy_by_update(change, f"Move it to {there}, the cheapest that holds it. {otherwise}")
    return remedy_by_move(move_to_more_accelerator_memory(evidence), otherwise)


def detect_out_of_host_memory(evidence: Evidence) -> Finding | None:
    matches = match_log_patterns(evidence, Cause.HOST_MEMORY)
    if not matches.weight:
        return None
    memory = evidence.offer.instance.memory_gb if evidence.offer else None
    on_cpu = evidence.endpoint.compute.accelerator == "cpu"
    # A container may also be killed because its accelerator lacked memory.
    accelerator_too = bool(match_log_patterns(evidence, Cause.ACCELERATOR_MEMORY).weight)
    return Finding(
        Cause.HOST_MEMORY,
        matches.confidence * (0.8 if accelerator_too else 1.0),
        "The container was killed because it used more main memory than its hardware has",
        remedy_by_move(move_to_more_host_memory(evidence), "Or use a smaller or quantized model."),
        (
            *((f"A replica has {memory:g} GB of main memory.",) if memory else ()),
            *([str(evidence.memory_shortage)] if evidence.memory_shortage and on_cpu else []),
        ),
        quote_lines(matches.lines),
    )


def detect_wrong_port_or_health_route(evidence: Evidence) -> Finding | None:
    matches, health = match_log_patterns(evidence, Cause.HEALTH_ROUTE), evidence.health
    configured = evidence.endpoint.model.image.settings.get("port") if evidence.endpoint.model.image else None
    port = configured if isinstance(configured, int) else DEFAULT_PORT
    listening = None if evidence.runs_locally else find_listening_port(evidence.log_lines)
    confidence, statements, remedy = matches.weight, [], _choose_health_route_remedy(evidence, matches)
    if health not in (None, 200):
        confidence = max(confidence, 0.9 if health in {404, 405} else 0.75)
        answer = f"answers {health}" if health else "does not answer"
        statements.append(f"Its state is {evidence.state.value}, but its health route {answer}.")
    if listening and listening[0] != port and (evidence.is_starting or evidence.has_failed or confidence):
        confidence = max(confidence, 0.9)
        statements.append(f"The container listens on port {listening[0]}; the endpoint is set to port {port}.")
        change = change_image(evidence.endpoint, port=listening[0])
        remedy = _health_settings_remedy(change, "Set the port on which the container listens.")
    if not confidence:
        return None
    route = evidence.endpoint.health_route or "/health"
    return Finding(
        Cause.HEALTH_ROUTE,
        confidence,
        "The container runs, but the health check fails on the endpoint's port and route",
        remedy,
        tuple(statements),
        (
            *quote_lines([*matches.lines, *([listening[1]] if listening else [])]),
            Quote("configuration", f"health route: {route}, port: {port}"),
        ),
    )


def _choose_health_route_remedy(evidence: Evidence, matches: LogMatches) -> Remedy:
    """If a custom route is missing, propose the one that all common engines serve."""
    is_custom = (evidence.endpoint.health_route or "/health") != "/health"
    is_missing = evidence.health in {404, 405} or matches.contain(r"\b40[45]\b")
    change = change_image(evidence.endpoint, healthRoute="/health") if is_custom and is_missing else None
    return _health_settings_remedy(change, "Set the health route to /health, which common engines serve.")


def _health_settings_remedy(change: EndpointChange | None, text: str) -> Remedy:
    if change is None:
        return Remedy("Set the port and health route that the container serves; its log names them.", (READ_LOGS,))
    return remedy_by_update(change, text)


def detect_missing_parallelism(evidence: Evidence) -> Finding | None:
    """The engine's settings use another number of accelerators than a replica has."""
    existing, used = evidence.accelerators, accelerators_used(evidence.endpoint.model)
    if used is None or used == existing or evidence.is_stopped or evidence.endpoint.compute.accelerator == "cpu":
        return None
    change = set_parallelism(evidence.endpoint, existing)
    memory_matches = match_log_patterns(evidence, Cause.ACCELERATOR_MEMORY)
    setting = {"tgi": "--num-shard"}.get(engine_name(evidence.endpoint.model), "tensor parallelism")
    text = f"Set {setting} to {existing}, or use hardware with {used} accelerator(s)."
    return Finding(
        Cause.PARALLELISM,
        0.98 if memory_matches.weight > 0 or used > existing else 0.75,
        f"The engine's settings use {'fewer' if used < existing else 'more'} accelerators than a replica has; "
        "all of a replica's accelerators are billed",
        remedy_by_update(change, text) if change else Remedy(text, (INSPECT,)),
        (f"A replica has {existing} accelerator(s); the engine's settings use {used}.",),
        quote_lines(memory_matches.lines, 2),
    )


def detect_crash_loop(evidence: Evidence) -> Finding | None:
    """The container ends again and again, for a reason that no other detector recognizes."""
    matches, ended = match_log_patterns(evidence, Cause.CRASH_LOOP), evidence.ended_replicas
    # While it serves, an error in its log does not mean that anything ended.
    serves = not evidence.has_failed and not evidence.is_starting
    if not matches.weight or evidence.is_stopped or (serves and not ended):
        return None
    confidence = matches.weight + (0.1 if ended > 1 else 0.0) + (0.1 if matches.are_confirmed else 0.0)
    statements = [f"{ended} replica(s) ended since the last change."] if ended else []
    if evidence.has_failed:
        statements.append("The control plane no longer tries to start it.")
    return Finding(
        Cause.CRASH_LOOP,
        matches.weight if serves else min(0.85, confidence),
        "The endpoint's container ends each time it is started",
        Remedy(
            "Its last log lines name the reason. Correct model, settings or container, then start it again.",
            (READ_LOGS, RESUME) if evidence.has_failed else (READ_LOGS,),
        ),
        tuple(statements),
        quote_lines([*matches.lines[-3:], *evidence.last_lines], 6),
    )
