"""For clients that bring no agent: each request is the text of the last answer, and the response is the next call."""

import json
from typing import Any

from tests.frameworks.model.stories import Call


def declared_tools(body: dict[str, Any]) -> list[dict[str, Any]]:
    return list(body.get("tools", []))


def last_text(body: dict[str, Any]) -> str:
    return str(body.get("text") or "")


def render(body: dict[str, Any], step: Call | None, streams: bool) -> bytes:
    return json.dumps({"tool": step.tool, "arguments": step.arguments} if step else {}).encode()
