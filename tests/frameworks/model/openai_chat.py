"""OpenAI's chat completions, which most frameworks and other providers speak."""

import json
from typing import Any

from tests.frameworks.model.events import DONE_TEXT, call_id, event_stream, text_of
from tests.frameworks.model.stories import Call


def declared_tools(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [tool["function"] for tool in body.get("tools") or []]


def last_text(body: dict[str, Any]) -> str:
    return text_of(body["messages"][-1].get("content"))


def render(body: dict[str, Any], step: Call | None, streams: bool) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": None if step else DONE_TEXT}
    if step:
        function = {"name": step.tool, "arguments": json.dumps(step.arguments)}
        message["tool_calls"] = [{"index": 0, "id": call_id(), "type": "function", "function": function}]
    reason = "tool_calls" if step else "stop"
    common = {"id": "chatcmpl-1", "created": 1, "model": body.get("model", "scripted")}
    if streams:
        chunk = common | {"object": "chat.completion.chunk"}
        choices = (
            [{"index": 0, "delta": message, "finish_reason": None}],
            [{"index": 0, "delta": {}, "finish_reason": reason}],
        )
        return event_stream(((None, chunk | {"choices": each}) for each in choices), end="data: [DONE]\n\n")
    choice = {"index": 0, "message": message, "finish_reason": reason}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return json.dumps(common | {"object": "chat.completion", "choices": [choice], "usage": usage}).encode()
