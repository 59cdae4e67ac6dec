"""An HTTP server that ends gracefully: waits answer before their connections are cut."""

import socket
from collections.abc import Callable

import uvicorn


class GracefulServer(uvicorn.Server):
    """After SIGTERM or SIGINT it calls `on_shutdown`, takes no new connection, and gives running calls some time."""

    def __init__(self, config: uvicorn.Config, on_shutdown: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_shutdown = on_shutdown

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_shutdown()
        await super().shutdown(sockets)
