"""The leases of a plane: who uses it, how long it stays, and how it is stopped."""

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from inference_endpoints_local.api.middleware import http_error, with_middleware
from inference_endpoints_local.api.request_handling import Handler, authorized, error_response
from inference_endpoints_local.wire import routes
from inference_endpoints_local.wire.queries import StopQuery, parse_query
from inference_endpoints_local.wire.routes import RouteContract


class LeaseMiddleware:
    """Adds three routes to those of a plane, and counts the requests in flight.

    A lease is a request that stays in flight as long as the process that sent it lives. `may_end` returns whether the
    plane may end so that another can take its place. `end` ends it.
    """

    def __init__(self, app: ASGIApp, token: str, *, may_end: Callable[[], bool], end: Callable[[], None]) -> None:
        self.ending = asyncio.Event()
        self._token = token
        self._may_end = may_end
        self._end = end
        self.lease_count = 0
        self._in_flight = 0
        self._changed = asyncio.Event()
        self._app = app
        own_routes = [
            self._route(routes.STATUS, self._status),
            self._route(routes.LEASE, self._lease),
            self._route(routes.STOP, self._stop),
        ]
        own = with_middleware(Starlette(routes=own_routes, exception_handlers={HTTPException: http_error}))
        self._own = {route.path: own for route in own_routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._in_flight += 1
        self._changed.set()
        try:
            await self._own.get(scope["path"], self._app)(scope, receive, send)
        except asyncio.CancelledError:
            # The plane ends and cancels its requests. That is no error to log.
            if not self.ending.is_set():
                raise
        finally:
            self._in_flight -= 1
            self._changed.set()

    async def wait_until_unused(self, seconds: float) -> None:
        """Return once no request was in flight for so long."""
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(None if self._in_flight else seconds):
                    await self._changed.wait()
            except TimeoutError:
                return

    def _route(self, route: RouteContract, handler: Handler) -> Route:
        return Route(route.path, authorized(handler, lambda: self._token), methods=[route.method])

    async def _status(self, _: Request) -> Response:
        return JSONResponse({"may_end": self._may_end()})

    async def _lease(self, _: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            self.lease_count += 1
            try:
                await self.ending.wait()
            finally:
                self.lease_count -= 1
            yield b""

        return StreamingResponse(body())

    async def _stop(self, request: Request) -> Response:
        if parse_query(request, StopQuery).when == "idle" and not self._may_end():
            return error_response(409, "The plane is busy, or was started to run until it is stopped.")
        self._end()
        return JSONResponse({}, 202)
