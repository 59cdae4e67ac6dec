"""Profiles: groups of callers that share a token, limits, a budget and a way of approval, and nothing with others."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup, TaskStatus
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from inference_endpoints_mcp.server.configuration.profile_servers import ProfileServers
from inference_endpoints_mcp.server.http.sign_in.keys import PROFILE
from inference_endpoints_mcp.server.mcp_server import EndpointsServer

DEFAULT_PROFILE = "default"
"""The profile of a caller who has none. Without it such a caller is refused."""


@dataclass(eq=False)
class _RunningApp:
    """The application of a server, with the requests that it answers now."""

    server: EndpointsServer
    app: Starlette
    requests: int = 0
    may_end: anyio.Event = field(default_factory=anyio.Event)

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        async with self.app.router.lifespan_context(self.app):
            task_status.started()
            await self.may_end.wait()


class ProfileRouter:
    """ASGI: each caller reaches the server of its profile.

    Each server has its own clients, caches, watchers, sessions, plans and limits. So what one profile sees cannot reach
    another. A server whose profile is gone, or has another one, ends after its last request.
    """

    def __init__(self, servers: ProfileServers, build_app: Callable[[EndpointsServer], Starlette]) -> None:
        self._servers = servers
        self._build_app = build_app
        self._running: dict[EndpointsServer, _RunningApp] = {}
        self._starting = anyio.Lock()
        self._tasks: TaskGroup | None = None
        self._lifespan = Starlette(lifespan=self._run)

    def end_waits(self) -> None:
        for server in self._running:
            server.end_waits()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        user = scope["user"]
        assert isinstance(user, AuthenticatedUser)
        name = (user.access_token.claims or {}).get(PROFILE) or DEFAULT_PROFILE
        server = self._servers.current.get(name)
        if server is None:
            error = "Your key or group has no profile on this server. Its operator can give it one."
            await JSONResponse({"error": error}, 403)(scope, receive, send)
            return
        running = await self._started(server)
        running.requests += 1
        try:
            await running.app(scope, receive, send)
        finally:
            running.requests -= 1
            self._end_unused()

    async def _started(self, server: EndpointsServer) -> _RunningApp:
        async with self._starting:
            if server not in self._running:
                assert self._tasks is not None, "requests come after the start"
                running = _RunningApp(server, self._build_app(server))
                await self._tasks.start(running.run)
                self._running[server] = running
                self._end_unused()
            return self._running[server]

    def _end_unused(self) -> None:
        current = self._servers.current.values()
        for server, running in list(self._running.items()):
            if server not in current and not running.requests:
                running.may_end.set()
                del self._running[server]

    @asynccontextmanager
    async def _run(self, _: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as self._tasks:
            for server in self._servers.current.values():
                await self._started(server)
            yield
            for running in self._running.values():
                running.may_end.set()
