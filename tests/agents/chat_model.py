"""A language model behind an OpenAI-compatible address, which calls tools."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx2  # noqa: TID251
from mcp.types import Tool

Message = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """What the model said, and the tokens that the request and the answer took; 0 where the service does not count."""

    message: Message
    tokens: int


class ChatModel:
    """`key` is sent as the bearer token, if there is one."""

    def __init__(self, url: str, model: str, key: str = "", timeout_s: float = 300.0) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx2.AsyncClient(headers=headers, timeout=timeout_s)
        self._url, self._model = url.rstrip("/") + "/chat/completions", model

    async def answer(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Turn:
        """The next message, with the tools it wants to call. Raises `httpx2.HTTPError`."""
        body = {
            "model": self._model,
            "messages": list(messages),
            "tools": [_function(tool) for tool in tools],
            "temperature": 0,
        }
        response = await self._client.post(self._url, json=body)
        response.raise_for_status()
        answer = response.json()
        tokens = (answer.get("usage") or {}).get("total_tokens") or 0
        return Turn(answer["choices"][0]["message"], int(tokens))

    async def aclose(self) -> None:
        await self._client.aclose()


def _function(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.input_schema}
    return {"type": "function", "function": function}
