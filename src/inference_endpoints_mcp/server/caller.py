"""Who asked for what is under way: by name for the audit trail, and told from others for what is theirs alone."""

import hashlib
import json
import secrets
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.request_state import authenticated_principal

from inference_endpoints_mcp.policy.audit_trail import Caller, asked_by
from inference_endpoints_mcp.privacy.untrusted_text import line


async def noting_who_asked(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware: keep who asked for as long as the request lasts."""
    host = ctx.session.client_params
    name = line(host.client_info.name, 100) if host else None
    client = getattr(ctx.request, "client", None)
    before = asked_by.set(Caller(name, client.host if client else None, secrets.token_hex(6)))
    try:
        return await call_next(ctx)
    finally:
        asked_by.reset(before)


def caller_of(context: Context[Any, Any]) -> str:
    """Tells one caller from another, and is no secret itself.

    Over stdio there is one. Over HTTP it is whoever signed in, the key that was shown and the session, if any.
    """
    headers, host = context.headers or {}, context.session.client_params
    known = [
        authenticated_principal(context.request_context),
        headers.get("authorization"),
        headers.get("mcp-session-id"),
        host.client_info.name if host else None,
    ]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()
