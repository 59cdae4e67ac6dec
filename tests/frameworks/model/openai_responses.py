"""OpenAI's responses, the default of its Agents SDK."""

import json
from typing import Any

from tests.frameworks.model.events import DONE_TEXT, call_id, event_stream, text_of
from tests.frameworks.model.stories import Call


def declared_tools(body: dict[str, Any]) -> list[dict[str, Any]]:
    return list(body.get("tools") or [])


def last_text(body: dict[str, Any]) -> str:
    given = body["input"]
    return given if isinstance(given, str) else text_of(given[-1])


def render(body: dict[str, Any], step: Call | None, streams: bool) -> bytes:
    item: dict[str, Any]
    if step:
        item = {
            "type": "function_call",
            "id": "fc_1",
            "call_id": call_id(),
            "name": step.tool,
            "arguments": json.dumps(step.arguments),
            "status": "completed",
        }
    else:
        said = {"type": "output_text", "text": DONE_TEXT, "annotations": []}
        item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [said]}
    response = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": body.get("model", "scripted"),
        "output": [item],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 1,
            "output_tokens": 1,
            "total_tokens": 2,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }
    if not streams:
        return json.dumps(response).encode()
    events: list[dict[str, Any]] = [
        {"type": "response.output_item.done", "output_index": 0, "item": item, "sequence_number": 1},
        {"type": "response.completed", "response": response, "sequence_number": 2},
    ]
    return event_stream((event["type"], event) for event in events)
