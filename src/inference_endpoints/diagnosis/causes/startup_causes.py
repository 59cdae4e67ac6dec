"""Causes that keep a replica from becoming ready: image, model, port, or a crash."""

import re

from inference_endpoints.deploy.specs import EndpointChange
from inference_endpoints.diagnosis.evidence import Evidence
from inference_endpoints.diagnosis.finding import (
    AUTHORIZE,
    READ_LOGS,
    RESUME,
    Action,
    ActionKind,
    Cause,
    Finding,
    Quote,
    Remedy,
    remedy_by_update,
)
from inference_endpoints.diagnosis.log_patterns import (
    LogMatches,
    find_listening_port,
    match_log_patterns,
    quote_lines,
)
from inference_endpoints.diagnosis.remedies.engine_changes import (
    DEFAULT_PORT,
    change_image,
    set_latest_tag,
)
from inference_endpoints.engines.engine_settings import HUB_TOKEN_VARIABLES

COMPUTED_CONFIDENCE = 0.6
"""In a cause that follows from settings and the Hub, where no line shows it."""
CONTRADICTED_FACTOR = 0.7
"""Multiplies the confidence in a cause against which a fact stands."""
_HUB_MODEL = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
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
        return Remedy("The registry failed temporarily. Start the endpoint again.", (RESUME,))
    if matches.contain(_UNAUTHORIZED):
        return Remedy(
            "Use a public image, or set the registry's credentials in the web interface: no tool accepts them.",
        )
    change = set_latest_tag(evidence.endpoint)
    if change is None:
        return Remedy(
            "Correct the address of the image with update_endpoint: its name and tag must exist. Give the whole image "
            'as config={"model": {"image": …}}.'
        )
    return remedy_by_update(change, "Correct the image's tag. The tag latest probably exists.")


def detect_gated_model(evidence: Evidence) -> Finding | None:
    """The log says so, or the Hub, and there is no token. A person has to accept its terms first."""
    matches, info = match_log_patterns(evidence, Cause.GATED_MODEL), evidence.hub.info
    has_token = bool({name.upper() for name in evidence.endpoint.model.secrets} & HUB_TOKEN_VARIABLES)
    computed = COMPUTED_CONFIDENCE if evidence.has_failed and info and info.gated and not has_token else 0.0
    if not matches.weight and not computed:
        return None
    statements = [
        "The endpoint has a secret with a Hub token, but that token's account has no access."
        if has_token
        else "The endpoint has no secret named HF_TOKEN."
    ]
    statements += [f"The model is {'gated' if info.gated else 'not gated'} on the Hub."] if info else []
    is_contradicted = info is not None and not info.gated
    model = evidence.endpoint.model.repository
    page = f"https://huggingface.co/{model}" if _HUB_MODEL.fullmatch(model) else "the model's page"
    accept = f"A person must accept the terms at {page}"
    remedy = (
        Remedy(f"{accept} with the account of its token. Then resume_endpoint starts it again.")
        if has_token
        else Remedy(f"{accept}. The endpoint then needs a token of that account in its secret HF_TOKEN.", (AUTHORIZE,))
    )
    return Finding(
        Cause.GATED_MODEL,
        max(matches.confidence, computed) * (CONTRADICTED_FACTOR if is_contradicted else 1.0),
        "The model is gated, and the endpoint has no access to it",
        remedy,
        tuple(statements),
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


def detect_crash_loop(evidence: Evidence) -> Finding | None:
    """The container ends again and again, for a reason that no other detector recognizes."""
    matches, ended = match_log_patterns(evidence, Cause.CRASH_LOOP), evidence.ended_replicas
    # While it serves, an error in its log does not mean that anything ended.
    serves = not evidence.has_failed and not evidence.is_starting
    if not matches.weight or evidence.is_stopped or (serves and not ended):
        return None
    confidence = matches.weight + (0.1 if ended > 1 else 0.0) + (0.1 if matches.are_confirmed else 0.0)
    statements = [f"{ended} replica(s) ended since the last change."] if ended else []
    if codes := ", ".join(f"{count} x {code}" for code, count in sorted(evidence.exit_codes.items())):
        statements.append(f"Exit codes: {codes}.")
    if evidence.has_failed:
        statements.append("The control plane no longer tries to start it.")
    return Finding(
        Cause.CRASH_LOOP,
        matches.weight if serves else min(0.85, confidence),
        "The endpoint's container ends each time it is started",
        Remedy(
            "Its last log lines name the reason. Correct model, settings or container: without that it fails again.",
            (READ_LOGS,),
        ),
        tuple(statements),
        quote_lines([*matches.lines[-3:], *evidence.last_lines], 6),
    )
