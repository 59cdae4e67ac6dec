"""What can go wrong, by what a caller can do about it.

    InferenceEndpointError
    ├── NotConfigured            no token, no backend: set one up
    ├── BadRequest               the request is wrong: change it (also a ValueError)
    ├── Unauthorized             the token is missing or not accepted
    ├── Forbidden                the token may not do this
    ├── Refused                  the operator's policy does not allow it
    ├── NotFound                 no such endpoint, namespace or model
    ├── Conflict                 the world is not as the request needs it
    │   ├── AlreadyExists        the name is taken
    │   ├── AlreadyRunning       nothing to resume
    │   ├── QuotaExceeded        ask for less, or free something
    │   └── NoCapacity           this hardware is not to be had now: take other hardware
    ├── NotDeployed              no address yet: wait
    ├── Paused                   stopped by a person: resume it
    ├── ScaledToZero             asleep, and was not to be woken
    ├── DeploymentFailed         it failed, and says why in `upstream`
    ├── RateLimited              wait `retry_after` seconds
    ├── Unavailable              the service did not answer properly: try again
    │   └── OutcomeUnknown       a change was sent and its answer was lost: look before repeating
    └── InferenceEndpointTimeoutError   not within the time given (also a TimeoutError)

A message says what is true, a `hint` what to do next. Both are ours alone: what the service said stands in
`upstream`, which may quote strangers and is never part of the message.
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

REASON_BESIDE = "Its reason stands beside this message."
"""The hint where only the service's own words can tell what to do."""
UPSTREAM_LIMIT = 2_000
"""Characters of the service's own words that an error keeps."""


class InferenceEndpointError(Exception):
    """Root of the tree. `code` is stable and machine-readable; `status` is the HTTP status, if any."""

    code: ClassVar[str] = "ERROR"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: int | None = None,
        upstream: str = "",
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint
        self.status = status
        self.upstream = upstream[:UPSTREAM_LIMIT]
        self.request_id = request_id
        self.retry_after = retry_after


class InferenceEndpointTimeoutError(InferenceEndpointError, TimeoutError):
    code = "TIMEOUT"
    retryable = True


class NotConfigured(InferenceEndpointError):
    code = "NOT_CONFIGURED"


class BadRequest(InferenceEndpointError, ValueError):
    code = "BAD_REQUEST"


class Unauthorized(InferenceEndpointError):
    code = "UNAUTHORIZED"


class Forbidden(InferenceEndpointError):
    code = "FORBIDDEN"


class Refused(InferenceEndpointError):
    code = "REFUSED"


class NotFound(InferenceEndpointError):
    code = "NOT_FOUND"


class Conflict(InferenceEndpointError):
    code = "CONFLICT"


class AlreadyExists(Conflict):
    code = "ALREADY_EXISTS"


class AlreadyRunning(Conflict):
    code = "ALREADY_RUNNING"


class QuotaExceeded(Conflict):
    code = "QUOTA_EXCEEDED"


class NoCapacity(Conflict):
    code = "NO_CAPACITY"


class NotDeployed(InferenceEndpointError):
    code = "NOT_DEPLOYED"
    retryable = True


class Paused(InferenceEndpointError):
    code = "PAUSED"


class ScaledToZero(InferenceEndpointError):
    code = "SCALED_TO_ZERO"


class DeploymentFailed(InferenceEndpointError):
    code = "FAILED"


class RateLimited(InferenceEndpointError):
    code = "RATE_LIMITED"
    retryable = True


class Unavailable(InferenceEndpointError):
    code = "UNAVAILABLE"
    retryable = True


class OutcomeUnknown(Unavailable):
    code = "OUTCOME_UNKNOWN"


def words_of(body: bytes) -> str:
    """What an error body says, whatever its shape: `{"error": …}`, `{"message": …}` or plain text."""
    text = body[: 4 * UPSTREAM_LIMIT].decode("utf-8", "replace").strip()
    try:
        said = json.loads(text)
    except ValueError:
        return "" if text.startswith("<") else text
    if isinstance(said, dict):
        said = said.get("error") or said.get("message") or said.get("detail") or said
        if isinstance(said, dict):
            said = said.get("message") or said
    return said if isinstance(said, str) else json.dumps(said)


