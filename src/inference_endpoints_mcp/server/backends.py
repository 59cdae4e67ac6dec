"""The two backends a server can stand on. Neither is ever guessed, and neither is reached before the first call."""

from contextlib import AsyncExitStack
from pathlib import Path

from inference_endpoints.errors import Unavailable
from inference_endpoints.transport import backend
from inference_endpoints.transport.backend import Backend
from inference_endpoints_local.daemon import connect


class HuggingFace:
    """The hosted service, with the operator's token, if there is one, and the hosts of endpoints that may see it."""

    def __init__(self, token: str | None, extra_hosts: tuple[str, ...] = ()) -> None:
        self._backend = backend.hugging_face(token, extra_hosts)

    async def reach(self, _: AsyncExitStack) -> Backend:
        return self._backend


class LocalPlane:
    """The embedded control plane of a data folder: joined or started, and kept alive by a lease."""

    def __init__(self, folder: Path, options: connect.StartOptions) -> None:
        self._folder = folder
        self._options = options
        self._lease: connect.Lease | None = None

    async def reach(self, stack: AsyncExitStack) -> Backend:
        """Raises `Unavailable`, with the reason, if there is none and none can be started."""
        stack.push_async_callback(self._let_go)
        return await self._connect()

    async def reconnect(self, _: Backend) -> Backend:
        """Once more, after nothing listened at its address."""
        await self._let_go()
        return await self._connect()

    async def _connect(self) -> Backend:
        try:
            plane = await connect.connect(self._folder, self._options)
            self._lease = await connect.lease(plane)
        except connect.PlaneError as error:
            raise Unavailable(
                "The embedded control plane could not be started or joined.",
                hint=f"{error} `inference-endpoints-mcp doctor --local` shows more.",
            ) from error
        return backend.local(plane.url, plane.token)

    async def _let_go(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            await lease.aclose()
