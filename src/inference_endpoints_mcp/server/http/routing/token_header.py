"""The header in which a caller sends a Hugging Face token of its own. No other module sees it."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from inference_endpoints_mcp.server.backends.caller_tokens import HEADER, TokenRefused, read_token, refuse_token
from inference_endpoints_mcp.server.caller_identity import ACCOUNT
from inference_endpoints_mcp.server.configuration.profile_servers import Servers
from inference_endpoints_mcp.server.http.refusal import refusal
from inference_endpoints_mcp.server.http.routing.accounts import Accounts, AccountsFull
from inference_endpoints_mcp.server.http.routing.server_router import profile_of
from inference_endpoints_mcp.server.http.session_limits import caller_of

RETRY_AFTER_S = 30


class CallerTokensMiddleware:
    """ASGI: notes the account of each request, and takes the token out of it.

    A token that nobody asked for is refused, so that no caller believes that it acts with its own.
    """

    def __init__(self, app: ASGIApp, servers: Servers, accounts: Accounts) -> None:
        self._app = app
        self._servers = servers
        self._accounts = accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        server = self._servers.current.get(profile_of(scope)) if scope["type"] == "http" else None
        if server is None:  # the router tells the caller
            await self._app(scope, receive, send)
            return
        values = Headers(scope=scope).getlist(HEADER)
        try:
            if server.options.caller_backend is None:
                refuse_token(values)
                await self._app(scope, receive, send)
                return
            account = self._accounts.open(server, caller_of(scope), read_token(values))
        except TokenRefused as error:
            await refusal(str(error), 400)(scope, receive, send)
            return
        except AccountsFull as error:
            await refusal(str(error), 429, {"Retry-After": str(RETRY_AFTER_S)})(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name.lower() != HEADER.lower().encode()]
        with account.used():
            await self._app({**scope, "headers": headers, ACCOUNT: account}, receive, send)
