"""`/healthz` and `/readyz`, for whoever starts and restarts servers. They need no key, and say nothing else."""

from collections.abc import Awaitable, Callable

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class HealthRoutes:
    """ASGI. `/healthz`: the process answers. `/readyz`: and its control plane can be reached."""

    def __init__(self, app: ASGIApp, is_ready: Callable[[], Awaitable[bool]]) -> None:
        self._app = app
        self._is_ready = is_ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match (scope["type"], scope.get("method"), scope.get("path")):
            case ("http", "GET" | "HEAD", "/healthz"):
                await JSONResponse({"status": "ok"})(scope, receive, send)
            case ("http", "GET" | "HEAD", "/readyz"):
                ready = await self._is_ready()
                status = "ready" if ready else "the control plane cannot be reached"
                await JSONResponse({"status": status}, 200 if ready else 503)(scope, receive, send)
            case _:
                await self._app(scope, receive, send)
