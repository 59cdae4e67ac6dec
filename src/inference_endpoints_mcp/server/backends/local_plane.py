"""The embedded control plane as the backend of a server. It is joined or started on the first call."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from inference_endpoints.errors import Unavailable
from inference_endpoints.transport import backend
from inference_endpoints.transport.backend import Backend
from inference_endpoints_local.daemon import connect


class LocalPlaneConnector:
    """The embedded control plane of a data folder. It is joined or started, and a lease keeps it running."""

    def __init__(self, folder: Path, options: connect.StartOptions) -> None:
        self._folder = folder
        self._options = options
        self._plane: connect.RunningPlane | None = None
        self._backend: Backend | None = None
        self._lease: connect.Lease | None = None
        self._connecting = asyncio.Lock()

    async def open(self, stack: AsyncExitStack) -> Backend:
        """Raises `Unavailable` with the reason if none runs and none can be started."""
        stack.push_async_callback(self._release_lease)
        async with self._connecting:
            return await self._connect()

    async def reconnect(self, lost: Backend) -> Backend:
        """Connect again after nothing listened at its address: once for all calls that found that.

        A plane that has to be started again gets the settings it had, not those of whoever misses it first.
        """
        async with self._connecting:
            if not self.has_lost_its_plane:
                return self._backend or lost
            await self._release_lease()
            return await self._connect()

    @property
    def has_lost_its_plane(self) -> bool:
        """Whether the plane that was connected last is known to have ended."""
        return self._lease is None or not self._lease.alive

    async def _connect(self) -> Backend:
        try:
            self._plane = await connect.connect_plane(self._folder, self._options_again())
            self._lease = await connect.take_lease(self._plane)
        except connect.PlaneError as error:
            raise Unavailable(
                "The embedded control plane could not be started or joined.",
                hint=f"{error} `inference-endpoints-mcp doctor --local` shows more.",
            ) from error
        self._backend = backend.local(self._plane.url, self._plane.token)
        return self._backend

    def _options_again(self) -> connect.StartOptions:
        had = self._plane
        if had is None:
            return self._options
        return replace(
            self._options,
            namespace=had.namespace,
            simulated=had.simulated,
            simulated_speed=had.simulated_speed,
            cloud_quota=had.cloud_quota,
            model_folders=had.model_folders,
            ray=had.ray,
        )

    async def _release_lease(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            await lease.aclose()
