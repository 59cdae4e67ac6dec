"""What huggingface_hub does wrong, and this package does not."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.inference_endpoints.hub_surface.conftest import CLOUD, CallStyle
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.polling import eventually
from tests.support.service.captures import CAPTURES
from tests.support.service.scripted_upstream import SILENT, Answer, Upstream
from tests.support.service.scripted_upstream import TOKEN as UPSTREAM_TOKEN

from inference_endpoints import (
    AsyncEndpointsClient,
    AsyncInferenceEndpoint,
    EndpointsClient,
    Forbidden,
    InferenceEndpointError,
    NotConfigured,
    NotFound,
    Unauthorized,
    aio,
    hugging_face,
    local,
)
from inference_endpoints.clients.client_pool import ClientPool
from inference_endpoints.inference.async_inference import AsyncInference
from inference_endpoints.transport.backend import default_backend
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.operations import Request
from inference_endpoints_local.state.faults import Fault

pytestmark = pytest.mark.anyio


async def test_a_handle_keeps_the_token_of_its_first_request(
    call: CallStyle, default_driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFERENCE_ENDPOINTS_TOKEN", "wrong")
    await default_driver.create()
    endpoint = await call.function("get_inference_endpoint", "chat", namespace="acme", token=TOKEN)
    assert endpoint.token == TOKEN
    assert (await call(endpoint.fetch)).status == "pending"
    assert (await call(endpoint.pause)).status == "paused"
    (listed,) = await call.function("list_inference_endpoints", namespace="acme", token=TOKEN)
    assert (await call(listed.resume)).status == "pending"
    made = await call.function("create_inference_endpoint", "b", repository="gpt2", token=TOKEN, **CLOUD)
    assert await call(made.delete) is None


async def test_lists_follow_every_page(call: CallStyle, default_upstream: Upstream) -> None:
    pages = [json.loads((CAPTURES / f"list-{which}-page.json").read_text()) for which in ("first", "last")]
    default_upstream.answers("GET", "/v2/endpoint/acme", *(Answer(body=page) for page in pages))
    listed = await call.function("list_inference_endpoints", "acme")
    assert [endpoint.raw for endpoint in listed] == pages[0]["items"] + pages[1]["items"]
    assert f"cursor={pages[0]['nextCursor']}" in default_upstream.seen[1].path


@pytest.mark.parametrize(("status", "kind"), [(401, Unauthorized), (403, Forbidden)])
async def test_a_list_of_all_namespaces_names_those_that_refused(
    call: CallStyle, default_upstream: Upstream, status: int, kind: type[InferenceEndpointError]
) -> None:
    own, *organizations = use_token_of_organizations(default_upstream)
    default_upstream.answers("GET", f"/v2/endpoint/{own}", page(default_upstream))
    default_upstream.answers("GET", f"/v2/endpoint/{organizations[0]}", Answer(status, {"error": "no billing"}))
    for other in organizations[1:]:
        default_upstream.answers("GET", f"/v2/endpoint/{other}", page(default_upstream))
    found = await call.function("list_inference_endpoints", "*")
    assert [endpoint.namespace for endpoint in found] == [own, *organizations[1:]]
    assert {name: type(reason) for name, reason in found.refused.items()} == {organizations[0]: kind}
    assert repr(found).endswith(f"(refused: {organizations[0]})")
    assert {seen.headers["authorization"] for seen in default_upstream.seen} == {f"Bearer {UPSTREAM_TOKEN}"}


async def test_all_namespaces_are_listed_at_the_same_time(default_upstream: Upstream) -> None:
    own, slow, quick = use_token_of_organizations(default_upstream)
    default_upstream.answers("GET", f"/v2/endpoint/{own}", page(default_upstream))
    default_upstream.answers("GET", f"/v2/endpoint/{slow}", SILENT)
    default_upstream.answers("GET", f"/v2/endpoint/{quick}", page(default_upstream))
    listing = asyncio.create_task(aio.list_inference_endpoints("*"))
    await eventually(lambda: any(seen.path.startswith(f"/v2/endpoint/{quick}") for seen in default_upstream.seen))
    listing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listing


async def test_a_list_of_all_namespaces_hides_no_other_failure(call: CallStyle, default_upstream: Upstream) -> None:
    own, *organizations = use_token_of_organizations(default_upstream)
    default_upstream.answers("GET", f"/v2/endpoint/{own}", page(default_upstream))
    for name in organizations:
        default_upstream.answers("GET", f"/v2/endpoint/{name}", Answer(404, {"error": "Not found"}))
    with pytest.raises(NotFound):
        await call.function("list_inference_endpoints", "*")


async def test_an_endpoint_without_a_token_still_has_clients(default_upstream: Upstream) -> None:
    """huggingface_hub raises TypeError here. A public endpoint is called, and the control plane is not."""
    endpoint = AsyncInferenceEndpoint.from_raw(default_upstream.endpoint("running"), "acme", token=False)
    default_upstream.serves("/", Answer(body=[{"generated_text": "there was"}]))
    assert endpoint.token is None
    assert await endpoint.async_client.text_generation("once") == "there was"
    assert ["authorization" in seen.headers for seen in default_upstream.seen] == [False]
    with pytest.raises(NotConfigured):
        await endpoint.fetch()


async def test_a_creation_whose_answer_is_lost_is_read_and_not_repeated(
    call: CallStyle, default_driver: Driver
) -> None:
    default_driver.plane.faults.arm(Fault.DROP_ANSWER, "create_endpoint")
    endpoint = await call.function("create_inference_endpoint", "chat", repository="gpt2", **CLOUD)
    assert endpoint.status == "pending"


async def test_an_unknown_state_and_missing_fields_are_read(call: CallStyle) -> None:
    for capture in CAPTURES.glob("endpoint-*.json"):
        raw = json.loads(capture.read_text())
        assert call.handle.from_raw(raw, "acme", token="hf_x").raw is raw
    bare = {"name": "a", "status": {"state": "hibernating"}}
    endpoint = call.handle.from_raw(bare, "acme", token="hf_x")
    assert (endpoint.status, endpoint.url, endpoint.created_at, endpoint.health_route) == ("hibernating",) + (None,) * 3


def test_the_default_control_plane_is_hugging_face_unless_the_environment_names_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    monkeypatch.delenv("INFERENCE_ENDPOINTS_URL", raising=False)
    assert default_backend() == default_backend(True) == hugging_face("hf_mine")
    assert default_backend("hf_other").token == "hf_other"
    assert default_backend(False).token is None
    assert "hf_mine" not in repr(default_backend())


def test_the_hugging_face_token_is_never_sent_to_another_control_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    monkeypatch.setenv("INFERENCE_ENDPOINTS_URL", "http://127.0.0.1:1/")
    monkeypatch.delenv("INFERENCE_ENDPOINTS_TOKEN", raising=False)
    with pytest.raises(NotConfigured, match="INFERENCE_ENDPOINTS_TOKEN"):
        default_backend()
    assert default_backend("local").control_plane == "http://127.0.0.1:1/v2"


async def test_a_token_beside_a_client_replaces_its_own_and_not_its_guard(default_driver: Driver) -> None:
    sent: list[str] = []

    class Watching:
        @asynccontextmanager
        async def guard_request(self, request: Request) -> AsyncIterator[None]:
            sent.append(request.operation.name)
            yield

        @asynccontextmanager
        async def guard_call(self, call: EndpointCall) -> AsyncIterator[None]:
            yield

    await default_driver.create()
    backend = local(default_driver.plane.url, "wrong")
    async with AsyncEndpointsClient(backend, guard=Watching()) as client:
        assert (await aio.get_inference_endpoint("chat", namespace="acme", token=TOKEN, api=client)).token == TOKEN
    clients = ClientPool(backend, guard=Watching())
    assert (await aio.get_inference_endpoint("chat", namespace="acme", token=TOKEN, api=clients)).name == "chat"
    assert sent == ["get_endpoint"] * 2


async def test_a_token_beside_a_client_keeps_the_clients_namespace(default_upstream: Upstream) -> None:
    default_upstream.answers("GET", "/v2/endpoint/lab/chat", Answer(body=default_upstream.endpoint("running")))
    backend = local(default_upstream.url, "wrong")
    async with AsyncEndpointsClient(backend, namespace="lab") as client:
        for api in (client, ClientPool(backend, namespace="lab")):
            found = await aio.get_inference_endpoint("chat", token=UPSTREAM_TOKEN, api=api)
            assert (found.namespace, found.token) == ("lab", UPSTREAM_TOKEN)


async def test_the_repr_of_a_client_is_one_line_and_never_has_its_token(default_upstream: Upstream) -> None:
    service = hugging_face("hf_mine")
    endpoint = AsyncInferenceEndpoint.from_raw(default_upstream.endpoint("running"), "acme", api=ClientPool(service))
    where = "'https://api.endpoints.huggingface.cloud/v2', namespace=None"
    representations = {
        repr(EndpointsClient(service)): f"EndpointsClient({where})",
        repr(AsyncEndpointsClient(service)): f"AsyncEndpointsClient({where})",
        repr(AsyncInference(AsyncEndpointsClient(service))): f"AsyncInference(AsyncEndpointsClient({where}))",
        repr(endpoint.client): f"InferenceClient('acme/chat', url='{default_upstream.url}/serve/chat')",
        repr(endpoint.async_client): f"AsyncInferenceClient('acme/chat', url='{default_upstream.url}/serve/chat')",
    }
    assert list(representations) == list(representations.values())
    assert "hf_mine" not in repr(vars(EndpointsClient(service)))


def use_token_of_organizations(upstream: Upstream) -> list[str]:
    """The token belongs to a person in several organizations. Returns the namespaces, their own first."""
    person = json.loads((CAPTURES / "whoami-user.json").read_text())
    person["orgs"] = [{"name": "first"}, {"name": "second"}]
    upstream.answers("GET", "/api/whoami-v2", Answer(body=person))
    return [person["name"], "first", "second"]


def page(upstream: Upstream) -> Answer:
    return Answer(body={"items": [upstream.endpoint("running")], "nextCursor": None})
