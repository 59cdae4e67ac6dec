"""The messages of a chat in the OpenAI format, checked and without what is null."""

import json
from typing import Any

from inference_endpoints_local.workers.llamacpp import images
from inference_endpoints_local.workers.worker_http import malformed, unprocessable

Message = dict[str, Any]

_ROLES = ("system", "developer", "user", "assistant", "tool")


def check_messages(messages: Any, *, sees_images: bool = False) -> list[Message]:
    """The messages for the engine. Raises 400 or 422 with the field that is wrong."""
    if not isinstance(messages, list) or not messages:
        raise malformed("`messages` must be a list of at least one message", field="messages")
    return [_message(message, f"messages.{at}", sees_images) for at, message in enumerate(messages)]


def _message(given: Any, field: str, sees_images: bool) -> Message:
    if not isinstance(given, dict):
        raise malformed(f"`{field}` must be an object with `role` and `content`", field=field)
    message = _without_nulls(given)
    if message.get("role") not in _ROLES:
        raise malformed(f"`{field}.role` must be one of {', '.join(_ROLES)}", field=f"{field}.role")
    calls = message.pop("tool_calls", None) or []
    if calls:
        message["tool_calls"] = _tool_calls(calls, f"{field}.tool_calls")
    content = message.get("content")
    if isinstance(content, list):
        message["content"] = [
            _part(part, f"{field}.content.{at}", sees_images) for at, part in enumerate(content) if part is not None
        ]
    elif content is None and message["role"] == "assistant":
        message["content"] = None  # said so, as templates ask for it
    elif not isinstance(content, str):
        raise malformed(f"`{field}.content` must be a text or a list of parts", field=f"{field}.content")
    return message


def _part(part: Any, field: str, sees_images: bool) -> Message:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    if kind == "image_url" and sees_images:
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, dict) else image
        if isinstance(url, str) and url.startswith("data:image/") and ";base64," in url:
            if wrong := images.refusal(url):
                raise malformed(f"`{field}.image_url.url` {wrong}", field=f"{field}.image_url.url")
            return {"type": "image_url", "image_url": {"url": url}}
        raise malformed(f"`{field}.image_url.url` must be a data URI: nothing is fetched here", field=field)
    kinds = '"text" or "image_url"' if sees_images else '"text": this model takes text alone'
    raise unprocessable(f"`{field}.type` must be {kinds}", field=f"{field}.type")


def _tool_calls(calls: Any, field: str) -> list[Message]:
    if not isinstance(calls, list):
        raise malformed(f"`{field}` must be a list", field=field)
    return [_tool_call(call, f"{field}.{at}") for at, call in enumerate(calls)]


def _tool_call(call: Any, field: str) -> Message:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
        raise malformed(f"`{field}.function.name` must be the name of a function", field=field)
    function = _without_nulls(function)
    arguments = function.get("arguments") or "{}"
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            arguments = None
    if not isinstance(arguments, dict):
        name = f"{field}.function.arguments"
        raise malformed(f"`{name}` must be the text of a JSON object", field=name)
    function["arguments"] = json.dumps(arguments, ensure_ascii=False)
    return {"type": "function", **_without_nulls(call), "function": function}


def _without_nulls(members: dict[str, Any]) -> Message:
    return {name: value for name, value in members.items() if value is not None}
