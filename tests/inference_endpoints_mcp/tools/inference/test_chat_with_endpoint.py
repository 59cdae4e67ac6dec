"""Chatting with an endpoint, with a real model."""

from typing import Any

import pytest
from tests.support.host import Host
from tests.support.plane_driver import Driver

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("arguments", [{}, {"message": "a", "messages": [{"role": "user", "content": "b"}]}])
async def test_exactly_one_of_message_and_messages_is_needed(
    tiny: Driver, modern: Host, arguments: dict[str, Any]
) -> None:
    await modern.refused("chat_with_endpoint", "BAD_REQUEST", endpoint_name="tiny", **arguments)


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
