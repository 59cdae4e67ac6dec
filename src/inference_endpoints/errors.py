"""What can go wrong, grouped by what a caller can do about it.

    InferenceEndpointError
    ├── NotConfigured            no token or no backend: configure one
    ├── BadRequest               the request is wrong: change it (also a ValueError)
    ├── Unauthorized             the token is missing or not accepted
    ├── Forbidden                the token has no right to do this
    │   └── PaymentRequired      the namespace has no payment method
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
    ├── InvalidResponse          an endpoint answered in another form than expected: check its task
    ├── Unavailable              the service did not answer properly: try again
    │   └── OutcomeUnknown       a change was sent and its answer was lost: check before you repeat it
    └── InferenceEndpointTimeoutError   not within the given time (also a TimeoutError)

The message states the fact, `hint` the next step; both are our own text. `upstream` holds the service's text, which may
quote strangers and is never part of the message.
"""

import string
from collections.abc import Iterable
from typing import Any, ClassVar

LOG_LINES = 20
"""Lines of its log that the error about a failed endpoint keeps."""
LOG_LINE_LIMIT = 300
UPSTREAM_LIMIT = 2_000
"""Characters of the service's text that an error keeps."""
_WORD = string.ascii_letters + string.digits + "_.+/=~-"


def cut_text(text: str, limit: int) -> str:
    """At most `limit` characters, without a part of a word at the end unless that word is longer than all before it.

    Whoever masks secrets later would not recognize half a token.

    >>> cut_text("bearer hf_0123456789", 15)
    'bearer '
    """
    if len(text) <= limit:
        return text
    kept = text[:limit]
    whole = kept.rstrip(_WORD) if text[limit] in _WORD else kept
    return whole if len(whole) >= limit // 2 else kept


