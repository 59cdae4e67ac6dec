"""A call of a tool that the request requires: it is enforced as JSON here, and returned as a call.

The engine writes the tools into the prompt, and leaves it to the model whether it calls one.
"""

import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

from inference_endpoints_local.workers.choices import Body, Chunk
from inference_endpoints_local.workers.worker_http import unprocessable


def require_call(body: Body) -> Body:
    """The body with the tools in the prompt, and an answer that can only be a call of one of them. Raises 422."""
    if body.get("response_format", {}).get("type", "text") != "text" or "grammar" in body:
        raise unprocessable("`response_format` cannot be combined with a required call of a tool", "response_format")
    body = dict(body)
    tools = body.pop("tools")
    del body["tool_choice"]
    calls = [
        {
            "type": "object",
            "properties": {
                "name": {"const": tool["function"]["name"]},
                "arguments": tool["function"]["parameters"],
            },
            "required": ["name", "arguments"],
        }
        for tool in tools
    ]
    return body | {
        "chat_template_kwargs": {**(body.get("chat_template_kwargs") or {}), "tools": tools},
        "response_format": {"type": "json_object", "schema": {"anyOf": calls}},
    }


async def as_calls(chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    """The chunks of a required call with the call as one delta. One that its limit cuts off stays text."""
    texts: dict[int, str] = {}
    async for chunk in chunks:
        choices = chunk["choices"]
        for choice in choices:
            index, delta = choice["index"], choice["delta"]
            texts[index] = texts.get(index, "") + (delta.pop("content", None) or "")
            if choice["finish_reason"]:
                call = _call(texts[index])
                delta |= {"tool_calls": [call]} if call else {"content": texts[index]}
                choice["finish_reason"] = "tool_calls" if call else choice["finish_reason"]
        told = [choice for choice in choices if choice["delta"] or choice["finish_reason"]]
        if told or not choices:
            yield chunk | {"choices": told}


def _call(text: str) -> dict[str, Any] | None:
    try:
        call = json.loads(text)
    except ValueError:
        return None
    arguments = json.dumps(call["arguments"], ensure_ascii=False)
    function = {"name": call["name"], "arguments": arguments}
    return {"index": 0, "id": f"call_{secrets.token_hex(12)}", "type": "function", "function": function}
