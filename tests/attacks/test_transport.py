"""Attacks on what is sent and received: answers that have no end or no floor, and addresses for the token."""

import json
from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.inference_endpoints.transport.conftest import ALL, CREATION, ONE, call
from tests.support.hosts.host import serving, text_of
from tests.support.planes.plane_driver import cloud
from tests.support.service.captures import CAPTURES
from tests.support.service.scripted_upstream import TOKEN, Answer, Upstream

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import (
    BadRequest,
    InvalidResponse,
    NotConfigured,
    OutcomeUnknown,
    PaymentRequired,
    Unavailable,
)
from inference_endpoints.inference.async_inference import AsyncInference
from inference_endpoints.models import UpdateRequest
from inference_endpoints.transport.backend import Backend, default_backend, local
from inference_endpoints.transport.http import HttpTransport
from inference_endpoints_mcp.server.application import ServerOptions

pytestmark = pytest.mark.anyio

JSON = {"content-type": "application/json"}
BOTTOMLESS = b"[" * 100_000 + b"]" * 100_000


def page(upstream: Upstream, cursor: str) -> Answer:
    return Answer(body={"items": [upstream.endpoint("running")], "nextCursor": cursor})


@pytest.mark.parametrize("cursors", [["a", "a"], ["a", "b", "a"], ["a", "b", "c", "b"]])
async def test_pages_whose_cursors_go_in_a_circle_end_with_an_error(
    upstream: Upstream, endpoints: AsyncEndpointsClient, cursors: list[str]
) -> None:
    upstream.answers("GET", ALL, *(page(upstream, cursor) for cursor in cursors))
    with pytest.raises(Unavailable, match="have no end"):
        await endpoints.list()
    assert len(upstream.seen) == len(cursors)


async def test_pages_whose_cursors_are_always_new_end_with_an_error(
    upstream: Upstream, endpoints: AsyncEndpointsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference_endpoints.clients.client.MAX_PAGES", 3)
    upstream.answers("GET", ALL, *(page(upstream, str(number)) for number in range(9)))
    with pytest.raises(Unavailable, match="have no end"):
        await endpoints.list()
    assert len(upstream.seen) == 3


async def test_pages_of_logs_whose_cursors_go_in_a_circle_are_read_once(
    upstream: Upstream, endpoints: AsyncEndpointsClient
) -> None:
    def logs(cursor: str) -> Answer:
        entry = {"timestamp": "2026-11-26T10:00:00Z", "line": f"before {cursor}"}
        return Answer(body=[entry], headers={"link": f'<{upstream.url}/v3/logs?before={cursor}>; rel="prev"'})

    upstream.answers("GET", "/v3/endpoint/acme/chat/logs", logs("a"), logs("b"), logs("a"), logs("b"))
    assert len(await endpoints.logs("chat", tail=500)) == 3


async def test_an_answer_without_a_floor_is_an_error_of_the_service(
    upstream: Upstream, endpoints: AsyncEndpointsClient
) -> None:
    upstream.answers("GET", ONE, Answer(body=BOTTOMLESS, headers=JSON))
    with pytest.raises(Unavailable, match="not valid JSON"):
        await endpoints.get("chat")


async def test_an_error_without_a_floor_keeps_the_meaning_of_its_status(
    upstream: Upstream, endpoints: AsyncEndpointsClient
) -> None:
    upstream.answers("GET", ONE, Answer(402, BOTTOMLESS, headers=JSON))
    with pytest.raises(PaymentRequired):
        await endpoints.get("chat")


async def test_an_endpoint_that_answers_without_a_floor_gave_no_valid_response(
    upstream: Upstream, endpoints: AsyncEndpointsClient
) -> None:
    upstream.shows("running")
    upstream.serves("/", Answer(body=BOTTOMLESS, headers=JSON))
    response = await AsyncInference(endpoints).call("chat", "acme", body={"inputs": "hi"})
    with pytest.raises(InvalidResponse, match="not JSON"):
        response.json()


@pytest.mark.parametrize("answer", [BOTTOMLESS, b"{", b'{"name": []}', b" " * (16 * 1024 * 1024 + 1)])
async def test_an_unreadable_answer_to_a_change_is_looked_up_as_a_lost_one(
    upstream: Upstream, endpoints: AsyncEndpointsClient, answer: bytes
) -> None:
    unreadable = Answer(body=answer, headers=JSON)
    upstream.answers("POST", ALL, unreadable)
    upstream.answers("GET", ONE, Answer(body=upstream.endpoint("running") | cloud("chat")))
    assert (await endpoints.create(CREATION)).name == "chat"
    assert [seen.method for seen in upstream.seen] == ["POST", "GET"]
    upstream.answers("PUT", ONE, unreadable)
    with pytest.raises(OutcomeUnknown, match="accepted the request to update"):
        await endpoints.update("chat", UpdateRequest())


@pytest.mark.parametrize(
    "path",
    ["%2F@evil.example/v1", "%2f%2fevil.example", "%5C@evil.example/", "@evil.example", ":8080@evil.example/"],
)
async def test_no_path_that_a_caller_chooses_leads_to_another_host(
    upstream: Upstream, http: HttpTransport, endpoints: AsyncEndpointsClient, path: str
) -> None:
    with pytest.raises(BadRequest, match="leads out"):
        async with http.call_endpoint(call(upstream, path)):
            pass
    assert upstream.seen == []


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.7:8080",
        "http://plane.example",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example:80",
        "http://127.0.0.1@evil.example",
        "https://robot:secret@plane.example",
        "http://127.0.0.1:99999",
        "ftp://127.0.0.1",
        "//127.0.0.1",
        "http://[::1",
        "https://plane.example?x=",
    ],
)
def test_the_token_goes_to_no_address_where_others_could_read_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFERENCE_ENDPOINTS_URL", url)
    monkeypatch.setenv("INFERENCE_ENDPOINTS_TOKEN", TOKEN)
    with pytest.raises(NotConfigured, match="nothing was sent") as caught:
        default_backend()
    assert "secret" not in str(caught.value)
    with pytest.raises(NotConfigured, match="nothing was sent"):
        local(url, TOKEN)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost", "https://plane.example"]
)
def test_the_token_goes_to_this_machine_and_over_tls(url: str) -> None:
    assert local(url, TOKEN).token == TOKEN


