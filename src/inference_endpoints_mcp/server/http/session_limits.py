"""How many sessions of the older protocol one caller may have: hosts leave theirs behind, and each takes memory."""

import json
import time
from dataclasses import dataclass
from uuid import uuid4

from mcp.server.auth.middleware.bearer_auth import authorization_context
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference_endpoints_mcp.server.caller_identity import ACCOUNT
from inference_endpoints_mcp.server.http.refusal import refusal

MCP_PATH = "/mcp"
SESSION_IDLE_S = 30 * 60.0
"""Seconds without a request after which the SDK ends a session."""


@dataclass
class _Session:
    caller: str
    account: object
    """That of its caller and token, where callers bring their own."""
    running: int
    """Requests in progress; the stream of notifications is one."""
    last_used: float


class SessionLimits:
    """ASGI middleware. A caller with too many sessions loses the one that it has not used for longest; its host then
    opens another, as the protocol demands. If all are in use, a new one is refused.
    """

    def __init__(self, app: ASGIApp, max_sessions: int) -> None:
        self._app = app
        self._max_sessions = max_sessions
        self._sessions: dict[str, _Session] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != MCP_PATH:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        session_id = headers.get(MCP_SESSION_ID_HEADER)
        if session_id in self._sessions:
            await self._continue_session(session_id, scope, receive, send)
        elif session_id is None and _is_older_protocol(headers):
            await self._open_session(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _continue_session(self, session_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        session = self._sessions[session_id]
        if session.account is not scope.get(ACCOUNT):
            await refusal("This session has ended or belongs to another token. Open a new one with this token.", 404)(
                scope, receive, send
            )
            return

        async def watch(message: Message) -> None:
            ended = scope["method"] == "DELETE" and message.get("status") == 200
            if ended or message.get("status") == 404:
                self._sessions.pop(session_id, None)
            await send(message)

        session.running += 1
        try:
            await self._app(scope, receive, watch)
        finally:
            session.running -= 1
            session.last_used = time.monotonic()

    async def _open_session(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = f"opening {uuid4().hex}"
        session = self._sessions[key] = _Session(caller_of(scope), scope.get(ACCOUNT), 1, time.monotonic())

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                session_id = Headers(raw=message["headers"]).get(MCP_SESSION_ID_HEADER)
                if session_id:
                    self._sessions[session_id] = session
            await send(message)

        try:
            app = self._app if await self._make_room(session.caller, scope) else self._refuse
            await app(scope, receive, watch)
        finally:
            del self._sessions[key]
            session.running -= 1
            session.last_used = time.monotonic()

    async def _make_room(self, caller: str, scope: Scope) -> bool:
        """Whether the caller may have all its sessions, after the end of some that are idle."""
        now = time.monotonic()
        for key, session in list(self._sessions.items()):
            if not session.running and now - session.last_used > SESSION_IDLE_S:
                del self._sessions[key]
        own = {id(session): key for key, session in self._sessions.items() if session.caller == caller}
        idle = [key for key in own.values() if not self._sessions[key].running]
        idle.sort(key=lambda key: self._sessions[key].last_used)
        surplus = len(own) - self._max_sessions
        if surplus > len(idle):
            return False
        for key in idle[: max(0, surplus)]:
            session = self._sessions.pop(key)
            await self._end(key, {**scope, ACCOUNT: session.account})
        return True

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        hint = "End one (DELETE). Only the operator of this server can allow more (--max-sessions)."
        error = f"This caller already has {self._max_sessions} open sessions, all in use. {hint}"
        await JSONResponse({"error": error}, 429)(scope, receive, send)

    async def _end(self, session_id: str, scope: Scope) -> None:
        """End a session as its host would."""

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            pass

        headers = [(MCP_SESSION_ID_HEADER.encode(), session_id.encode())]
        await self._app({**scope, "method": "DELETE", "headers": headers}, receive, send)


def _is_older_protocol(headers: Headers) -> bool:
    """The SDK's own rule: it opens a session for these requests."""
    return headers.get(MCP_PROTOCOL_VERSION_HEADER, HANDSHAKE_PROTOCOL_VERSIONS[0]) in HANDSHAKE_PROTOCOL_VERSIONS


def caller_of(scope: Scope) -> str:
    """Who signed in, else the network address."""
    if "user" in scope:
        # Not the client alone: at an identity provider, many people use one.
        return json.dumps(authorization_context(scope["user"]))
    return scope["client"][0] if scope["client"] else ""
