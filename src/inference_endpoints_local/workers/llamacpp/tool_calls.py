"""Calls of tools, where the engine alone does not do what was requested.

A required call is enforced as JSON here, and returned as a call: the engine leaves it to the model whether it calls
one. What only looks like a call is an answer in text: the engine fails on it.
"""

import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from starlette.exceptions import HTTPException

from inference_endpoints_local.workers.llamacpp.choices import Body, Chunk, Generate
from inference_endpoints_local.workers.worker_http import unprocessable

_NO_CALL = "does not match the expected"


def text_where_no_call(generate: Generate) -> Generate:
    """The same, for bodies with tools: what the engine cannot read as a call is generated once more, as text."""

    async def chunks(body: Body) -> AsyncGenerator[Chunk, None]:
        body = {"seed": secrets.randbits(31), **body}  # so that it is the same text again
        told = ""
        try:
            async for chunk in generate(body):
                told += _text(chunk)
                yield chunk
        except HTTPException as error:
            if _NO_CALL not in error.detail:
                raise
        else:
            return
        again = ""
        async for chunk in generate(_tools_in_prompt(body)):
            before, again = len(again), again + _text(chunk)
            for choice in chunk["choices"]:
                choice["delta"].pop("role", None)
                choice["delta"]["content"] = again[max(before, len(told)) :]
            yield chunk

    return chunks


def _text(chunk: Chunk) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


def _tools_in_prompt(body: Body) -> Body:
    """The body with its tools where the template reads them, and the engine does not."""
    others = {name: value for name, value in body.items() if name not in ("tools", "tool_choice")}
    return others | {"chat_template_kwargs": {**(body.get("chat_template_kwargs") or {}), "tools": body["tools"]}}


def require_call(body: Body) -> Body:
    """The body with the tools in the prompt, and an answer that can only be a call of one of them. Raises 422."""
    if body.get("response_format", {}).get("type", "text") != "text" or "grammar" in body:
        raise unprocessable("`response_format` cannot be combined with a required call of a tool", "response_format")
    calls = [
        {
            "type": "object",
            "properties": {
                "name": {"const": tool["function"]["name"]},
                "arguments": tool["function"]["parameters"],
            },
            "required": ["name", "arguments"],
        }
        for tool in body["tools"]
    ]
    return _tools_in_prompt(body) | {"response_format": {"type": "json_object", "schema": {"anyOf": calls}}}


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
