"""Who asked for what is under way, for the audit trail."""

import secrets
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

from inference_endpoints_mcp.guard.audit import Caller, asked_by
from inference_endpoints_mcp.guard.fence import line


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
