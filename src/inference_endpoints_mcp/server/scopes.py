"""What a caller who signed in at an identity provider may do, by the scopes of its token."""

from typing import Any

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.policy.policy import caller_limits

READ = "endpoints:read"
"""The scope that every call needs."""
MANAGE = "endpoints:manage"
"""The scope that a call needs which may change something."""


async def apply_scopes(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware: whose scopes do not cover changes only reads. Lists show all tools, so that a client can ask."""
    if may_manage() or ctx.method == "tools/list":
        return await call_next(ctx)
    limits = caller_limits.get() or Limits()
    token = caller_limits.set(limits.model_copy(update={"read_only": True}))
    try:
        return await call_next(ctx)
    finally:
        caller_limits.reset(token)


def may_manage() -> bool:
    """Whether the caller may change something, as far as its scopes say: a key of the operator has none, and may."""
    token = get_access_token()
    return token is None or token.subject is None or MANAGE in token.scopes
