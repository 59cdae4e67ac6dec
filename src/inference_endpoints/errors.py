"""What can go wrong, grouped by what a caller can do about it.

    InferenceEndpointError
    ├── NotConfigured            no token or no backend: configure one
    ├── BadRequest               the request is wrong: change it (also a ValueError)
    ├── Unauthorized             the token is missing or not accepted
    ├── Forbidden                the token has no right to do this
    ├── Refused                  the operator's policy does not allow it
    ├── NotFound                 no such endpoint, namespace or model
    ├── Conflict                 the current state does not allow the request
    │   ├── AlreadyExists        the name already exists
    │   ├── AlreadyRunning       nothing to resume
    │   ├── QuotaExceeded        request less, or free something
    │   └── NoCapacity           this hardware is not available now: choose other hardware
    ├── NotDeployed              no address yet: wait
    ├── Paused                   a person stopped it: resume it
    ├── ScaledToZero             no replica runs, and the call does not allow waking one
    ├── DeploymentFailed         it failed to deploy; `upstream` has the reason
    ├── RateLimited              wait `retry_after` seconds
    ├── Unavailable              the service did not answer properly: try again
    │   └── OutcomeUnknown       a change was sent and its answer was lost: check before you repeat it
    └── InferenceEndpointTimeoutError   not within the given time (also a TimeoutError)

A message says what is true, a `hint` what to do next. Both are our own text. The text of the service is in `upstream`.
It may quote strangers, and is never part of the message.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

LOG_LINES = 20
"""Lines of its log that the error about a failed endpoint keeps."""
LOG_LINE_LIMIT = 300
UPSTREAM_LIMIT = 2_000
"""Characters of the service's text that an error keeps."""


class InferenceEndpointError(Exception):
    """Root of the tree. `code` is stable and machine-readable; `status` is the HTTP status, if any.

    `after_lost_answer`: the answer to an earlier attempt of the same call was lost, and may be the cause.
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

    def add_log_lines(self, lines: Iterable[str]) -> None:
        """Add the container's last log lines to `upstream`. Lines that it already has are left out."""
        known = self.upstream.splitlines()
        self.upstream = "\n".join([*known, *(line[:LOG_LINE_LIMIT] for line in lines if line and line not in known)])


class RateLimited(InferenceEndpointError):
    code = "RATE_LIMITED"
    retryable = True


class Unavailable(InferenceEndpointError):
    code = "UNAVAILABLE"
    retryable = True


class OutcomeUnknown(Unavailable):
    code = "OUTCOME_UNKNOWN"


def describe(error: InferenceEndpointError) -> dict[str, Any]:
    """The error as plain data, without the text of the service."""
    facts: dict[str, Any] = {"code": error.code, "message": error.message, "retryable": error.retryable}
    optional = {
        "hint": error.hint or None,
        "status": error.status,
        "request_id": error.request_id,
        "retry_after_s": error.retry_after,
    }
    return facts | {key: value for key, value in optional.items() if value is not None}
