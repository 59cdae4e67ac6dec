"""Which requests are sent again, until when, and which error is raised in the end."""

import pytest
from tests.inference_endpoints.transport.conftest import ALL, CREATE_CHAT, ONE, READ_CHAT, call, closed_port
from tests.support.service.scripted_upstream import DROPPED, SILENT, TOKEN, Answer, Upstream

from inference_endpoints.errors import BadRequest, InferenceEndpointError, OutcomeUnknown, RateLimited, Unavailable
from inference_endpoints.transport.backend import Backend, local
from inference_endpoints.transport.http import MAX_ANSWER_BYTES, MAX_ATTEMPTS, HttpTransport, Sleep, httpx
from inference_endpoints.transport.operations import CREATE, GET, PAUSE, Request

pytestmark = pytest.mark.anyio


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
