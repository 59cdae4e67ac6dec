"""The two sends: what is retried, who sees the token, and what is never sent at all."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.inference_endpoints.conftest import Sleep
from tests.support.scripted_upstream import DROPPED, SILENT, TOKEN, Answer, Upstream

from inference_endpoints.errors import (
    AlreadyExists,
    AlreadyRunning,
    BadRequest,
    Forbidden,
    InferenceEndpointError,
    InferenceEndpointTimeoutError,
    NoCapacity,
    NotConfigured,
    NotDeployed,
    NotFound,
    OutcomeUnknown,
    Paused,
    QuotaExceeded,
    RateLimited,
    Refused,
    Unauthorized,
    Unavailable,
)
from inference_endpoints.models import CreateRequest, Endpoint
from inference_endpoints.transport import operations
from inference_endpoints.transport.backend import Backend, hugging_face, local
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.http import MAX_ANSWER_BYTES, MAX_ATTEMPTS, HttpTransport, httpx
from inference_endpoints.transport.operations import CREATE, GET, PAUSE, Request
from inference_endpoints.transport.token import hugging_face_token

pytestmark = pytest.mark.anyio

ONE = "/v2/endpoint/acme/chat"
ALL = "/v2/endpoint/acme"
READ_CHAT = GET.build(namespace="acme", name="chat")
CREATION = CreateRequest.model_validate({"name": "chat", "provider": {"vendor": "aws", "region": "us-east-1"}})
CREATE_CHAT = CREATE.build(namespace="acme", body=CREATION)


def call(upstream: Upstream, path: str = "/", timeout: float = 5.0) -> EndpointCall:
    endpoint = Endpoint.model_validate(upstream.endpoint("running"))
    return EndpointCall(endpoint, "acme", path, body={"inputs": "hi"}, timeout=timeout)


def closed_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


class Recorder:
    """A guard that records every action, and refuses it if `refusing`."""

    def __init__(self, refusing: bool = False) -> None:
        self.actions: list[str] = []
        self._refusing = refusing

    @asynccontextmanager
    async def guard_request(self, request: Request) -> AsyncIterator[None]:
        self._record(request.action)
        yield

    @asynccontextmanager
    async def guard_call(self, call: EndpointCall) -> AsyncIterator[None]:
        self._record(call.action)
        yield

    def _record(self, action: str) -> None:
        self.actions.append(action)
        if self._refusing:
            raise Refused("The operator does not allow it.")


@pytest.mark.parametrize("failure", [DROPPED, Answer(503, b"busy"), Answer(200, b"{", {"content-type": "text/json"})])
async def test_a_read_is_retried_after_a_temporary_failure(
    upstream: Upstream, http: HttpTransport, slept: list[float], failure: Answer
) -> None:
    upstream.answers("GET", ONE, failure, failure, Answer(body=upstream.endpoint("running")))
    assert (await http.send(READ_CHAT, GET)).state == "running"
    assert len(upstream.seen) == 3
    assert len(slept) == 2


async def test_a_read_that_keeps_failing_raises_after_the_last_attempt(upstream: Upstream, http: HttpTransport) -> None:
    upstream.answers("GET", ONE, Answer(500, {"error": "boom"}))
    with pytest.raises(Unavailable) as caught:
        await http.send(READ_CHAT, GET)
    assert len(upstream.seen) == MAX_ATTEMPTS
    assert caught.value.upstream == "boom"
    assert "boom" not in str(caught.value)


@pytest.mark.parametrize("failure", [DROPPED, Answer(500, {"error": "boom"}), Answer(503, b"busy")])
async def test_a_create_whose_answer_is_lost_is_sent_once(
    upstream: Upstream, http: HttpTransport, failure: Answer
) -> None:
    upstream.answers("POST", ALL, failure)
    with pytest.raises(OutcomeUnknown):
        await http.send(CREATE_CHAT, CREATE)
    assert len(upstream.seen) == 1


async def test_a_refused_request_is_not_retried(upstream: Upstream, http: HttpTransport) -> None:
    upstream.answers("GET", ONE, Answer(422, {"error": "no"}))
    with pytest.raises(BadRequest):
        await http.send(READ_CHAT, GET)
    assert len(upstream.seen) == 1


async def test_a_rate_limit_is_waited_out_for_as_long_as_retry_after(
    upstream: Upstream, http: HttpTransport, slept: list[float]
) -> None:
    upstream.answers(
        "POST", ALL, Answer(429, {"error": "slow"}, {"retry-after": "2"}), Answer(body=upstream.endpoint("pending"))
    )
    assert (await http.send(CREATE_CHAT, CREATE)).name == "chat"
    assert slept == [2.0]


async def test_a_rate_limit_longer_than_the_deadline_is_raised_at_once(
    upstream: Upstream, backend: Backend, sleep: Sleep, slept: list[float]
) -> None:
    upstream.answers("POST", ALL, Answer(429, {"error": "slow"}, {"retry-after": "8"}))
    http = HttpTransport(backend, sleep=sleep, deadline=5.0)
    with pytest.raises(RateLimited) as caught:
        await http.send(CREATE_CHAT, CREATE)
    await http.aclose()
    assert caught.value.retry_after == 8.0
    assert slept == []


async def test_where_nothing_listens_even_a_create_is_retried_and_nothing_was_sent(
    sleep: Sleep, slept: list[float]
) -> None:
    http = HttpTransport(local(closed_port(), TOKEN), sleep=sleep)
    with pytest.raises(Unavailable, match="nothing was sent") as caught:
        await http.send(CREATE_CHAT, CREATE)
    await http.aclose()
    assert not isinstance(caught.value, OutcomeUnknown)
    assert len(slept) == MAX_ATTEMPTS - 1


class Vanishing(httpx.AsyncBaseTransport):
    """A control plane that reads the first request and dies; then nothing listens."""

    def __init__(self) -> None:
        self.attempts = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.attempts += 1
        if self.attempts == 1:
            raise httpx.ReadError("the connection was closed")
        raise httpx.ConnectError("refused")


async def test_after_a_lost_answer_no_error_claims_that_nothing_was_sent(sleep: Sleep) -> None:
    for operation, kind in ((PAUSE, OutcomeUnknown), (GET, Unavailable)):
        transport = Vanishing()
        http = HttpTransport(local("http://127.0.0.1:1", TOKEN), sleep=sleep, transport=transport)
        with pytest.raises(kind) as caught:
            await http.send(operation.build(namespace="acme", name="chat"), operation)
        await http.aclose()
        assert transport.attempts == MAX_ATTEMPTS
        assert type(caught.value) is kind
        assert "nothing was sent" not in str(caught.value)


async def test_a_change_whose_answers_are_lost_has_an_unknown_outcome(upstream: Upstream, http: HttpTransport) -> None:
    upstream.answers("POST", f"{ONE}/pause", DROPPED)
    with pytest.raises(OutcomeUnknown, match="may or may not have taken effect") as caught:
        await http.send(PAUSE.build(namespace="acme", name="chat"), PAUSE)
    assert len(upstream.seen) == MAX_ATTEMPTS
    assert "doing it twice does no harm" in caught.value.hint


async def test_a_backend_that_has_ended_is_reconnected_and_the_request_retried(
    upstream: Upstream, backend: Backend, sleep: Sleep
) -> None:
    ended = local(closed_port(), TOKEN)
    reconnected: list[Backend] = []

    async def reconnect(old: Backend) -> Backend:
        reconnected.append(old)
        return backend

    upstream.answers("POST", ALL, Answer(body=upstream.endpoint("pending")))
    http = HttpTransport(ended, sleep=sleep, reconnect=reconnect)
    assert (await http.send(CREATE_CHAT, CREATE)).name == "chat"
    await http.aclose()
    assert reconnected == [ended]
    assert http.backend is backend


@pytest.mark.parametrize(("request_", "error"), [(READ_CHAT, Unavailable), (CREATE_CHAT, OutcomeUnknown)])
async def test_a_silent_control_plane_times_out_at_the_deadline(
    upstream: Upstream, backend: Backend, request_: Request, error: type[InferenceEndpointError]
) -> None:
    upstream.answers("GET", ONE, SILENT)
    upstream.answers("POST", ALL, SILENT)
    http = HttpTransport(backend, deadline=0.2)
    with pytest.raises(error) as caught:
        await http.send(request_, request_.operation)
    await http.aclose()
    assert type(caught.value) is error


async def test_an_answer_that_is_too_large_is_refused_and_not_retried(upstream: Upstream, http: HttpTransport) -> None:
    upstream.answers("GET", ONE, Answer(200, b" " * (MAX_ANSWER_BYTES + 1)))
    with pytest.raises(BadRequest, match="larger than 16 MiB"):
        await http.send(READ_CHAT, GET)
    assert len(upstream.seen) == 1


async def test_an_error_body_is_read_only_up_to_its_limit(upstream: Upstream, http: HttpTransport) -> None:
    upstream.answers("GET", ONE, Answer(404, b"x" * 1_000_000, {"content-type": "text/plain"}))
    with pytest.raises(InferenceEndpointError) as caught:
        await http.send(READ_CHAT, GET)
    assert caught.value.upstream == "x" * 2_000


async def test_an_answer_in_a_broken_encoding_is_an_error_of_the_tree(upstream: Upstream, http: HttpTransport) -> None:
    broken = Answer(200, b"not gzip", {"content-encoding": "gzip", "content-type": "application/json"})
    upstream.answers("GET", ONE, broken)
    upstream.serves("/", broken)
    with pytest.raises(Unavailable):
        await http.send(READ_CHAT, GET)
    with pytest.raises(Unavailable):
        async with http.call_endpoint(call(upstream)) as response:
            await response.aread()


async def test_without_a_token_nothing_is_sent(upstream: Upstream, backend: Backend) -> None:
    with pytest.raises(NotConfigured):
        await HttpTransport(replace(backend, token=None)).send(READ_CHAT, GET)
    assert upstream.seen == []


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        ("${HF_TOKEN}", "placeholder"),
        ("%HF_TOKEN%", "placeholder"),
        ("<your token>", "placeholder"),
        ("hf_one hf_two", "a space or a line break"),
        ("hf_one\nhf_two", "a space or a line break"),
        ("hf_tökén", "a character that no token has"),
        ("'hf_quoted'", "a character that no token has"),
        ("", "empty"),
        (" ", "empty"),
    ],
)
async def test_a_malformed_token_is_not_sent_and_not_shown(
    upstream: Upstream, backend: Backend, token: str, problem: str
) -> None:
    guard = Recorder()
    http = HttpTransport(replace(backend, token=token), guard=guard)
    with pytest.raises(Unauthorized, match=problem) as caught:
        await http.send(READ_CHAT, GET)
    with pytest.raises(Unauthorized, match=problem):
        async with http.call_endpoint(call(upstream)):
            pass
    assert upstream.seen == []
    assert guard.actions == ["call endpoint acme/chat"]
    assert not token.strip() or token not in str(caught.value)


async def test_white_space_around_a_token_is_removed(upstream: Upstream, backend: Backend) -> None:
    upstream.shows("running")
    async with AsyncExitStack() as stack:
        http = HttpTransport(replace(backend, token=f" {TOKEN}\n"))
        stack.push_async_callback(http.aclose)
        await http.send(READ_CHAT, GET)
    assert upstream.seen[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(("variable", "source"), [("${HF_TOKEN}", "in HF_TOKEN"), ("", "that `hf auth login` saved")])
async def test_a_malformed_token_is_reported_with_its_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, source: str
) -> None:
    saved = tmp_path / "token"
    saved.write_bytes(b"hf_\xff")
    monkeypatch.setenv("HF_TOKEN", variable)
    monkeypatch.setenv("HF_TOKEN_PATH", str(saved))
    with pytest.raises(Unauthorized, match=f"The token {source} is malformed"):
        await HttpTransport(hugging_face(hugging_face_token())).send(READ_CHAT, GET)


async def test_no_certificate_authorities_are_read_for_plain_http(
    monkeypatch: pytest.MonkeyPatch, upstream: Upstream, backend: Backend
) -> None:
    upstream.shows("running")
    monkeypatch.setattr("httpcore2.default_ssl_context", lambda **_: pytest.fail("certificates were read"))
    http = HttpTransport(backend)
    await http.send(READ_CHAT, GET)
    await http.aclose()


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
async def test_a_refusal_reads_like_a_sentence_and_says_what_is_missing(
    upstream: Upstream, http: HttpTransport, request_: Request, answer: Answer, what: str
) -> None:
    upstream.answers(request_.operation.method, f"/v2{request_.path}", answer)
    with pytest.raises(InferenceEndpointError) as caught:
        await http.send(request_, request_.operation)
    assert str(caught.value).startswith(f"Could not {what}")


async def test_the_guard_sees_every_request_before_it_is_sent(upstream: Upstream, backend: Backend) -> None:
    upstream.shows("running")
    upstream.serves("/", Answer(body=[]))
    guard = Recorder()
    http = HttpTransport(backend, guard=guard)
    await http.send(READ_CHAT, GET)
    async with http.call_endpoint(call(upstream)):
        pass
    await http.aclose()
    assert guard.actions == ["get endpoint acme/chat", "call endpoint acme/chat"]


async def test_what_the_guard_refuses_is_not_sent(upstream: Upstream, backend: Backend) -> None:
    http = HttpTransport(backend, guard=Recorder(refusing=True))
    with pytest.raises(Refused):
        await http.send(CREATE_CHAT, CREATE)
    with pytest.raises(Refused):
        async with http.call_endpoint(call(upstream)):
            pass
    assert upstream.seen == []


async def test_the_token_goes_to_the_control_plane_and_to_trusted_endpoints(
    upstream: Upstream, http: HttpTransport
) -> None:
    upstream.shows("running")
    await http.send(READ_CHAT, GET)
    async with http.call_endpoint(call(upstream)):
        pass
    assert [seen.headers["authorization"] for seen in upstream.seen] == [f"Bearer {TOKEN}"] * 2


async def test_an_untrusted_address_is_called_without_the_token(upstream: Upstream, foreign: Backend) -> None:
    http = HttpTransport(foreign)
    async with http.call_endpoint(call(upstream)) as response:
        assert response.status_code == 404
    await http.aclose()
    assert "authorization" not in upstream.seen[0].headers
    assert TOKEN not in str(upstream.seen[0])


@pytest.mark.parametrize(
    "url",
    [
        "http://x.endpoints.huggingface.cloud",
        "https://endpoints.huggingface.cloud.evil.example",
        "https://evilendpoints.huggingface.cloud",
        "https://x.endpoints.huggingface.cloud@evil.example",
        "https://evil.example/.endpoints.huggingface.cloud",
        "https://evil.example?.endpoints.huggingface.cloud",
        "https://user@x.endpoints.huggingface.cloud",
        "https://",
    ],
)
def test_an_address_that_only_resembles_the_services_is_not_trusted(url: str) -> None:
    assert not hugging_face(TOKEN).trusts(url)


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://llm.acme.example", True),
        ("https://x.gpu.acme.example/v1", True),
        ("https://gpu.acme.example", False),
        ("https://evilgpu.acme.example", False),
        ("https://x.llm.acme.example", False),
        ("http://llm.acme.example", False),
        ("https://llm.acme.example.evil.example", False),
    ],
)
def test_only_the_exact_hosts_of_the_operator_are_trusted(url: str, trusted: bool) -> None:
    assert hugging_face(TOKEN, ("llm.acme.example", ".gpu.acme.example")).trusts(url) is trusted


@pytest.mark.parametrize(
    "url",
    [
        "https://vksrvs8pc1xnifhq.us-east-1.aws.endpoints.huggingface.cloud",
        "https://68a0f3b5c6ee5c9dcc0e0a01.endpoints.huggingface.cloud",
    ],
)
def test_both_forms_of_the_services_addresses_are_trusted(url: str) -> None:
    assert hugging_face(TOKEN).trusts(url)


@pytest.mark.parametrize(
    "path",
    [
        "@evil.example/",
        ".evil.example/",
        "/../../v2/endpoint/acme/chat/pause",
        "/%2e%2e/v2",
        "/%3f/../../v2",
        "/a\\..\\v2",
    ],
)
async def test_no_path_leads_out_of_the_endpoint(upstream: Upstream, http: HttpTransport, path: str) -> None:
    with pytest.raises(BadRequest, match="leads out"):
        async with http.call_endpoint(call(upstream, path)):
            pass
    assert upstream.seen == []


async def test_a_redirect_is_not_followed(upstream: Upstream, http: HttpTransport) -> None:
    away = Answer(307, b"", {"location": f"{upstream.url}/elsewhere"})
    upstream.answers("GET", ONE, away)
    upstream.serves("/", away)
    with pytest.raises(BadRequest):
        await http.send(READ_CHAT, GET)
    async with http.call_endpoint(call(upstream)) as response:
        assert response.status_code == 307
    assert "/elsewhere" not in [seen.path for seen in upstream.seen]


async def test_a_silent_endpoint_times_out(upstream: Upstream, http: HttpTransport) -> None:
    upstream.serves("/", SILENT)
    with pytest.raises(InferenceEndpointTimeoutError):
        async with http.call_endpoint(call(upstream, timeout=0.1)):
            pass


async def test_an_endpoint_that_drops_the_call_or_breaks_off_is_unavailable(
    upstream: Upstream, http: HttpTransport
) -> None:
    upstream.serves("/", DROPPED, Answer(parts=[b"half"], ends=False))
    with pytest.raises(Unavailable, match="cannot be reached"):
        async with http.call_endpoint(call(upstream)):
            pass
    with pytest.raises(Unavailable, match="broke off"):
        async with http.call_endpoint(call(upstream)) as response:
            await response.aread()
    assert len(upstream.seen) == 2


async def test_an_endpoint_without_an_address_is_not_deployed(upstream: Upstream, http: HttpTransport) -> None:
    endpoint = Endpoint.model_validate(upstream.endpoint("pending", url=None))
    with pytest.raises(NotDeployed):
        async with http.call_endpoint(EndpointCall(endpoint, "acme")):
            pass


@pytest.mark.parametrize("url", ["http://[::1", "https://[chat].endpoints.huggingface.cloud", "http://chat:port", "//"])
async def test_an_endpoint_with_an_invalid_address_is_unavailable(
    upstream: Upstream, http: HttpTransport, url: str
) -> None:
    endpoint = Endpoint.model_validate(upstream.endpoint("running", url=url))
    with pytest.raises(Unavailable):
        async with http.call_endpoint(EndpointCall(endpoint, "acme")):
            pass


@pytest.mark.parametrize("show", [repr, str])
def test_the_token_is_never_shown(show: Callable[[object], str]) -> None:
    backend = hugging_face(TOKEN)
    assert TOKEN not in show(backend)
    assert TOKEN not in show(HttpTransport(backend))


@pytest.mark.parametrize("name", ["..", "a/b", "", "a?b", "a%2fb", "-a", "a" * 97])
def test_a_name_cannot_leave_its_place_in_a_path(name: str) -> None:
    with pytest.raises(BadRequest):
        operations.GET.build(namespace="acme", name=name)


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
        (403, {"error": "Forbidden: Payment method required for namespace: acme", "code": "FORBIDDEN"}, Forbidden),
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
    with pytest.raises(Forbidden, match="no payment method"):
        await http.send(CREATE_CHAT, CREATE)
