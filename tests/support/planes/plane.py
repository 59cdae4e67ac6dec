"""A plane behind a real server on an ephemeral port, in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn
from tests.support.planes.plane_driver import TOKEN, Driver, PlaneOf, tiny_programs

from inference_endpoints_local import loopback
from inference_endpoints_local.daemon.plane import Plane, PlaneOptions


@asynccontextmanager
async def serving(options: PlaneOptions) -> AsyncIterator[Driver]:
    """Starts and ends step by step: uvicorn's own loop and shutdown each sleep for a tenth of a second."""
    plane = Plane(options)
    config = uvicorn.Config(plane.app, log_config=None, lifespan="off", access_log=False)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with loopback.listen() as listener:
        plane.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        await plane.start()
        await server.startup(sockets=[listener])
        try:
            yield Driver(plane)
        finally:
            for accepting in server.servers:
                accepting.close()
            for connection in list(server.server_state.connections):
                connection.shutdown()
            await plane.stop()


@pytest.fixture
def plane_of(tmp_path: Path) -> PlaneOf:
    """Serves a plane with the given options during a block. By default it simulates, on a clock that stands still."""
    defaults = PlaneOptions(
        data_dir=tmp_path / "plane",
        token=TOKEN,
        namespace="acme",
        simulated=True,
        simulated_speed=0,
        cores=2,
        programs=tiny_programs,
    )
    return lambda **changes: serving(replace(defaults, **changes))


@pytest.fixture
async def driver(plane_of: PlaneOf, anyio_backend: str) -> AsyncIterator[Driver]:
    async with plane_of() as driver:
        yield driver
