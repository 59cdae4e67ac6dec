"""Close a connection without a response, or in the middle of one, so that the client sees the failure."""

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HANG_UP: Message = {"type": "inference_endpoints_local.hang_up"}
"""A message of our own, as ASGI has none for this: the outermost middleware closes the connection."""


class HangUpResponse(Response):
    """No response at all: the connection is closed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(HANG_UP)


class HangUpMiddleware:
    """Closes the connection instead of a response, on `HANG_UP`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_or_hang_up(message: Message) -> None:
            if message is not HANG_UP:
                await send(message)
                return
            # ASGI has no message for this. uvicorn's `send` is a method of the object that holds the connection.
            transport = getattr(getattr(send, "__self__", None), "transport", None)
            if transport is not None:
                transport.close()
                while (await receive())["type"] != "http.disconnect":
                    pass

        await self._app(scope, receive, send_or_hang_up)
