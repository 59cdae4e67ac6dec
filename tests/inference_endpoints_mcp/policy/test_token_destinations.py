"""The token goes to the control plane and to hosts on the operator's list, and nowhere else."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest
from tests.inference_endpoints.conftest import backend, foreign
from tests.support.hosts.host import Host, serving
from tests.support.service.scripted_upstream import TOKEN, Answer, Upstream, listening

from inference_endpoints.transport.backend import Backend
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.server.tool_calls import published_tools

__all__ = ["backend", "foreign"]

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def host_at(backend: Backend) -> AsyncIterator[Host]:
    async def open_backend(_: AsyncExitStack) -> Backend:
        return backend

    async with serving(ServerOptions(open_backend=open_backend, namespace="acme")) as host:
        yield host


@pytest.fixture
async def elsewhere(anyio_backend: str) -> AsyncIterator[Upstream]:
    """Another machine's server, which nothing may reach."""
    async with listening() as upstream:
        yield upstream


def test_no_tool_takes_an_address() -> None:
    for tool in published_tools():
        for name, schema in tool.input_schema.get("properties", {}).items():
            assert not {"url", "uri", "host", "address", "endpoint_url"} & set(name.split("_")), (tool.name, name)
            assert schema.get("format") not in {"uri", "url", "hostname"}


async def test_an_endpoint_elsewhere_never_sees_the_token_and_the_refusal_names_how_to_add_it(
    upstream: Upstream, foreign: Backend
) -> None:
    upstream.shows("running")
    upstream.serves("/", Answer(401, {"error": "Unauthorized"}))
    async with host_at(foreign) as host:
        message = await host.refused("call_endpoint", "UNAUTHORIZED", endpoint_name="chat", text="hello")
    assert "--endpoint-hosts" in message
    (call,) = upstream.calls()
    assert "authorization" not in call.headers
    assert TOKEN not in str(call)


async def test_a_redirect_to_another_host_is_not_followed(
    upstream: Upstream, elsewhere: Upstream, backend: Backend
) -> None:
    away = Answer(307, b"", {"location": f"{elsewhere.url}/v2/endpoint/acme/chat"})
    upstream.shows("running")
    upstream.serves("/", away)
    async with host_at(backend) as host:
        assert (await host.send("call_endpoint", endpoint_name="chat", text="hello")).is_error
        upstream.answers("GET", "/v2/endpoint/acme/chat", away)
        assert (await host.send("get_endpoint", endpoint_name="chat")).is_error
    assert elsewhere.seen == []


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/../../v2/endpoint/acme", "/%2e%2e/x", "@evil.example", "/a\\..\\b"]
)
async def test_no_path_leads_a_call_away_from_its_endpoint(upstream: Upstream, backend: Backend, path: str) -> None:
    upstream.shows("running")
    async with host_at(backend) as host:
        await host.refused("call_endpoint", "BAD_REQUEST", endpoint_name="chat", text="hello", path=path)
    assert upstream.calls() == []


async def test_an_address_with_a_password_in_it_is_not_trusted(upstream: Upstream, backend: Backend) -> None:
    upstream.shows("running", url=f"{upstream.url.replace('://', '://robot:secret@')}/serve/chat")
    upstream.serves("/", Answer(body={"ok": True}))
    async with host_at(replace(backend, endpoint_hosts=(upstream.url,))) as host:
        received = await host.send("call_endpoint", endpoint_name="chat", text="hello")
    assert TOKEN not in str([call.headers for call in upstream.calls()])
    assert "robot:secret" not in json.dumps(received.model_dump(mode="json"))
