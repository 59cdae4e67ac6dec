"""An HTTP server that ends gracefully: calls answer before their connections are cut."""

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from sse_starlette.sse import AppStatus

from inference_endpoints_mcp.server.http.listening import WAITING_CONNECTIONS


class GracefulServer(uvicorn.Server):
    """After SIGTERM or SIGINT it calls `on_shutdown`, takes no new connection, and gives running calls some time.

    `at_end`, which may take some seconds, is called when nothing runs any more: then the signal ends the process.
    """

    def __init__(
        self, config: uvicorn.Config, on_shutdown: Callable[[], None], at_end: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(config)
        self._on_shutdown = on_shutdown
        self._at_end = at_end

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # It would cut every stream within 0.5 s after a signal, those of calls too: their answers come on streams.
        AppStatus.enable_automatic_graceful_drain = False
        await super().startup(sockets)
        for listener in sockets or ():
            # asyncio takes one number for how many may wait and for how many it accepts at once, which is small.
            listener.listen(WAITING_CONNECTIONS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_shutdown()
        await super().shutdown(sockets)
        await asyncio.to_thread(self._at_end)
