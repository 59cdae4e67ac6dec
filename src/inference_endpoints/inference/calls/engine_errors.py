"""Classify an engine's error response. Our text is the message; the engine's own is in `upstream`."""

import re
from collections.abc import Mapping

from inference_endpoints.engines.engine_settings import engine_name
from inference_endpoints.errors import Forbidden, InferenceEndpointError, Paused, Unauthorized, Unavailable
from inference_endpoints.inference.tasks.engine_request import OPENAI_ENGINES
from inference_endpoints.inference.tasks.table import find_task
from inference_endpoints.transport.error_response import SEE_UPSTREAM, ErrorResponse
from inference_endpoints.transport.guard import EndpointCall

OVERLOADED_RETRY_AFTER_S = 5.0
"""Seconds to wait for an overloaded engine that sends no Retry-After."""

_UNKNOWN_MODEL = re.compile(r"\bmodel\b.{0,300}?\b(?:does not exist|not found)\b", re.IGNORECASE | re.DOTALL)
""" "The model `X` does not exist." (vLLM), "model 'X' not found" (Ollama)."""
_HOST_NOT_TRUSTED = (
    "requires a token, but the token is not sent to this domain",
    "If this domain is yours, the operator can allow it with --endpoint-hosts.",
)
_BY_STATUS: Mapping[int, tuple[str, str]] = {
    400: ("did not accept the request", SEE_UPSTREAM),
    401: ("did not accept the token", "Use its owner's token, or any if its type is authenticated."),
    403: ("refuses this token", "Use a token of its owner."),
    405: ("does not serve this route with this method", "Most routes need POST."),
    408: ("did not answer before its proxy's time limit", "Request less at a time."),
    413: ("refused the request as too large", "Send less at a time."),
    415: ("does not accept this media type", "Name the media type of the content."),
    422: ("did not understand the request", SEE_UPSTREAM),
    424: ("could not do this with its model", "This task may need another kind of model."),
    501: ("does not support this", SEE_UPSTREAM),
}


def classify_engine_error(
    call: EndpointCall, response: ErrorResponse, *, saw_token: bool = True
) -> InferenceEndpointError:
    """The error that an engine's response means. `saw_token`: whether the request carried the token.

    Statuses: TGI (422 validation, 424 generation, 429 overloaded), TEI (413 batch, 424 wrong kind of model),
    the Inference Toolkit (400 for everything), and the proxy (400 for a paused endpoint and for one that starts).
    """
    kind, retry_after = response.error_class, response.retry_after
    if response.status == 429 and retry_after is None:
        retry_after = OVERLOADED_RETRY_AFTER_S
    if kind is Paused:
        what, hint = "is paused and does not answer", "Resume it first."
    elif kind is Unavailable and response.status == 400:
        what, hint = "is not ready yet", "Try again in a moment."
    elif names_unknown_model(response):
        what, hint = "does not serve a model of this name", "Use a name that its engine lists at GET /v1/models."
    elif kind in {Unauthorized, Forbidden} and not saw_token:
        what, hint = _HOST_NOT_TRUSTED
    else:
        what, hint = _describe(call, response.status, retry_after)
    return response.error(kind, f"{call.label} {what}.", hint, retry_after=retry_after)


def names_unknown_model(response: ErrorResponse) -> bool:
    """Whether the engine serves the route, but no model of the name in the request."""
    return response.status == 404 and _UNKNOWN_MODEL.search(response.text) is not None


def _describe(call: EndpointCall, status: int, retry_after: float | None) -> tuple[str, str]:
    if status == 404:
        return f"does not serve {call.method} {call.path.partition('?')[0]}", _suggest_route(call)
    if status == 429:
        return "is overloaded", f"Try again in {retry_after:g} seconds, or allow more replicas."
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return f"answered {status}", "Try again. If it happens again, read its logs."
    return f"answered {status}", "Its engine does not serve this request."


def _suggest_route(call: EndpointCall) -> str:
    task = call.endpoint.model.task
    if call.path == "/" and engine_name(call.endpoint.model) in OPENAI_ENGINES:
        return "Its engine serves /v1/chat/completions, /v1/completions or /v1/embeddings."
    if find_task(task) is not None:
        return f"It was deployed for {task}: use this task, or a route that its engine serves."
    return "Use a route that its engine serves."
