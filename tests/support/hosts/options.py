"""Options of a server whose backend is at hand."""

from contextlib import AsyncExitStack
from typing import Any

from inference_endpoints.transport.backend import Backend
from inference_endpoints_mcp.server.application import ServerOptions


def options_for(backend: Backend, **changes: Any) -> ServerOptions:
    async def open_backend(_: AsyncExitStack) -> Backend:
        return backend

    return ServerOptions(**{"open_backend": open_backend, "namespace": "acme", **changes})
