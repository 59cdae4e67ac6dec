"""Classify an engine's error response. Our text is the message; the engine's own is in `upstream`."""

from collections.abc import Mapping

from inference_endpoints.errors import (
    REASON_BESIDE,
    BadRequest,
    Forbidden,
    InferenceEndpointError,
    NotFound,
    Paused,
    RateLimited,
    Unauthorized,
    Unavailable,
    beside,
    seconds_of,
    words_of,
)
from inference_endpoints.inference.tasks import TASKS
from inference_endpoints.transport.guard import EndpointCall

DEFAULT_RETRY_AFTER_S = 5.0
"""Seconds to wait for an overloaded engine that sends no Retry-After."""

_HOST_NOT_TRUSTED = "If this host is yours, the operator can allow it with --endpoint-hosts."

_ErrorText = tuple[type[InferenceEndpointError], str, str]

_ERRORS_BY_STATUS: Mapping[int, _ErrorText] = {
    400: (BadRequest, "did not accept the request", REASON_BESIDE),
    401: (
        Unauthorized,
        "did not accept the token",
        "Use its owner's token, or any if its type is authenticated.",
    ),
    403: (Forbidden, "refuses this token", "Use a token of its owner."),
    405: (BadRequest, "does not serve this route with this method", "Most routes need POST."),
    408: (Unavailable, "did not answer before its proxy's time limit", "Request less at a time."),
    413: (BadRequest, "refused the request as too large", "Send less at a time."),
    415: (BadRequest, "does not accept this media type", "Name the media type of the content."),
    422: (BadRequest, "did not understand the request", REASON_BESIDE),
    501: (BadRequest, "does not support this", REASON_BESIDE),
    424: (BadRequest, "could not do this with its model", "This task may need another kind of model."),
}


def classify_engine_error(
    call: EndpointCall, status: int, headers: Mapping[str, str], body: bytes, *, saw_token: bool = True
) -> InferenceEndpointError:
    """The error that an engine's response means. `saw_token`: whether the request carried the token.

    Statuses: TGI (422 validation, 424 generation, 429 overloaded), TEI (413 batch, 424 wrong kind of model),
    the Inference Toolkit (400 for everything), and the proxy (400 "The endpoint is paused, ask a
    maintainer to restart it", until 2024 "Invalid state").
    """
    upstream = words_of(body)
    retry_after = seconds_of(headers.get("retry-after"))
    if status == 429 and retry_after is None:
        retry_after = DEFAULT_RETRY_AFTER_S
    kind, what, hint = _classify(call, status, upstream.lower(), retry_after)
    if kind in {Unauthorized, Forbidden} and not saw_token:
        what, hint = "requires a token, but the token is not sent to this host", _HOST_NOT_TRUSTED
    return kind(
        f"{call.label} {what}.",
        hint=beside(hint, upstream),
        status=status,
        upstream=upstream,
        request_id=headers.get("x-request-id"),
        retry_after=retry_after,
    )


def _classify(call: EndpointCall, status: int, text: str, retry_after: float | None) -> _ErrorText:
    if status == 400 and ("invalid state" in text or "endpoint is paused" in text):
        return Paused, "is paused and does not answer", "Resume it first."
    if status == 404:
        return NotFound, f"does not serve {call.method} {call.path.partition('?')[0]}", _suggest_route(call)
    if status == 429:
        return RateLimited, "is overloaded", f"Try again in {retry_after:g} seconds, or allow more replicas."
    if status in _ERRORS_BY_STATUS:
        return _ERRORS_BY_STATUS[status]
    if status >= 500:
        return Unavailable, f"answered {status}", "Try again. If it happens again, read its logs."
    return BadRequest, f"answered {status}", "Its engine does not serve this request."


def _suggest_route(call: EndpointCall) -> str:
    task = call.endpoint.model.task
    if task in TASKS:
        return f"It was deployed for {task}: use this task, or a route that its engine serves."
    return "Use a route that its engine serves."
