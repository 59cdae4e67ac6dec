"""An HTTP server that ends gracefully: waits answer before their connections are cut."""

import socket
from collections.abc import Callable

import uvicorn

from inference_endpoints_mcp.server.http.listening import WAITING_CONNECTIONS


class GracefulServer(uvicorn.Server):
    """After SIGTERM or SIGINT it calls `on_shutdown`, takes no new connection, and gives running calls some time."""

    def __init__(self, config: uvicorn.Config, on_shutdown: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_shutdown = on_shutdown

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            # asyncio takes one number for how many may wait and for how many it accepts at once, which is small.
            listener.listen(WAITING_CONNECTIONS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_shutdown()
        await super().shutdown(sockets)
