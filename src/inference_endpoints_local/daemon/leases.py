"""What stands before a plane: who uses it, how long it stays, and how it is told to end."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from inference_endpoints_local.api.middleware import http_error, with_middleware
from inference_endpoints_local.api.request_handling import error_response
from inference_endpoints_local.wire import routes
from inference_endpoints_local.wire.queries import StopQuery, parse_query
from inference_endpoints_local.wire.requests import InvalidRequest
from inference_endpoints_local.wire.routes import RouteContract

_Handler = Callable[[Request], Awaitable[Response]]


class LeaseMiddleware:
    """A plane's routes and three of our own, with a count of the requests under way.

    A lease is a request that stays under way for as long as the process that made it lives. `may_end` says whether
    the plane can make room for another; `end` is told that it is to end.
    """

    def __init__(self, app: ASGIApp, token: str, *, may_end: Callable[[], bool], end: Callable[[], None]) -> None:
        self.ending = asyncio.Event()
        self._expected = f"Bearer {token}".encode()
        self._may_end = may_end
        self._end = end
        self.leases = 0
        self._under_way = 0
        self._changed = asyncio.Event()
        self._app = app
        served = [
            self._route(routes.STATUS, self._status),
            self._route(routes.LEASE, self._lease),
            self._route(routes.STOP, self._stop),
        ]
        own = with_middleware(Starlette(routes=served, exception_handlers={HTTPException: http_error}))
        self._own = {route.path: own for route in served}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._under_way += 1
        self._changed.set()
        try:
            await self._own.get(scope["path"], self._app)(scope, receive, send)
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

    def _route(self, one: RouteContract, handler: _Handler) -> Route:
        async def checked(request: Request) -> Response:
            shown = request.headers.get("authorization", "").encode()
            if not secrets.compare_digest(shown, self._expected):
                return error_response(401, "The token is missing or not this plane's.")
            try:
                return await handler(request)
            except InvalidRequest as reason:
                return error_response(400, str(reason))

        return Route(one.path, checked, methods=[one.method])

    async def _status(self, _: Request) -> Response:
        return JSONResponse({"may_end": self._may_end()})

    async def _lease(self, _: Request) -> Response:
        async def nothing_until_the_end() -> AsyncIterator[bytes]:
            self.leases += 1
            try:
                await self.ending.wait()
            finally:
                self.leases -= 1
            yield b""

        return StreamingResponse(nothing_until_the_end())

    async def _stop(self, request: Request) -> Response:
        if parse_query(request, StopQuery).when == "idle" and not self._may_end():
            return error_response(409, "The plane is busy, or was asked to stay.")
        self._end()
        return JSONResponse({}, 202)
