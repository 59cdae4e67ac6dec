"""Around all routes: a request id on every response, requests for this machine alone, and errors in one form."""

import logging
import uuid
from collections.abc import Iterable
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference_endpoints_local.api.hang_up import HangUpMiddleware
from inference_endpoints_local.api.request_handling import error_response
from inference_endpoints_local.loopback import is_loopback

logger = logging.getLogger(__name__)

_OWN_SITES = frozenset({"none", "same-origin"})
"""Of `Sec-Fetch-Site`: what the person at the browser opened, and what belongs to it."""


def with_middleware(app: ASGIApp) -> ASGIApp:
    """The application inside its three middlewares, the first outermost."""
    return HangUpMiddleware(RequestIdMiddleware(LoopbackMiddleware(app)))


class RequestIdMiddleware:
    """Gives every request an id, which its response carries as `x-request-id`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(key, value) for key, value in message.get("headers", ()) if key.lower() != b"x-request-id"]
                message = {**message, "headers": [*headers, (b"x-request-id", request_id.encode())]}
            await send(message)

        await self._app(scope, receive, send_with_id)


class LoopbackMiddleware:
    """Accepts only requests that are addressed to this machine."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = loopback_refusal(scope["headers"]) if scope["type"] == "http" else None
        await (app or self._app)(scope, receive, send)


async def http_error(request: Request, failure: Exception) -> Response:
    """An error of the framework, in the documented form."""
    assert isinstance(failure, HTTPException)
    headers = dict(failure.headers or {})
    if failure.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # The framework names the methods of one route. A path may have several routes.
        routes = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
        headers["Allow"] = ", ".join(sorted({method for route in routes for method in route.methods}))
    return error_response(failure.status_code, failure.detail, headers)


async def internal_error(request: Request, failure: Exception) -> Response:
    """An unexpected error, in the documented form."""
    logger.error("%s %s", request.method, request.url.path, exc_info=failure)
    return error_response(500, "Internal Server Error")


def loopback_refusal(headers: Iterable[tuple[bytes, bytes]]) -> Response | None:
    """The error for a request with another host in `Host` (421), or of a web page (403); None if there is none.

    A web page can resolve a name of its own to 127.0.0.1 and send requests there from a browser (DNS rebinding). Such a
    request has that name in `Host`, or the page's in `Origin`. This plane accepts the loopback names alone. A page can
    also have an image or a frame loaded from here, which would wake a public endpoint: such a request has no `Origin`,
    but browsers add `Sec-Fetch-Site`, older ones `Referer`.
    """
    decoded = [(name.lower(), value.decode("latin-1")) for name, value in headers]
    hosts = [f"//{value}" for name, value in decoded if name == b"host"]
    if not hosts or not all(map(is_loopback, hosts)):
        return error_response(421, "Misdirected Request: this plane only accepts the hosts 127.0.0.1 and localhost")
    pages = [value for name, value in decoded if name in (b"origin", b"referer")]
    sites = {value for name, value in decoded if name == b"sec-fetch-site"}
    named = any(name == b"origin" for name, _ in decoded)
    if not all(map(is_loopback, pages)) or (not named and sites - _OWN_SITES):
        return error_response(403, "Forbidden: web pages of other hosts may not call this plane")
    return None
