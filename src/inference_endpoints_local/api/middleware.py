"""What stands around all routes: a request id on every answer, and refusals of the framework in the documented form."""

import logging
import uuid
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference_endpoints_local.api import loopback
from inference_endpoints_local.api.gateway import error
from inference_endpoints_local.state.faults import HANG_UP

logger = logging.getLogger(__name__)


class Outermost:
    """Lets in what is addressed to this machine, gives every request an id, which its answer carries, and hangs up
    where no answer is to be given.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def sending(message: Message) -> None:
            if message is HANG_UP:
                # ASGI has no word for it. uvicorn's `send` belongs to an object that knows the connection.
                transport = getattr(getattr(send, "__self__", None), "transport", None)
                if transport is not None:
                    transport.close()
                    while (await receive())["type"] != "http.disconnect":
                        pass
                return
            if message["type"] == "http.response.start":
                headers = [(key, value) for key, value in message.get("headers", ()) if key.lower() != b"x-request-id"]
                message = {**message, "headers": [*headers, (b"x-request-id", request_id.encode())]}
            await send(message)

        await (loopback.refusal(scope["headers"]) or self._app)(scope, receive, sending)


async def http_error(request: Request, failure: Exception) -> Response:
    """A refusal of the framework, in the documented form."""
    assert isinstance(failure, HTTPException)
    headers = dict(failure.headers or {})
    if failure.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # The framework names the methods of one route; a path may have several.
        routes = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
        headers["Allow"] = ", ".join(sorted({method for route in routes for method in route.methods}))
    return JSONResponse({"error": failure.detail}, failure.status_code, headers)


async def crash(request: Request, failure: Exception) -> Response:
    """What nobody foresaw, in the documented form."""
    logger.error("%s %s", request.method, request.url.path, exc_info=failure)
    return error(500, "Internal Server Error")