DEEP: Any = json.loads("[" * 190 + "1" + "]" * 190)


async def test_what_is_nested_as_deeply_as_it_may_be_never_crashes_a_tool(upstream: Upstream, backend: Backend) -> None:
    document = upstream.endpoint("running") | {"unknown": DEEP}
    document["model"] |= {"image": {"custom": {"url": "registry.example/engine:1", "unknown": DEEP}}}
    document["status"] |= {"unknown": DEEP}
    upstream.answers("GET", ONE, Answer(body=document))
    upstream.answers("GET", ALL, Answer(body={"items": [document]}))
    upstream.answers("GET", "/v2/provider/acme", Answer(body=json.loads((CAPTURES / "vendors.json").read_text())))
    upstream.serves("/", Answer(body=DEEP), Answer(422, {"error": DEEP}))

    async def open_backend(_: AsyncExitStack) -> Backend:
        return backend

    calls: list[tuple[str, dict[str, Any]]] = [
        ("get_endpoint", {"endpoint_name": "chat"}),
        ("list_endpoints", {}),
        ("call_endpoint", {"endpoint_name": "chat", "text": "hi"}),
        ("call_endpoint", {"endpoint_name": "chat", "text": "hi"}),
        ("call_endpoint", {"endpoint_name": "chat", "body": {"inputs": DEEP}}),
        ("create_endpoint", {"endpoint_name": "new", "repository": "a/b", "config": {"model": DEEP}}),
        ("create_endpoint", {"endpoint_name": "new", "repository": "a/b", "config": {"unknown": {"a": DEEP}}}),
        ("update_endpoint", {"endpoint_name": "chat", "config": {"model": {"env": {"A": DEEP}}}}),
    ]
    async with serving(ServerOptions(open_backend=open_backend, namespace="acme")) as host:
        for tool, arguments in calls:
            assert not text_of(await host.send(tool, **arguments)).startswith("INTERNAL"), tool
