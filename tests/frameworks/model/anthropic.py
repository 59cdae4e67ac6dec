"""Anthropic's messages."""

import json
from typing import Any

from tests.frameworks.model.events import DONE_TEXT, call_id, event_stream, text_of
from tests.frameworks.model.stories import Call


def declared_tools(body: dict[str, Any]) -> list[dict[str, Any]]:
    return list(body.get("tools") or [])


def last_text(body: dict[str, Any]) -> str:
    return text_of(body["messages"][-1].get("content"))


def render(body: dict[str, Any], step: Call | None, streams: bool) -> bytes:
    said, block = {"type": "text_delta", "text": DONE_TEXT}, {"type": "text", "text": DONE_TEXT}
    begun: dict[str, Any] = block | {"text": ""}
    if step:
        said = {"type": "input_json_delta", "partial_json": json.dumps(step.arguments)}
        begun = {"type": "tool_use", "id": call_id().replace("call", "toolu"), "name": step.tool, "input": {}}
        block = begun | {"input": step.arguments}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body.get("model", "scripted"),
        "content": [block],
        "stop_reason": "tool_use" if step else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    if not streams:
        return json.dumps(message).encode()
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message | {"content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": begun},
        {"type": "content_block_delta", "index": 0, "delta": said},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": message["stop_reason"]}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    return event_stream((event["type"], event) for event in events)
