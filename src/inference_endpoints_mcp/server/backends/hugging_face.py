"""The hosted service as the backend of a server. It is opened on the first call."""

from contextlib import AsyncExitStack

from inference_endpoints.transport import backend
from inference_endpoints.transport.backend import Backend
from inference_endpoints_mcp.server.backends.token_sources import TokenSource


class HuggingFaceConnector:
    """The hosted service. Endpoints on `extra_hosts` get the token too, if there is one."""

    def __init__(self, token: TokenSource, extra_hosts: tuple[str, ...] = ()) -> None:
        self._token = token
        self._extra_hosts = extra_hosts

    async def open(self, _: AsyncExitStack) -> Backend:
        """Raises `NotConfigured` where the token cannot be read."""
        return await self._connect()

    async def reconnect(self, _: Backend) -> Backend:
        """The service with the token as it is now."""
        return await self._connect()

    async def _connect(self) -> Backend:
        return backend.hugging_face(await self._token(), self._extra_hosts)
