"""Profiles: groups of callers that share a token, limits, a budget and a way of approval, and nothing with others."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from inference_endpoints_mcp.server.http.sign_in.keys import PROFILE

DEFAULT_PROFILE = "default"
"""The profile of a caller who has none. Without it such a caller is refused."""


class ProfileRouter:
    """ASGI: each caller reaches the server of its profile.

    Each server has its own clients, caches, watchers, sessions, plans and limits. So what one profile sees cannot reach
    another.
    """

    def __init__(self, apps: Mapping[str, Starlette]) -> None:
        self._apps = apps
        self._lifespan = Starlette(lifespan=self._run)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        user = scope["user"]
        assert isinstance(user, AuthenticatedUser)
        name = (user.access_token.claims or {}).get(PROFILE) or DEFAULT_PROFILE
        app = self._apps.get(name)
        if app is None:
            error = "Your key or group has no profile on this server. Its operator can give it one."
            await JSONResponse({"error": error}, 403)(scope, receive, send)
            return
        await app(scope, receive, send)

    @asynccontextmanager
    async def _run(self, _: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for app in self._apps.values():
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield
