"""What an HTTP error response means: one classification, for the control plane and for the engines."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from inference_endpoints.errors import (
    ADD_PAYMENT_METHOD,
    UPSTREAM_LIMIT,
    AlreadyExists,
    AlreadyRunning,
    BadRequest,
    Forbidden,
    InferenceEndpointError,
    NoCapacity,
    NotFound,
    Paused,
    PaymentRequired,
    QuotaExceeded,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from inference_endpoints.models.json_text import parse_json

SEE_UPSTREAM = "The reason is shown with this message."
"""The hint where only the text of the service shows what to do."""
NO_REASON = "No reason was given."
MAX_RETRY_AFTER_S = 3_600.0
DEFAULT_RETRY_AFTER_S = 30.0

ErrorClass = type[InferenceEndpointError]

_CLASSES: Mapping[int, ErrorClass] = {
    401: Unauthorized,
    402: PaymentRequired,
    403: Forbidden,
    404: NotFound,
    408: Unavailable,
    429: RateLimited,
    501: BadRequest,
}
_WAKING = re.compile(r"(?:bad request: )?workload is not stopped\W*", re.IGNORECASE)
_PAUSED = re.compile(r"\binvalid state\b|\bendpoint is paused\b", re.IGNORECASE)
""" "Bad Request: Invalid state" (2024), "The endpoint is paused, ask a maintainer to restart it" (since 2025)."""


def error_text(body: bytes) -> str:
    """The text of an error body, whatever its shape: `{"error": …}`, `{"message": …}` or plain text."""
    text = body[: 4 * UPSTREAM_LIMIT].decode("utf-8", "replace").strip()
    try:
        content = parse_json(text)
    except ValueError:
        return "" if text.startswith("<") else text
    if isinstance(content, dict):
        content = content.get("error") or content.get("message") or content.get("detail") or content
        if isinstance(content, dict):
            content = content.get("message") or content
    return content if isinstance(content, str) else json.dumps(content)


@dataclass(frozen=True)
class ErrorResponse:
    """A response whose status is no success. Header names are case-insensitive or in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def text(self) -> str:
        return error_text(self.body)

    @cached_property
    def code(self) -> str:
        """The `code` of the body, in capitals; empty where there is none."""
        try:
            document = parse_json(self.body)
        except ValueError:
            return ""
        code = document.get("code") if isinstance(document, dict) else None
        return code.upper() if isinstance(code, str) else ""

    @property
    def retry_after(self) -> float | None:
        """`Retry-After` in seconds. None for a date or any other value that is not a number."""
        try:
            seconds = float(self.headers.get("retry-after") or "")
        except ValueError:
            return None
        return min(max(0.0, seconds), MAX_RETRY_AFTER_S) if seconds == seconds else None

    @property
    def not_ready(self) -> bool:
        """Whether the proxy of an endpoint answered that no replica is ready yet."""
        return self.status in {502, 503} or (self.status == 400 and _WAKING.fullmatch(self.text) is not None)

    @property
    def error_class(self) -> ErrorClass:
        """The class the response means by its status alone, unless the proxy of an endpoint sent it: `Paused` if it is
        paused, `Unavailable` if it is not ready."""
        if self.not_ready:
            return Unavailable
        if self.status == 400 and _PAUSED.search(self.text):
            return Paused
        return _CLASSES.get(self.status, Unavailable if self.status >= 500 else BadRequest)

    def error(
        self, kind: ErrorClass, message: str, hint: str, *, retry_after: float | None = None
    ) -> InferenceEndpointError:
        """The error, with the text of the response in `upstream`."""
        return kind(
            message,
            hint=NO_REASON if hint == SEE_UPSTREAM and not self.text else hint,
            status=self.status,
            upstream=self.text,
            request_id=self.headers.get("x-request-id"),
            retry_after=self.retry_after if retry_after is None else retry_after,
        )


class _Meaning(NamedTuple):
    kind: ErrorClass
    reason: str
    hint: str


_NO_NAMESPACE = _Meaning(
    NotFound,
    "there is no such namespace",
    "Use your own, or one of your organizations: whoami shows their names.",
)
_NO_PAYMENT_METHOD = _Meaning(
    PaymentRequired,
    "the namespace has no payment method for Inference Endpoints",
    f"{ADD_PAYMENT_METHOD} Until then quotas read 0.",
)
_NAME_EXISTS = _Meaning(AlreadyExists, "the name already exists", "Choose another name, or update what exists.")
_NOT_ACCEPTED = _Meaning(BadRequest, "the request was not accepted", SEE_UPSTREAM)

_BY_STATUS: Mapping[int, tuple[str, str]] = {
    401: (
        "the token was not accepted",
        "Check that it is valid, and that the namespace has Inference Endpoints with billing set up.",
    ),
    403: ("the token has no right to do this", "Use one with the Inference Endpoints scope for the namespace."),
    404: ("it does not exist", "Check the name and the namespace."),
    408: ("the service timed out", "Try again."),
    413: ("the request is too large", "Send less at a time."),
    422: ("the request is not valid", SEE_UPSTREAM),
    429: ("there were too many requests", ""),
}
_BY_PHRASE = (
    (
        r"(?:^|[:;.] )quota exceeded|over quota\b|\bavailable \d+, requested \d+",
        _Meaning(QuotaExceeded, "it exceeds the namespace's quota", "Pause or delete something first."),
    ),
    (
        r"\binstance not available\b|\bno capacity\b|\bnot available yet\b",
        _Meaning(NoCapacity, "the hardware is not available now", "Choose other hardware."),
    ),
    (
        r"\bis already running\b|^(?:[\w ]+: )?already running\b",
        _Meaning(AlreadyRunning, "it is already running", ""),
    ),
    (_PAUSED.pattern, _Meaning(Paused, "it is paused", "Resume it first.")),
)
"""Phrases of 400 and 409, as the service sent them: "Conflict: Quota exceeded", "… nvidia-h200: available 2, requested
4", "Compute instance not available yet", "Endpoint is already running"."""
_MISSING_NAMESPACE = re.compile(r"(?:^|[:;.] |no such |unknown )namespace ", re.IGNORECASE)
_MISSING_PAYMENT_METHOD = re.compile(r"\bpayment method required\b", re.IGNORECASE)
_MISSING_PERMISSIONS = re.compile(
    r"\bmissing (?:permission|scope)s?:? ((?:[a-z]+(?:\.[a-z]+)+(?:, ?)?){1,8})", re.IGNORECASE
)
""" "missing permissions: inference.endpoints.write"."""


def control_plane_error(action: str, response: ErrorResponse, *, missing_kind: str = "") -> InferenceEndpointError:
    """The error that a response of the control plane means.

    `action` is what was requested, in our words: "create endpoint acme/chat". `missing_kind` is "namespace" where
    nothing else can be missing. The status decides, then the body's `code`, then its text. The text quotes names, and
    a name has no spaces, so only phrases of several words are searched.
    """
    kind, reason, hint = _meaning_of(response, missing_kind)
    retry_after = response.retry_after
    if kind is RateLimited:
        retry_after = DEFAULT_RETRY_AFTER_S if retry_after is None else retry_after
        hint = f"Try again in {retry_after:g} seconds."
    return response.error(kind, f"Could not {action}: {reason}.", hint, retry_after=retry_after)


def _meaning_of(response: ErrorResponse, missing_kind: str) -> _Meaning:
    status, text = response.status, response.text
    if status == 404 and (missing_kind == "namespace" or _MISSING_NAMESPACE.search(text)):
        return _NO_NAMESPACE
    if status == 402 or (status == 403 and _MISSING_PAYMENT_METHOD.search(text)):
        return _NO_PAYMENT_METHOD
    if status == 403 and (missing := _MISSING_PERMISSIONS.search(text)):
        permissions = missing[1].strip(", ")
        return _Meaning(Forbidden, f"the token lacks {permissions}", "Add it to the token, or use another token.")
    if status in {400, 409}:
        return _refused_change(response)
    other = (f"the service answered {status}", "Try again in a moment." if status >= 500 else "Check the request.")
    return _Meaning(response.error_class, *_BY_STATUS.get(status, other))


def _refused_change(response: ErrorResponse) -> _Meaning:
    if response.code != "VALIDATION_FAILED":
        for phrase, meaning in _BY_PHRASE:
            if re.search(phrase, response.text, re.IGNORECASE):
                return meaning
        if response.status == 409:
            return _NAME_EXISTS
    return _NOT_ACCEPTED
