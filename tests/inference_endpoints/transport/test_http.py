"""What may be sent: calls of endpoints, the guard, redirects and addresses."""

import pytest
from tests.inference_endpoints.transport.conftest import CREATE_CHAT, ONE, READ_CHAT, Recorder, call
from tests.support.service.scripted_upstream import DROPPED, SILENT, Answer, Upstream

from inference_endpoints.errors import BadRequest, InferenceEndpointTimeoutError, NotDeployed, Refused, Unavailable
from inference_endpoints.models import Endpoint
from inference_endpoints.transport import operations
from inference_endpoints.transport.backend import Backend
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.http import HttpTransport
from inference_endpoints.transport.operations import CREATE, GET

pytestmark = pytest.mark.anyio


async def test_no_certificate_authorities_are_read_for_plain_http(
    monkeypatch: pytest.MonkeyPatch, upstream: Upstream, backend: Backend
) -> None:
    upstream.shows("running")
    monkeypatch.setattr("httpcore2.default_ssl_context", lambda **_: pytest.fail("certificates were read"))
    http = HttpTransport(backend)
    await http.send(READ_CHAT, GET)
    await http.aclose()


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


async def test_a_request_that_the_guard_refuses_is_not_sent(upstream: Upstream, backend: Backend) -> None:
    http = HttpTransport(backend, guard=Recorder(refusing=True))
    with pytest.raises(Refused):
        await http.send(CREATE_CHAT, CREATE)
    with pytest.raises(Refused):
        async with http.call_endpoint(call(upstream)):
            pass
    assert upstream.seen == []


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
    upstream.serves("/", DROPPED, Answer(parts=[b"half"], end="broken"))
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


@pytest.mark.parametrize("name", ["..", "a/b", "", "a?b", "a%2fb", "-a", "a" * 97])
def test_a_name_cannot_leave_its_place_in_a_path(name: str) -> None:
    with pytest.raises(BadRequest):
        operations.GET.build(namespace="acme", name=name)
