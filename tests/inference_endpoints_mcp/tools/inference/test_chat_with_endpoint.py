"""Chatting with an endpoint, with a real model."""

from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.support.hosts.host import Host, Mode, parts_of, serving
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_mcp.server.application import ServerOptions

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("arguments", [{}, {"message": "a", "messages": [{"role": "user", "content": "b"}]}])
async def test_exactly_one_of_message_and_messages_is_needed(
    tiny: Driver, modern: Host, arguments: dict[str, Any]
) -> None:
    await modern.refused("chat_with_endpoint", "BAD_REQUEST", endpoint_name="tiny", **arguments)


async def test_a_model_that_its_engine_serves_under_another_name_is_found(upstream: Upstream, mode: Mode) -> None:
    unknown = Answer(404, {"error": {"message": "The model `gpt2` does not exist.", "type": "NotFoundError"}})
    answer = Answer(body={"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]})
    upstream.runs("vLLM")
    upstream.serves("/v1/chat/completions", unknown, answer, unknown)
    upstream.answers("GET", "/serve/chat/v1/models", Answer(body={"data": [{"id": "other/name"}]}))

    async def open_backend(_: AsyncExitStack) -> Backend:
        return local(upstream.url, TOKEN)

    async with serving(ServerOptions(open_backend=open_backend), mode) as host:
        facts = await host.call("chat_with_endpoint", endpoint_name="acme/chat", message="Hello")
        assert "Hi" in facts["text"]
        body = {"model": "mine", "messages": [{"role": "user", "content": "Hello"}]}
        refused = await host.send("call_endpoint", endpoint_name="acme/chat", body=body, path="/v1/chat/completions")
    message, quoted = parts_of(refused)
    assert message.startswith("NOT_FOUND: Endpoint acme/chat does not serve a model of this name.")
    assert "other/name" not in message
    assert "It serves: other/name" in quoted


@pytest.mark.models
class TestRealModels:
    """With the models of the catalogue."""

    @pytest.fixture
    async def driver(self, models: Driver) -> Driver:
        return models

    async def test_chat_streams_its_text_and_counts_tokens(self, driver: Driver, host: Host) -> None:
        spec = {"endpoint_name": "chat", "repository": "HuggingFaceTB/SmolLM2-135M-Instruct"}
        await host.call("create_endpoint", **spec)
        await driver.reach("chat", "running")
        question = {"message": "Explain in two sentences what a GPU is good for.", "temperature": 0, "max_tokens": 60}
        response = await host.call("chat_with_endpoint", endpoint_name="chat", **question)
        assert response["woke"] is False
        assert response["text"].splitlines()[1].strip()
        assert 10 < response["completion_tokens"] <= 60
        assert any(message.startswith("writing · ") for _, message in host.progress)

        await driver.put_to_sleep("chat")
        response = await host.call("chat_with_endpoint", endpoint_name="chat", message="Say hello.", max_tokens=4)
        assert response["woke"] is True
