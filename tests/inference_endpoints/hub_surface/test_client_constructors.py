"""`EndpointsClient()` and `AsyncEndpointsClient()`: which control plane, token and namespace they work with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.inference_endpoints.hub_surface.conftest import CallStyle
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints import (
    AsyncEndpointsClient,
    EndpointsClient,
    NotConfigured,
    Unauthorized,
    get_inference_endpoint,
    hugging_face,
    local,
)

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class AnyClient:
    """Either client, opened as a context manager and called by method name."""

    call: CallStyle

    @property
    def kind(self) -> Any:
        return EndpointsClient if self.call.run is asyncio.to_thread else AsyncEndpointsClient

    @asynccontextmanager
    async def opened(self, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
        client = self.kind(*arguments, **options)
        if isinstance(client, AsyncEndpointsClient):
            async with client as entered:
                yield entered
        else:
            with client as entered:
                yield entered


@pytest.fixture
def any_client(call: CallStyle) -> AnyClient:
    return AnyClient(call)


async def test_without_arguments_a_client_works_with_the_plane_the_environment_names(
    any_client: AnyClient, default_driver: Driver
) -> None:
    await default_driver.create()
    async with any_client.opened() as client:
        assert client.backend == local(default_driver.plane.url, TOKEN)
        assert (await any_client.call(client.get, "chat")).name == "chat"
        listed = await any_client.call(client.list)
        assert [endpoint.name for endpoint in listed] == ["chat"]


async def test_without_arguments_a_client_works_with_hugging_face(
    any_client: AnyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INFERENCE_ENDPOINTS_URL", raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    assert any_client.kind().backend == hugging_face("hf_mine")


async def test_a_plane_without_a_token_is_not_configured(
    any_client: AnyClient, default_driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INFERENCE_ENDPOINTS_TOKEN")
    with pytest.raises(NotConfigured, match="INFERENCE_ENDPOINTS_TOKEN"):
        any_client.kind()


async def test_a_given_backend_wins_over_the_environment(any_client: AnyClient, default_driver: Driver) -> None:
    async with any_client.opened(local(default_driver.plane.url, "wrong")) as client:
        with pytest.raises(Unauthorized):
            await any_client.call(client.get, "chat")


async def test_no_namespace_means_the_tokens_own(any_client: AnyClient, default_driver: Driver) -> None:
    async with any_client.opened() as client:
        assert client.namespace is None
        assert await any_client.call(client.resolve_namespace) == "acme"
        assert await any_client.call(client.resolve_namespace, "lab") == "lab"
        assert client.namespace is None, "what a client was made with does not change"


async def test_a_clients_namespace_is_where_its_calls_go(any_client: AnyClient, default_upstream: Upstream) -> None:
    default_upstream.answers("GET", "/v2/endpoint/lab/chat", Answer(body=default_upstream.endpoint("running")))
    async with any_client.opened(namespace="lab") as client:
        assert client.namespace == "lab"
        assert await any_client.call(client.resolve_namespace) == "lab"
        await any_client.call(client.get, "chat")
    assert [seen.path for seen in default_upstream.seen] == ["/v2/endpoint/lab/chat"]


async def test_leaving_the_context_closes_the_connections(any_client: AnyClient, default_driver: Driver) -> None:
    """Warnings are errors in this suite, so a connection left open would fail it."""
    await default_driver.create()
    async with any_client.opened() as client:
        await any_client.call(client.get, "chat")
    assert (await any_client.call(client.get, "chat")).name == "chat", "a later call connects again"
    await any_client.call(getattr(client, "aclose" if any_client.kind is AsyncEndpointsClient else "close"))


async def test_a_blocking_client_and_the_functions_find_the_same_endpoint(default_driver: Driver) -> None:
    await default_driver.create()
    with EndpointsClient() as client:
        found = await asyncio.to_thread(client.get, "chat")
    assert (await asyncio.to_thread(get_inference_endpoint, "chat")).raw == found.raw
