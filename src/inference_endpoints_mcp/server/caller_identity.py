"""The sender of the current request: name and address for the audit trail, a digest to bind plan tokens to."""

import hashlib
import json
from typing import Any, Protocol

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.request_state import authenticated_principal

from inference_endpoints.transport.backend import Backend
from inference_endpoints_mcp.policy.caller import Caller, current_caller, new_request_id
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.server.mcp_host import host_name

ACCOUNT = "inference_endpoints_mcp.account"
"""Where the scope of an HTTP request has its account, where callers bring their own token."""


class AccountFacts(Protocol):
    """A caller with a token of its own: who calls, and a name that tells nothing of either."""

    @property
    def caller(self) -> str: ...

    @property
    def name(self) -> str: ...


async def track_caller(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware: record the caller for the duration of the request."""
    host, client = host_name(ctx.session), getattr(ctx.request, "client", None)
    name = clean_line(host, 100) if host is not None else None
    account = _account(ctx)
    address, own = client.host if client else None, account.name if account else None
    caller = Caller(name, address, new_request_id(), _signed_in(), own)
    token = current_caller.set(caller)
    try:
        return await call_next(ctx)
    finally:
        current_caller.reset(token)


def identify_caller(context: Context[Any, Any], backend: Backend) -> str:
    """A digest that distinguishes callers and is not a secret itself.

    Over stdio there is one caller, the user of the operating system. Over HTTP it is who signed in, not a session: many
    clients open one for each call. Callers of two servers are the same only if both act for one account.
    """
    headers = context.headers or {}
    account = _account(context.request_context)
    known = [
        account.caller if account else authenticated_principal(context.request_context) or headers.get("authorization"),
        backend.control_plane,
        backend.token,
    ]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def _account(ctx: ServerRequestContext[Any, Any]) -> AccountFacts | None:
    found: AccountFacts | None = getattr(ctx.request, "scope", {}).get(ACCOUNT)
    return found


def _signed_in() -> str | None:
    """The name of the caller's key, or whom its identity provider knows it as."""
    token = get_access_token()
    if token is None:
        return None
    return clean_line(f"{token.subject} of {(token.claims or {})['iss']}", 200) if token.subject else token.client_id
