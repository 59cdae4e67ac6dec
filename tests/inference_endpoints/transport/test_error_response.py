"""The class and the text of the error for a refused request."""

import pytest
from tests.inference_endpoints.transport.conftest import ALL, CREATE_CHAT, ONE, READ_CHAT
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.errors import (
    AlreadyExists,
    AlreadyRunning,
    BadRequest,
    InferenceEndpointError,
    NoCapacity,
    NotFound,
    Paused,
    PaymentRequired,
    QuotaExceeded,
)
from inference_endpoints.transport import operations
from inference_endpoints.transport.http import HttpTransport
from inference_endpoints.transport.operations import CREATE, GET, Request

pytestmark = pytest.mark.anyio


TO_ZERO = operations.SCALE_TO_ZERO.build(namespace="acme", name="chat")
LIST_ALL = operations.LIST.build(namespace="acme")
NO_NAMESPACE = "there is no such namespace. Use your own, or one of your organizations: whoami shows their names."


@pytest.mark.parametrize(
    ("request_", "answer", "what"),
    [
        (
            TO_ZERO,
            Answer(404, {"error": "Not found"}),
            "scale endpoint acme/chat to zero: it does not exist. Check the ",
        ),
        (TO_ZERO, Answer(404, {"error": "namespace acme"}), f"scale endpoint acme/chat to zero: {NO_NAMESPACE}"),
        (LIST_ALL, Answer(404, b""), f"list the endpoints of acme: {NO_NAMESPACE}"),
        (READ_CHAT, Answer(422, b""), "get endpoint acme/chat: the request is not valid. No reason was given."),
        (
            READ_CHAT,
            Answer(400, {"error": "no"}),
            "get endpoint acme/chat: the request was not accepted. The reason",
        ),
    ],
)
async def test_a_refusal_is_a_sentence_that_names_what_is_missing(
    upstream: Upstream, http: HttpTransport, request_: Request, answer: Answer, what: str
) -> None:
    upstream.answers(request_.operation.method, f"/v2{request_.path}", answer)
    with pytest.raises(InferenceEndpointError) as caught:
        await http.send(request_, request_.operation)
    assert str(caught.value).startswith(f"Could not {what}")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (409, {"error": "Conflict: endpoint quota-bot already exists"}, AlreadyExists),
        (409, {"error": "Conflict: endpoint 'no-capacity' already exists"}, AlreadyExists),
        (400, {"error": "Bad Request: endpoint acme/quota is not one to resume"}, BadRequest),
        (404, {"error": "Not Found: endpoint acme/namespace-svc not found"}, NotFound),
        (409, {"error": "Conflict: Quota exceeded"}, QuotaExceeded),
        (409, {"error": "Conflict: nvidia-h200: available 2, requested 4"}, QuotaExceeded),
        (400, {"error": "Bad Request: Compute instance not available yet"}, NoCapacity),
        (400, {"error": "Endpoint is already running"}, AlreadyRunning),
        (400, {"error": "Bad Request: The endpoint is paused, ask a maintainer to restart it"}, Paused),
        (400, {"error": "Quota exceeded is no task", "code": "VALIDATION_FAILED"}, BadRequest),
        (
            403,
            {"error": "Forbidden: Payment method required for namespace: acme", "code": "FORBIDDEN"},
            PaymentRequired,
        ),
    ],
)
async def test_an_error_is_classified_by_what_is_refused_and_never_by_a_name_that_is_quoted(
    upstream: Upstream, http: HttpTransport, status: int, body: dict[str, str], kind: type[InferenceEndpointError]
) -> None:
    upstream.answers("POST", ALL, Answer(status, body))
    with pytest.raises(InferenceEndpointError) as caught:
        await http.send(CREATE_CHAT, CREATE)
    assert type(caught.value) is kind


async def test_a_missing_endpoint_named_after_a_namespace_is_no_missing_namespace(
    upstream: Upstream, http: HttpTransport
) -> None:
    upstream.answers("GET", ONE, Answer(404, {"error": "Not Found: endpoint acme/namespace-svc not found"}))
    with pytest.raises(NotFound, match="it does not exist"):
        await http.send(READ_CHAT, GET)


async def test_a_missing_payment_method_is_not_reported_as_a_missing_scope(
    upstream: Upstream, http: HttpTransport
) -> None:
    body = {"error": "Forbidden: Payment method required for namespace: acme", "code": "FORBIDDEN"}
    upstream.answers("POST", ALL, Answer(403, body))
    with pytest.raises(PaymentRequired, match="no payment method"):
        await http.send(CREATE_CHAT, CREATE)
