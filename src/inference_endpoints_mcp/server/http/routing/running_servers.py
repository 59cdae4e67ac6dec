"""The servers of this process that run: each starts with its first request, and ends when it is told to."""

import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup, TaskStatus
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from inference_endpoints_mcp.server.mcp_server import EndpointsServer

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _RunningServer:
    """The application of a server, with the requests that it answers now."""

    app: Starlette
    requests: int = 0
    may_end: anyio.Event = field(default_factory=anyio.Event)

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        try:
            async with self.app.router.lifespan_context(self.app):
                task_status.started()
                await self.may_end.wait()
        except Exception:
            if not self.may_end.is_set():
                raise
            log.exception("a server did not end as it should")  # the others go on


class RunningServers:
    """Runs servers by their applications, which `build_app` makes."""

    def __init__(self, build_app: Callable[[EndpointsServer], Starlette]) -> None:
        self._build_app = build_app
        self._running: dict[EndpointsServer, _RunningServer] = {}
        self._starting = anyio.Lock()
        self._tasks: TaskGroup | None = None

    def end_waits(self) -> None:
        for server in self._running:
            server.end_waits()

    async def serve(self, server: EndpointsServer, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. A server that was ended must not be asked again."""
        running = await self.start(server)
        running.requests += 1
        try:
            await running.app(scope, receive, send)
        finally:
            running.requests -= 1

    async def start(self, server: EndpointsServer) -> _RunningServer:
        async with self._starting:
            if server not in self._running:
                assert self._tasks is not None, "requests come after the start"
                running = _RunningServer(self._build_app(server))
                await self._tasks.start(running.run)
                self._running[server] = running
            return self._running[server]

    def end_unused(self, servers: Iterable[EndpointsServer]) -> None:
        """End those of all that run which are none of these, and answer nothing now."""
        wanted = set(servers)
        for server, running in list(self._running.items()):
            if server not in wanted and not running.requests:
                running.may_end.set()
                del self._running[server]

    @asynccontextmanager
    async def until_end(self) -> AsyncIterator[None]:
        """Servers can run in this block. It waits for the end of those that still do."""
        async with anyio.create_task_group() as self._tasks:
            yield
            for running in self._running.values():
                running.may_end.set()
