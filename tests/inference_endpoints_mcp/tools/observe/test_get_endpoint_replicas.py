"""Replicas, with the version that they run and how they ended."""

import json
from contextlib import AsyncExitStack

import pytest
from tests.support.hosts.host import serving
from tests.support.service.captures import CAPTURES
from tests.support.service.scripted_upstream import TOKEN, Answer, Upstream

from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_mcp.server.application import ServerOptions

pytestmark = pytest.mark.anyio


async def test_a_replica_of_the_live_version_is_not_therefore_running(upstream: Upstream) -> None:
    body = json.loads((CAPTURES / "replicas.json").read_text())
    body["items"][0]["status"]["stage"] = "pulling"
    upstream.answers("GET", "/v2/endpoint/acme/chat/replica", Answer(body=body))

    async def open_backend(_: AsyncExitStack) -> Backend:
        return local(upstream.url, TOKEN)

    async with serving(ServerOptions(open_backend=open_backend, namespace="acme")) as host:
        facts = await host.call("get_endpoint_replicas", endpoint_name="chat")
    pulling, ended = facts["replicas"]
    assert facts["now"] == "0 of 2 replica(s) running."
    assert (pulling["stage"], pulling["live"], pulling["version"]) == ("pulling", True, "v1")
    assert (ended["updating"], ended["exit_code"], ended["stopped_at"]) == (True, 137, "2026-09-14T08:01:00Z")
