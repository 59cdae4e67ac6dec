"""Asks a client for more rights in the moment it needs them: a call that may change something needs `endpoints:manage`.

The client then has its user approve that at the identity provider, and makes the call again. `server/scopes.py`
enforces it in any case, whatever this middleware could read of a request.
"""

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference_endpoints.models.json_text import parse_json
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.server.http.sign_in.oauth_settings import OAuthSettings
from inference_endpoints_mcp.server.scopes import MANAGE, READ, may_manage
from inference_endpoints_mcp.server.tool_calls import tool_specs

LARGEST_BODY = 4 * 1024 * 1024
"""The SDK refuses what is larger."""
_READING = Limits(read_only=True)


class StepUpMiddleware:
    """Answers 403 with a challenge to a call that the caller's scopes do not cover."""

    def __init__(self, app: ASGIApp, settings: OAuthSettings) -> None:
        self._app = app
        self._challenge = settings.challenge(f"{READ} {MANAGE}", "insufficient_scope")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or may_manage():
            await self._app(scope, receive, send)
            return
        messages, body = await _read(receive)
        if _may_change_something(body):
            error = f"This call needs the scope {MANAGE}."
            await JSONResponse({"error": error}, 403, self._challenge)(scope, receive, send)
            return

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, replay, send)


async def _read(receive: Receive) -> tuple[list[Message], bytes]:
    """The messages of a request, and the body they carry, cut where the SDK would refuse it."""
    messages: list[Message] = []
    body = b""
    while len(body) <= LARGEST_BODY:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return messages, body


def _may_change_something(body: bytes) -> bool:
    try:
        found = parse_json(body)
    except ValueError:
        return False  # the SDK refuses it
    return any(map(_is_change, found if isinstance(found, list) else [found]))


def _is_change(message: Any) -> bool:
    if not isinstance(message, Mapping) or message.get("method") != "tools/call":
        return False
    params = message.get("params")
    spec = tool_specs().get(str(params.get("name"))) if isinstance(params, Mapping) else None
    return spec is not None and _READING.forbids(spec.name, spec.toolset, spec.effect) is not None
