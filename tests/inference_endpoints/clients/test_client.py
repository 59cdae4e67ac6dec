"""The client of a control plane: lost answers, pages of lists, and the caller's own namespace."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.service.captures import CAPTURES
from tests.support.service.scripted_upstream import DROPPED, Answer, Upstream

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.deploy.specs import EndpointSpec, Hardware
from inference_endpoints.errors import (
    AlreadyExists,
    InferenceEndpointError,
    OutcomeUnknown,
)
from inference_endpoints.transport.http import HttpTransport

pytestmark = pytest.mark.anyio

ONE = "/v2/endpoint/acme/chat"
ALL = "/v2/endpoint/acme"
SPEC = EndpointSpec(
    name="chat",
    repository="gpt2",
    hardware=Hardware(
        vendor="aws", region="us-east-1", accelerator="cpu", instance_type="intel-icl", instance_size="x2"
    ),
    type="private",
    secrets={"HF_TOKEN": "hf_secret"},
)


def created(upstream: Upstream) -> Answer:
    """The endpoint of `SPEC` as the control plane shows it: defaults filled in, secrets masked."""
    document = upstream.endpoint("pending")
    made = SPEC.request().to_json()
    document |= {"type": made["type"], "provider": made["provider"], "compute": made["compute"]}
    document["model"] = {**made["model"], "revision": "abc", "task": "text-generation", "secrets": {"HF_TOKEN": ""}}
    return Answer(body=document)


async def test_a_create_whose_answer_was_lost_finds_the_endpoint_it_created(
    upstream: Upstream, endpoints: AsyncEndpointsClient
) -> None:
    upstream.answers("POST", ALL, DROPPED)
    upstream.answers("GET", ONE, created(upstream))
    assert (await endpoints.create(SPEC)).state == "pending"
    assert [seen.method for seen in upstream.seen] == ["POST", "GET"]


async def test_a_create_whose_answer_was_lost_does_not_take_another_endpoint_for_its_own(
    upstream: Upstream, endpoints: AsyncEndpointsClient
) -> None:
    upstream.answers("POST", ALL, DROPPED)
    upstream.shows("running")
    with pytest.raises(AlreadyExists):
        await endpoints.create(SPEC)


@pytest.mark.parametrize("check", [Answer(404, {"error": "Not found"}), Answer(503, b"busy"), Answer(401, b"")])
async def test_a_create_whose_answer_was_lost_stays_unknown_if_reading_shows_nothing(
    upstream: Upstream, endpoints: AsyncEndpointsClient, check: Answer
) -> None:
    upstream.answers("POST", ALL, DROPPED)
    upstream.answers("GET", ONE, check)
    with pytest.raises(OutcomeUnknown):
        await endpoints.create(SPEC)
    assert [seen.method for seen in upstream.seen].count("POST") == 1


async def test_a_delete_whose_answer_was_lost_checks_whether_the_endpoint_is_gone(
    upstream: Upstream, endpoints: AsyncEndpointsClient
) -> None:
    upstream.answers("DELETE", ONE, DROPPED)
    await endpoints.delete("chat")
    upstream.shows("running")
    with pytest.raises(OutcomeUnknown):
        await endpoints.delete("chat")


async def test_a_list_follows_every_page(upstream: Upstream, endpoints: AsyncEndpointsClient) -> None:
    pages = [
        Answer(body={"items": [upstream.endpoint("running") | {"name": name}], "nextCursor": cursor})
        for name, cursor in [("a", "c&1"), ("b", "c2"), ("c", None)]
    ]
    upstream.answers("GET", ALL, *pages)
    assert [endpoint.name for endpoint in await endpoints.list()] == ["a", "b", "c"]
    queries = [seen.path.partition("?")[2] for seen in upstream.seen]
    assert queries == ["limit=100", "limit=100&cursor=c%261", "limit=100&cursor=c2"]


async def test_the_callers_namespace_is_requested_once(upstream: Upstream, http: HttpTransport) -> None:
    endpoints = AsyncEndpointsClient(http.backend)
    endpoints.http = http
    upstream.answers("GET", "/api/whoami-v2", Answer(body={"type": "user", "name": "acme", "orgs": []}))
    upstream.shows("running")
    await endpoints.get("chat")
    await endpoints.get("chat")
    assert [seen.path for seen in upstream.seen] == ["/api/whoami-v2", ONE, ONE]


async def test_resuming_a_running_endpoint_succeeds_unless_running_ok_is_false(
    upstream: Upstream, endpoints: AsyncEndpointsClient
) -> None:
    upstream.answers("POST", f"{ONE}/resume", Answer(400, {"error": "Bad Request: Endpoint is already running"}))
    upstream.shows("running")
    assert (await endpoints.resume("chat")).state == "running"
    with pytest.raises(InferenceEndpointError, match="already running"):
        await endpoints.resume("chat", running_ok=False)


async def test_fifty_first_calls_at_once_request_the_caller_once(upstream: Upstream, http: HttpTransport) -> None:
    endpoints = AsyncEndpointsClient(http.backend)
    endpoints.http = http
    upstream.answers("GET", "/api/whoami-v2", Answer(body={"type": "user", "name": "acme", "orgs": []}))
    upstream.shows("running")
    await asyncio.gather(*(endpoints.get("chat") for _ in range(50)))
    assert [seen.path for seen in upstream.seen].count("/api/whoami-v2") == 1


async def test_resuming_does_not_mistake_its_own_success_for_another(
    upstream: Upstream, endpoints: AsyncEndpointsClient
) -> None:
    running = Answer(400, {"error": "Bad Request: Endpoint is already running"})
    upstream.answers("POST", f"{ONE}/resume", DROPPED, running)
    upstream.shows("running")
    assert (await endpoints.resume("chat", running_ok=False)).state == "running"


@pytest.mark.parametrize("stop", [None, datetime(2026, 9, 14, 8, 0, 0, 999_999, UTC)])
async def test_metrics_of_the_last_hour_ask_for_one_hour_to_the_millisecond(
    upstream: Upstream, endpoints: AsyncEndpointsClient, stop: datetime | None
) -> None:
    graphs = json.loads((CAPTURES / "all-graphs.json").read_text())
    upstream.answers("POST", f"{ONE}/metrics", Answer(body=graphs))
    await endpoints.metrics("chat", start=timedelta(hours=1), stop=stop)
    start, last = (datetime.fromisoformat(upstream.seen[-1].json[key]) for key in ("start", "stop"))
    assert last - start == timedelta(hours=1)
    assert stop is None or last == stop.replace(microsecond=999_000)
