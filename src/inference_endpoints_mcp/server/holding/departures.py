"""Notes which HTTP requests a host left before they were answered. In the older protocol the call itself goes on."""

from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_KEY = "inference_endpoints_mcp.departure"


@dataclass
class Departure:
    """Whether the host closed the connection before its answer was complete."""

    left: bool = False
    answered: bool = False


class NoteDepartures:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        departure = Departure()

        async def receiving() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect" and not departure.answered:
                departure.left = True
            return message

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                departure.answered = True
            await send(message)

        await self._app({**scope, _KEY: departure}, receiving, sending)


def has_left(request: Any) -> bool:
    """Whether the host left this HTTP request; False for a request that came otherwise."""
    departure = getattr(request, "scope", {}).get(_KEY)
    return departure is not None and departure.left
