"""What stands before a plane: who uses it, how long it stays, and how it is told to end."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

_Handler = Callable[[Request], Awaitable[Response]]


class Front:
    """A plane's routes and three of our own, with a count of the requests under way.

    A lease is a request that stays under way for as long as the process that made it lives. `may_end` says whether
    the plane can make room for another; `end` is told that it is to end.
    """

    def __init__(self, app: ASGIApp, token: str, *, may_end: Callable[[], bool], end: Callable[[], None]) -> None:
        self.ending = asyncio.Event()
        self._expected = f"Bearer {token}".encode()
        self._may_end = may_end
        self._end = end
        self._under_way = 0
        self._changed = asyncio.Event()
        self._routes = Router(
            routes=[
                Route("/local/status", self._with_token(self._status)),
                Route("/local/lease", self._with_token(self._lease)),
                Route("/local/stop", self._with_token(self._stop), methods=["POST"]),
                Mount("/", app),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._under_way += 1
        self._changed.set()
        try:
            await self._routes(scope, receive, send)
        except asyncio.CancelledError:
            # Cut off by the end of the plane, which is not an error to trace.
            if not self.ending.is_set():
                raise
        finally:
            self._under_way -= 1
            self._changed.set()

    async def unused_for(self, seconds: float) -> None:
        """Return once no request has been under way for so long."""
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(None if self._under_way else seconds):
                    await self._changed.wait()
            except TimeoutError:
                return

    def _with_token(self, route: _Handler) -> _Handler:
        async def checked(request: Request) -> Response:
            shown = request.headers.get("authorization", "").encode()
            if not secrets.compare_digest(shown, self._expected):
                return JSONResponse({"error": "The token is missing or not this plane's."}, 401)
            return await route(request)

        return checked

    async def _status(self, _: Request) -> Response:
        return JSONResponse({"may_end": self._may_end()})

    async def _lease(self, _: Request) -> Response:
        async def nothing_until_the_end() -> AsyncIterator[bytes]:
            await self.ending.wait()
            yield b""

        return StreamingResponse(nothing_until_the_end())

    async def _stop(self, request: Request) -> Response:
        if request.query_params.get("when") == "idle" and not self._may_end():
            return JSONResponse({"error": "The plane is busy, or was asked to stay."}, 409)
        self._end()
        return JSONResponse({}, 202)
