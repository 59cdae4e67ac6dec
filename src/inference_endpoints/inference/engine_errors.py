"""What an engine's refusal means, in our words. The engine's own stand in `upstream`."""

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

OVERLOADED_S = 5.0
"""Seconds to wait for an engine that is overloaded and does not say how long."""

_NOT_LISTED = "If the address is yours, have whoever runs this add its host (--endpoint-hosts)."

_Meaning = tuple[type[InferenceEndpointError], str, str]

_MEANINGS: Mapping[int, _Meaning] = {
    400: (BadRequest, "did not accept the request", REASON_BESIDE),
    401: (Unauthorized, "did not accept the token", "It answers its owner, or any account if it is `authenticated`."),
    403: (Forbidden, "does not answer this token", "Use a token of its owner."),
    405: (BadRequest, "does not serve this route by this method", "Most routes are served by POST."),
    408: (Unavailable, "took too long for its own proxy", "Ask for less at a time."),
    413: (BadRequest, "was sent more than it takes", "Send less at a time."),
    415: (BadRequest, "does not take this kind of content", "Name the media type of what is sent."),
    422: (BadRequest, "did not understand the request", REASON_BESIDE),
    501: (BadRequest, "does not do this", REASON_BESIDE),
    424: (BadRequest, "could not do this with its model", "The model may be of another kind than this task needs."),
}


def refusal(
    call: EndpointCall, status: int, headers: Mapping[str, str], body: bytes, *, saw_token: bool = True
) -> InferenceEndpointError:
    """The error an engine's answer stands for. `saw_token`: whether its address is one the token is sent to.

    Statuses: TGI (422 validation, 424 generation, 429 overloaded), TEI (413 batch, 424 wrong kind of model),
    the Inference Toolkit (400 for everything), and the proxy (400 "The endpoint is paused, ask a
    maintainer to restart it", until 2024 "Invalid state").
    """
    upstream = words_of(body)
    retry_after = seconds_of(headers.get("retry-after"))
    if status == 429 and retry_after is None:
        retry_after = OVERLOADED_S
    kind, what, hint = _meaning(call, status, upstream.lower(), retry_after)
    if kind in {Unauthorized, Forbidden} and not saw_token:
        what, hint = "wants a token, and its address is not one the token is sent to", _NOT_LISTED
    return kind(
        f"{call.label} {what}.",
        hint=beside(hint, upstream),
        status=status,
        upstream=upstream,
        request_id=headers.get("x-request-id"),
        retry_after=retry_after,
    )


def _meaning(call: EndpointCall, status: int, said: str, retry_after: float | None) -> _Meaning:
    if status == 400 and ("invalid state" in said or "endpoint is paused" in said):
        return Paused, "is paused and does not answer", "Resume it first."
    if status == 404:
        return NotFound, f"does not serve {call.method} {call.path.partition('?')[0]}", _served_instead(call)
    if status == 429:
        return RateLimited, "is overloaded", f"Try again in {retry_after:g} seconds, or allow more replicas."
    if status in _MEANINGS:
        return _MEANINGS[status]
    if status >= 500:
        return Unavailable, f"answered {status}", "Try again; if it happens again, read its logs."
    return BadRequest, f"answered {status}", "Its engine does not serve this request."


def _served_instead(call: EndpointCall) -> str:
    task = call.endpoint.model.task
    if task in TASKS:
        return f"It was deployed for {task}: use that, or a route its engine serves."
    return "Use a route its engine serves."
