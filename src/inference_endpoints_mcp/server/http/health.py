"""`/healthz` and `/readyz`, for whoever starts and restarts servers. They need no key, and say nothing else."""

from collections.abc import Awaitable, Callable

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

BROKER_LOST = "it cannot be reached: what needs approval by plan or has a price limit is refused"


class HealthRoutes:
    """ASGI. `/healthz`: the process answers. `/readyz`: and its control plane can be reached.

    Where replicas share a broker, `has_broker` tells whether that answers. A server without it is ready: it reads and
    waits, and all replicas would be taken away at once.
    """

    def __init__(
        self,
        app: ASGIApp,
        is_ready: Callable[[], Awaitable[bool]],
        has_broker: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._app = app
        self._is_ready = is_ready
        self._has_broker = has_broker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match (scope["type"], scope.get("method"), scope.get("path")):
            case ("http", "GET" | "HEAD", "/healthz"):
                await JSONResponse({"status": "ok"})(scope, receive, send)
            case ("http", "GET" | "HEAD", "/readyz"):
                ready = await self._is_ready()
                status = "ready" if ready else "the control plane cannot be reached"
                answer = {"status": status}
                if self._has_broker is not None:
                    answer["broker"] = "ready" if await self._has_broker() else BROKER_LOST
                await JSONResponse(answer, 200 if ready else 503)(scope, receive, send)
            case _:
                await self._app(scope, receive, send)
