"""Lets each request reach the server of its caller's profile, or of its account."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from inference_endpoints_mcp.server.caller_identity import ACCOUNT
from inference_endpoints_mcp.server.configuration.profile_servers import DEFAULT_PROFILE, Servers
from inference_endpoints_mcp.server.http.refusal import refusal
from inference_endpoints_mcp.server.http.routing.accounts import Account, Accounts
from inference_endpoints_mcp.server.http.routing.running_servers import RunningServers
from inference_endpoints_mcp.server.http.sign_in.keys import PROFILE
from inference_endpoints_mcp.server.mcp_server import EndpointsServer


class ServerRouter:
    """ASGI. Profiles: groups of callers that share a token, limits, a budget and a way of approval.

    Each server has its own clients, caches, watchers, sessions, plans and limits. So what one profile or account sees
    cannot reach another. A server whose profile is gone, or has another one, ends after its last request.
    """

    def __init__(self, servers: Servers, accounts: Accounts, build_app: Callable[[EndpointsServer], Starlette]) -> None:
        self._servers = servers
        self._accounts = accounts
        self._running = RunningServers(build_app)
        self._lifespan = Starlette(lifespan=self._run)

    def end_waits(self) -> None:
        self._running.end_waits()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        server = self._servers.current.get(profile_of(scope))
        account: Account | None = scope.get(ACCOUNT)
        if server is None:
            error = "Your key or group has no profile on this server. Its operator can give it one."
            await JSONResponse({"error": error}, 403)(scope, receive, send)
            return
        if account is not None:
            if not self._accounts.has(account):
                await refusal("Session not found", 404)(scope, receive, send)
                return
            server = account.server
        try:
            await self._running.serve(server, scope, receive, send)
        finally:
            self._end_unused()

    def _end_unused(self) -> None:
        """End what no configuration and no caller needs any more."""
        profiles = self._servers.current.values()
        self._accounts.evict_unused(profiles)
        self._running.end_unused({*profiles, *self._accounts.servers})

    async def _look_for_unused(self) -> None:
        while True:
            await anyio.sleep(self._accounts.idle_s / 4)
            self._end_unused()

    @asynccontextmanager
    async def _run(self, _: Starlette) -> AsyncIterator[None]:
        async with self._running.until_end(), anyio.create_task_group() as looking:
            for server in self._servers.current.values():
                await self._running.start(server)
            looking.start_soon(self._look_for_unused)
            yield
            looking.cancel_scope.cancel()


def profile_of(scope: Scope) -> str:
    """The profile of a caller; the default one of a caller who has none, or did not sign in."""
    user = scope.get("user")
    claims = user.access_token.claims if isinstance(user, AuthenticatedUser) else None
    return (claims or {}).get(PROFILE) or DEFAULT_PROFILE