class InferenceEndpointError(Exception):
    """Root of the tree. `code` is stable and machine-readable; `status` is the HTTP status, if any.

    `after_lost_answer`: the answer to an earlier attempt of the same call was lost, and may be the cause.

    >>> try:
    ...     get_inference_endpoint("nothing")
    ... except InferenceEndpointError as error:
    ...     print(error.code, error.status, error.retryable, "|", error.message)
    NOT_FOUND 404 False | Could not get endpoint acme/nothing: it does not exist.
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
        self.upstream = cut_text(upstream, UPSTREAM_LIMIT)
        self.request_id = request_id
        self.retry_after = retry_after
        self.after_lost_answer = False


class InferenceEndpointTimeoutError(InferenceEndpointError, TimeoutError):
    """Something took longer than the given time: wait again, or allow more.

    >>> endpoint = get_inference_endpoint("chat").pause().resume()
    >>> try:
    ...     endpoint.wait(timeout=0)
    ... except InferenceEndpointTimeoutError as error:
    ...     print(error.hint)
    It continues by itself: wait again, or read its logs.
    """

    code = "TIMEOUT"
    retryable = True


class NotConfigured(InferenceEndpointError):
    """There is no token, or no control plane: configure one. Nothing was sent.

    >>> try:
    ...     get_inference_endpoint("chat", token=False)
    ... except NotConfigured as error:
    ...     print(error.code)
    NOT_CONFIGURED
    """

    code = "NOT_CONFIGURED"


class BadRequest(InferenceEndpointError, ValueError):
    """The request is wrong: change it.

    >>> try:
    ...     EndpointChange(min_replica=3, max_replica=1).request()
    ... except BadRequest as error:
    ...     print(error)
    min_replica (3) is above max_replica (1). Raise max_replica.
    """

    code = "BAD_REQUEST"


class Unauthorized(InferenceEndpointError):
    """The token is missing or not accepted.

    >>> try:
    ...     get_inference_endpoint("chat", token="hf_another", namespace="acme")
    ... except Unauthorized as error:
    ...     print(error.status)
    401
    """

    code = "UNAUTHORIZED"


class Forbidden(InferenceEndpointError):
    """The token may not do this: use one with the right permissions.

    >>> for namespace, error in list_inference_endpoints("*").refused.items():
    ...     if isinstance(error, Forbidden):
    ...         print(namespace, error.hint)
    """

    code = "FORBIDDEN"


ADD_PAYMENT_METHOD = "A person adds one at https://endpoints.huggingface.co."
"""The hint where a payment method is missing."""


class PaymentRequired(Forbidden):
    """The namespace has no payment method for Inference Endpoints: a person adds one. Another token does not help.

    >>> issubclass(PaymentRequired, Forbidden)
    True
    """

    code = "PAYMENT_REQUIRED"


class Refused(InferenceEndpointError):
    """The operator's policy does not allow the request, so it was not sent. A `guard` raises this.

    >>> Refused("This server is read-only.").code
    'REFUSED'
    """

    code = "REFUSED"


class NotFound(InferenceEndpointError):
    """There is no such endpoint, namespace or model.

    >>> try:
    ...     get_inference_endpoint("nothing")
    ... except NotFound as error:
    ...     print(error.status)
    404
    """

    code = "NOT_FOUND"


class Conflict(InferenceEndpointError):
    """The request is right, but the present state does not allow it. The subclasses name the reason.

    >>> try:
    ...     get_inference_endpoint("chat").resume(running_ok=False)
    ... except Conflict as error:
    ...     print(type(error).__name__)
    AlreadyRunning
    """

    code = "CONFLICT"


class AlreadyExists(Conflict):
    """The name is taken: choose another one, or update the endpoint.

    >>> client = EndpointsClient()
    >>> chat = client.get("chat")
    >>> try:
    ...     client.create(CreateRequest.model_validate(chat.configuration))
    ... except AlreadyExists as error:
    ...     print(error.code)
    ALREADY_EXISTS
    """

    code = "ALREADY_EXISTS"


class AlreadyRunning(Conflict):
    """The endpoint runs already, so there is nothing to resume.

    >>> try:
    ...     get_inference_endpoint("chat").resume(running_ok=False)
    ... except AlreadyRunning as error:
    ...     print(error.code)
    ALREADY_RUNNING
    """

    code = "ALREADY_RUNNING"


class QuotaExceeded(Conflict):
    """The namespace's quota does not allow it: use less, or pause something.

    >>> try:
    ...     get_inference_endpoint("chat").update(min_replica=99, max_replica=99)
    ... except QuotaExceeded as error:
    ...     print(error.code)
    QUOTA_EXCEEDED
    """

    code = "QUOTA_EXCEEDED"


class NoCapacity(Conflict):
    """This hardware is not available now: use other hardware.

    >>> from inference_endpoints.deploy.offers import choose_default_hardware
    >>> try:
    ...     choose_default_hardware([])
    ... except NoCapacity as error:
    ...     print(error.code)
    NO_CAPACITY
    """

    code = "NO_CAPACITY"


class NotDeployed(InferenceEndpointError):
    """The endpoint has no address yet: wait for it.

    >>> raw = get_inference_endpoint("chat").raw
    >>> raw["status"] |= {"state": "pending", "url": None}
    >>> try:
    ...     InferenceEndpoint.from_raw(raw, "acme").client
    ... except NotDeployed as error:
    ...     print(error.message)
    Endpoint acme/chat has no address to call: it is pending.
    """

    code = "NOT_DEPLOYED"
    retryable = True


class Paused(InferenceEndpointError):
    """A person paused the endpoint: resume it.

    >>> try:
    ...     get_inference_endpoint("chat").pause().wait()
    ... except Paused as error:
    ...     print(error.hint)
    Resume it first.
    """

    code = "PAUSED"


class ScaledToZero(InferenceEndpointError):
    """The endpoint is scaled to zero, and the call was not allowed to wake it.

    >>> try:
    ...     get_inference_endpoint("chat").scale_to_zero().wait()
    ... except ScaledToZero as error:
    ...     print(error.hint)
    Resume it first.
    """

    code = "SCALED_TO_ZERO"


class DeploymentFailed(InferenceEndpointError):
    """The endpoint failed to start. `upstream` has the text of the service and the last log lines.

    >>> try:
    ...     get_inference_endpoint("broken").wait()
    ... except DeploymentFailed as error:
    ...     print(error.upstream.splitlines()[0])
    CUDA out of memory. Tried to allocate 2.00 GiB
    """

    code = "FAILED"

    def add_log_lines(self, lines: Iterable[str]) -> None:
        """Add the container's last log lines to `upstream`, each once: every attempt to start prints the same.

        >>> failure = DeploymentFailed("It failed to start.", upstream="Exit code 1")
        >>> failure.add_log_lines(["Exit code 1", "Out of memory"])
        >>> failure.upstream
        'Exit code 1\\nOut of memory'
        """
        known = self.upstream.splitlines()
        self.upstream = "\n".join(
            [*known, *dict.fromkeys(cut_text(line, LOG_LINE_LIMIT) for line in lines if line and line not in known)]
        )


class RateLimited(InferenceEndpointError):
    """There were too many requests: wait `retry_after` seconds.

    >>> RateLimited("Too many requests.", retry_after=30).retry_after
    30
    """

    code = "RATE_LIMITED"
    retryable = True


class InvalidResponse(InferenceEndpointError):
    """An endpoint did what it was asked, and its answer cannot be read: another attempt would not help.

    >>> InvalidResponse.retryable
    False
    """

    code = "INVALID_RESPONSE"


class Unavailable(InferenceEndpointError):
    """The service did not answer, or not properly, after all attempts: try again later.

    >>> Unavailable.retryable
    True
    """

    code = "UNAVAILABLE"
    retryable = True


class OutcomeUnknown(Unavailable):
    """A change was sent and its answer was lost: read the endpoint before you repeat it.

    >>> issubclass(OutcomeUnknown, Unavailable)
    True
    """

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
