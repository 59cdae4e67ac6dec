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
import re
from collections.abc import Mapping
from typing import Any, ClassVar

REASON_BESIDE = "Its reason stands beside this message."
"""The hint where only the service's own words can tell what to do."""
UPSTREAM_LIMIT = 2_000
"""Characters of the service's own words that an error keeps."""


class InferenceEndpointError(Exception):
    """Root of the tree. `code` is stable and machine-readable; `status` is the HTTP status, if any.

    `after_lost_answer`: the answer to an earlier attempt of the same call was lost, so this may be its own effect.
    """

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
        self.after_lost_answer = False


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


def code_of(body: bytes) -> str:
    """The `code` of an error body, in capitals; empty where it has none."""
    try:
        document = json.loads(body)
    except ValueError:
        return ""
    code = document.get("code") if isinstance(document, dict) else None
    return code.upper() if isinstance(code, str) else ""


def from_response(
    what: str, status: int, headers: Mapping[str, str], body: bytes, *, missing_kind: str = ""
) -> InferenceEndpointError:
    """The error an HTTP answer stands for.

    `what` names what was asked for, in our words: "create endpoint acme/chat"; `missing_kind` is "namespace" where
    nothing else can be missing. The status decides, then the body's `code`, then its words. The service quotes names,
    and a name has no spaces: only phrases of several words are looked for.
    """
    upstream = words_of(body)
    kind, reason, hint = _meaning(status, code_of(body), upstream, missing_kind)
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


_NO_NAMESPACE: _Meaning = (
    NotFound,
    "there is no such namespace",
    "Take your own, or one of your organizations: whoami names them.",
)
_NO_PAYMENT_METHOD: _Meaning = (
    Forbidden,
    "the namespace has no payment method",
    "A person adds one in its billing settings on Hugging Face.",
)
_QUOTA: _Meaning = (
    QuotaExceeded,
    "it would be over the namespace's quota",
    "Pause or delete something first.",
)
_NAME_TAKEN: _Meaning = (AlreadyExists, "the name is taken", "Choose another, or update what exists.")
_NOT_ACCEPTED: _Meaning = (BadRequest, "the request was not accepted", REASON_BESIDE)

_CHANGE_PHRASES: tuple[tuple[re.Pattern[str], _Meaning], ...] = tuple(
    (re.compile(phrase, re.IGNORECASE), meaning)
    for phrase, meaning in (
        (r"(?:^|[:;.] )quota exceeded|over quota\b|\bavailable \d+, requested \d+", _QUOTA),
        (
            r"\binstance not available\b|\bno capacity\b|\bnot available yet\b",
            (NoCapacity, "the hardware is not available at the moment", "Take other hardware."),
        ),
        (r"\bis already running\b|^(?:[\w ]+: )?already running\b", (AlreadyRunning, "it is already running", "")),
        (r"\binvalid state\b|\bendpoint is paused\b", (Paused, "it is paused", "Resume it first.")),
    )
)
"""Phrases of 400 and 409, seen from the service: "Conflict: Quota exceeded", "… nvidia-h200: available 2, requested
4", "Compute instance not available yet", "Endpoint is already running", "Bad Request: Invalid state" (2024) and "The
endpoint is paused, ask a maintainer to restart it" (since 2025)."""
_MISSING_NAMESPACE = re.compile(r"(?:^|[:;.] |no such |unknown )namespace ", re.IGNORECASE)
_MISSING_PAYMENT_METHOD = re.compile(r"\bpayment method required\b", re.IGNORECASE)


def _meaning(status: int, code: str, words: str, missing_kind: str) -> _Meaning:
    if status == 404 and (missing_kind == "namespace" or _MISSING_NAMESPACE.search(words)):
        return _NO_NAMESPACE
    if status == 403 and _MISSING_PAYMENT_METHOD.search(words):
        return _NO_PAYMENT_METHOD
    if status in {400, 409}:
        return _change_refused(status, code, words)
    if status in _MEANINGS:
        return _MEANINGS[status]
    if status >= 500:
        return Unavailable, f"the service answered {status}", "Try again in a moment."
    return BadRequest, f"the service answered {status}", "Check the request."


def _change_refused(status: int, code: str, words: str) -> _Meaning:
    if code == "VALIDATION_FAILED":
        return _NOT_ACCEPTED
    for phrase, meaning in _CHANGE_PHRASES:
        if phrase.search(words):
            return meaning
    return _NAME_TAKEN if status == 409 else _NOT_ACCEPTED


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
