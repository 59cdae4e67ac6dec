"""Google's generateContent."""

import json
from typing import Any

from tests.frameworks.model.events import DONE_TEXT, event_stream
from tests.frameworks.model.stories import Call


def declared_tools(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for tool in body.get("tools") or [] for each in tool.get("functionDeclarations", [])]


def last_text(body: dict[str, Any]) -> str:
    parts = body["contents"][-1].get("parts", [])
    return "\n".join(_text(part) for part in parts)


def render(body: dict[str, Any], step: Call | None, streams: bool) -> bytes:
    part = {"functionCall": {"name": step.tool, "args": step.arguments}} if step else {"text": DONE_TEXT}
    response = {
        "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
        "modelVersion": "scripted",
    }
    return event_stream([(None, response)]) if streams else json.dumps(response).encode()


def _text(part: dict[str, Any]) -> str:
    """The text of a part; the JSON of a function's response, as the model sees it."""
    answer = part.get("functionResponse")
    return json.dumps(answer["response"], ensure_ascii=False) if answer else str(part.get("text", ""))
