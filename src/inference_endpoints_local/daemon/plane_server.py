"""Serves one plane: publishes its address, ends it when it is unused, and shuts down in order."""

import asyncio
import logging
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from inference_endpoints_local.daemon.data_folder import DataFolder, RunningPlane
from inference_endpoints_local.daemon.leases import LeaseMiddleware
from inference_endpoints_local.daemon.plane import Plane
from inference_endpoints_local.daemon.plane_errors import PlaneError

logger = logging.getLogger(__name__)

_STREAM_SHUTDOWN_TIMEOUT_S = 1
_WORKER_SHUTDOWN_TIMEOUT_S = 1.2
_DISCOVERY_CHECK_INTERVAL_S = 2.0


class PlaneServer:
    """Serves a plane until it is stopped or, with `linger`, was unused for so many seconds.

    Calls `ready` once others can find it.
    """

    def __init__(
        self,
        plane: Plane,
        connection: RunningPlane,
        folder: DataFolder,
        linger: float | None,
        ready: Callable[[RunningPlane], None],
    ) -> None:
        self._plane = plane
        self._connection = connection
        self._folder = folder
        self._linger = linger
        self._leases = LeaseMiddleware(plane.app, connection.token, may_end=self._may_end, end=self._end)
        self._server = _UvicornServer(self._leases, started=self._started, end=self._end)
        self._ready = ready

    async def run(self, listener: socket.socket) -> None:
        """Serve at `listener`."""
        await self._plane.start()
        tasks = [asyncio.create_task(self._keep_discoverable())]
        if self._linger is not None:
            tasks.append(asyncio.create_task(self._end_when_unused(self._linger)))
        try:
            await self._server.serve(sockets=[listener])
        finally:
            for task in tasks:
                task.cancel()
            self._end()
            await self._stop_plane()

    def _may_end(self) -> bool:
        """Whether it may end so that another can take its place: not while it is busy, nor if a person started it.

        A simulation makes it busy only while someone holds a lease, who would see the simulation start again.
        """
        simulation_in_use = self._plane.simulating and self._leases.lease_count > 0
        return self._linger is not None and not self._plane.busy and not simulation_in_use

    def _started(self) -> None:
        self._folder.publish(self._connection)
        self._ready(self._connection)

    def _end(self) -> None:
        self._folder.withdraw()
        self._leases.ending.set()
        self._plane.close_streams()
        self._server.should_exit = True

    async def _end_when_unused(self, linger: float) -> None:
        await self._leases.wait_until_unused(linger)
        self._end()

    async def _keep_discoverable(self) -> None:
        """Restore the discovery file if it is lost, and end if the whole folder is."""
        while self._folder.holds_lock:
            await asyncio.sleep(_DISCOVERY_CHECK_INTERVAL_S)
            try:
                if self._folder.holds_lock and self._folder.running_plane() != self._connection:
                    self._folder.publish(self._connection)
            except PlaneError as error:
                logger.warning("other processes cannot find this plane: %s", error)
        self._end()

    async def _stop_plane(self) -> None:
        try:
            async with asyncio.timeout(_WORKER_SHUTDOWN_TIMEOUT_S):
                await self._plane.stop()
        except TimeoutError:
            # Workers end by themselves with the process of their plane.
            logger.warning("the plane did not stop in time; its process ends anyway")


class _UvicornServer(uvicorn.Server):
    """uvicorn without its signal handlers: those raise the signal again before the plane has ended."""

    def __init__(self, app: ASGIApp, *, started: Callable[[], None], end: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            lifespan="off",
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=_STREAM_SHUTDOWN_TIMEOUT_S,
        )
        super().__init__(config)
        self._on_started = started
        self._end = end
        self._loop = asyncio.get_running_loop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._end)
