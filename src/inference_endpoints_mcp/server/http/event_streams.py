"""The streams that hosts of the older protocol keep open for notifications: one for each session, by GET."""

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class EventStreams:
    """ASGI middleware. Without `end` each of these streams would last for the whole grace period of a shutdown."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open: set[anyio.CancelScope] = set()
        self._has_ended = False

    def end(self) -> None:
        """End all of them, and each that begins later."""
        self._has_ended = True
        for stream in self._open:
            stream.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        stream = anyio.CancelScope()

        async def sending(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start" and _begins_event_stream(message):
                self._open.add(stream)
                if self._has_ended:
                    stream.cancel()

        with stream:
            try:
                await self._app(scope, receive, sending)
            finally:
                self._open.discard(stream)
        if stream.cancelled_caught:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _begins_event_stream(message: Message) -> bool:
    return any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in message["headers"])
