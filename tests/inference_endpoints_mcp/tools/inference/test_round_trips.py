"""A call to an endpoint that was seen lately is one request. What has changed since is found from its answer."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.hosts.host import Host, serving
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.service.scripted_upstream import Answer, Upstream, events

from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.server.application import ServerOptions

pytestmark = pytest.mark.anyio

CHAT = {"endpoint_name": "acme/chat"}
ON = Answer(body={"generated_text": "on"})
Serve = Callable[..., AbstractAsyncContextManager[Host]]


@pytest.fixture
def serve(upstream: Upstream) -> Serve:
    async def open_backend(_: AsyncExitStack) -> Backend:
        return local(upstream.url, TOKEN)

    @asynccontextmanager
    async def served(**options: Any) -> AsyncIterator[Host]:
        async with serving(ServerOptions(open_backend=open_backend, namespace="acme", **options)) as host:
            yield host

    upstream.shows("running")
    upstream.serves("/", ON)
    upstream.serves("/v1/chat/completions", events({"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}))
    return served


def paths(upstream: Upstream) -> list[str]:
    seen, upstream.seen = upstream.seen, []
    return [each.path for each in seen]


async def test_the_first_call_reads_the_endpoint_once_and_the_next_not_at_all(upstream: Upstream, serve: Serve) -> None:
    async with serve() as host:
        await host.call("call_endpoint", **CHAT, text="go")
        assert paths(upstream) == ["/v2/endpoint/acme/chat", "/serve/chat/"]
        await host.call("call_endpoint", **CHAT, text="go")
        await host.call("chat_with_endpoint", **CHAT, message="go")
        assert paths(upstream) == ["/serve/chat/", "/serve/chat/v1/chat/completions"]


async def test_an_endpoint_that_any_tool_has_read_is_not_read_again(upstream: Upstream, serve: Serve) -> None:
    upstream.answers("GET", "/v2/endpoint/acme", Answer(body={"items": [upstream.endpoint("running")]}))
    upstream.answers("GET", "/v2/provider/acme", Answer(body={"vendors": []}))
    async with serve() as host:
        await host.call("list_endpoints")
        paths(upstream)
        await host.call("call_endpoint", **CHAT, text="go")
        assert paths(upstream) == ["/serve/chat/"]


@pytest.mark.parametrize(
    "options", [{"limits": Limits(no_wake=True)}, {"limits": Limits(max_price_per_hour=1)}, "audit"]
)
async def test_where_it_matters_whether_a_call_wakes_it_the_endpoint_is_read_for_each_call(
    upstream: Upstream, serve: Serve, tmp_path: Path, options: Any
) -> None:
    options = {"audit_file": tmp_path / "audit"} if options == "audit" else options
    async with serve(**options) as host:
        for _ in range(2):
            await host.call("call_endpoint", **CHAT, text="go")
            assert paths(upstream) == ["/v2/endpoint/acme/chat", "/serve/chat/"]


@pytest.mark.parametrize(
    ("answer", "state", "code"),
    [
        (Answer(400, {"error": "Bad Request: Invalid state"}), "paused", "PAUSED"),
        (Answer(404, {"error": "Not found"}), "paused", "PAUSED"),
        (Answer(404, {"error": "Not found"}), None, "NOT_FOUND"),
    ],
)
async def test_an_endpoint_that_was_paused_or_deleted_since_is_named_as_that(
    upstream: Upstream, serve: Serve, answer: Answer, state: str | None, code: str
) -> None:
    async with serve() as host:
        await host.call("call_endpoint", **CHAT, text="go")
        upstream.serves("/", answer)
        if state:
            upstream.shows(state)
        else:
            upstream.answers("GET", "/v2/endpoint/acme/chat", Answer(404, {"error": "Not found"}))
        message = await host.refused("call_endpoint", code, **CHAT, text="go")
        assert "acme/chat" in message


async def test_an_endpoint_that_has_moved_is_found_at_its_new_address(upstream: Upstream, serve: Serve) -> None:
    async with serve() as host:
        await host.call("call_endpoint", **CHAT, text="go")
        upstream.shows("running", url=f"{upstream.url}/serve/moved")
        upstream.serves("/", Answer(404, {"error": "Not found"}))
        upstream.answers("POST", "/serve/moved/", Answer(body={"generated_text": "moved on"}))
        paths(upstream)
        facts = await host.call("call_endpoint", **CHAT, text="go")
        assert "moved on" in facts["output"]
        assert paths(upstream) == ["/serve/chat/", "/v2/endpoint/acme/chat", "/serve/moved/"]


async def test_an_endpoint_that_serves_another_task_by_now_gets_its_inputs(upstream: Upstream, serve: Serve) -> None:
    async with serve() as host:
        await host.call("call_endpoint", **CHAT, text="go")
        upstream.runs("huggingface", task="question-answering")
        upstream.serves("/", Answer(body={"answer": "Paris"}))
        asked = {"inputs": [{"question": "Where?", "context": "In Paris."}]}
        assert '"answer":"Paris"' in (await host.call("call_endpoint", **CHAT, **asked))["output"]


async def test_an_endpoint_that_fell_asleep_since_is_woken_and_named_as_that(driver: Driver, modern: Host) -> None:
    await driver.create_local()
    await driver.reach("tiny", "running")
    assert (await modern.call("call_endpoint", endpoint_name="tiny", text="a"))["woke"] is False
    await driver.put_to_sleep("tiny")
    facts = await modern.call("call_endpoint", endpoint_name="tiny", text="a")
    assert facts["woke"] is True
    assert facts["now"].startswith("It was scaled to zero: this call woke it")