def from_response(
    what: str, status: int, headers: Mapping[str, str], body: bytes, *, seeks: str = ""
) -> InferenceEndpointError:
    """The error an HTTP answer stands for.

    `what` names what was asked for, in our words: "create endpoint acme/chat"; `seeks` is "namespace" where nothing
    else can be missing. Statuses and the phrases
    looked for are those seen from the service: 400 "already running", 400 "Compute instance not available
    yet", 400 "Invalid state" (calling what is paused), 409 "Quota exceeded", 409 for a taken name.
    """
    upstream = words_of(body)
    kind, reason, hint = _meaning(status, upstream.lower(), seeks)
    retry_after = seconds_of(headers.get("retry-after"))
    if kind is RateLimited:
        retry_after = retry_after if retry_after is not None else 30.0
        hint = f"Try again in {retry_after:g} seconds."
    return kind(
        f"Could not {what}: {reason}.",
        hint=beside(hint, upstream),
        status=status,
        upstream=upstream,
        request_id=headers.get("x-request-id"),
        retry_after=retry_after,
    )


def beside(hint: str, upstream: str) -> str:
    """The hint, unless it points at words that were not said."""
    return "It did not say why." if hint == REASON_BESIDE and not upstream else hint


def seconds_of(retry_after: str | None) -> float | None:
    """`Retry-After` in seconds; dates and nonsense count as not given."""
    try:
        seconds = float(retry_after or "")
    except ValueError:
        return None
    return min(max(0.0, seconds), 3_600.0) if seconds == seconds else None


_Meaning = tuple[type[InferenceEndpointError], str, str]


_MEANINGS: dict[int, _Meaning] = {
    401: (
        Unauthorized,
        "the token was not accepted",
        "Check that it is valid, and that the namespace has Inference Endpoints with billing set up.",
    ),
    402: (Forbidden, "payment is required", "Set up billing for the namespace."),
    403: (Forbidden, "the token may not do this", "Use one with the Inference Endpoints scope for the namespace."),
    404: (NotFound, "there is none", "Check the name and the namespace."),
    408: (Unavailable, "the service timed out", "Try again."),
    413: (BadRequest, "the request is too large", "Send less at a time."),
    422: (BadRequest, "the request was not understood", REASON_BESIDE),
    429: (RateLimited, "there were too many requests", ""),
}


def _meaning(status: int, said: str, seeks: str) -> _Meaning:
    if status == 404 and (seeks == "namespace" or "namespace" in said):
        return NotFound, "there is no such namespace", "Take your own, or one of your organizations: whoami names them."
    if status in {400, 409}:
        return _conflict(status, said)
    if status in _MEANINGS:
        return _MEANINGS[status]
    if status >= 500:
        return Unavailable, f"the service answered {status}", "Try again in a moment."
    return BadRequest, f"the service answered {status}", "Check the request."


def _conflict(status: int, said: str) -> _Meaning:
    if "quota" in said:
        return QuotaExceeded, "it would be over the namespace's quota", "Pause or delete something first."
    if "not available" in said or "no capacity" in said:
        return NoCapacity, "the hardware is not available at the moment", "Take other hardware."
    if "already running" in said:
        return AlreadyRunning, "it is already running", ""
    if "invalid state" in said:
        return Paused, "it is paused", "Resume it first."
    if status == 409:
        return AlreadyExists, "the name is taken", "Choose another, or update what exists."
    return BadRequest, "the request was not accepted", REASON_BESIDE


def describe(error: InferenceEndpointError) -> dict[str, Any]:
    """The error as plain facts, for machines; without the service's words."""
    facts: dict[str, Any] = {"code": error.code, "message": error.message, "retryable": error.retryable}
    optional = {
        "hint": error.hint or None,
        "status": error.status,
        "request_id": error.request_id,
        "retry_after_s": error.retry_after,
    }
    return facts | {key: value for key, value in optional.items() if value is not None}
