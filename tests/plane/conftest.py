"""A plane behind a real server on an ephemeral port, in this process."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from tests.plane.driver import TOKEN, Driver, PlaneOf, tiny_programs

from inference_endpoints_local.daemon.plane import Plane, PlaneOptions


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def plane_of(tmp_path: Path) -> PlaneOf:
    """Serves a plane with the given options for the length of a block; by default simulated, on a clock that stands."""
    defaults = PlaneOptions(
        data_dir=tmp_path / "plane",
        token=TOKEN,
        namespace="acme",
        simulated=True,
        simulated_speed=0,
        cores=2,
        programs=tiny_programs,
    )

    @asynccontextmanager
    async def serving(**changes: Any) -> AsyncIterator[Driver]:
        plane = Plane(replace(defaults, **changes))
        listener = socket.create_server(("127.0.0.1", 0))
        plane.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(plane.app, log_config=None, lifespan="off", access_log=False)
        config.load()
        server = uvicorn.Server(config)
        # Without its main loop, which looks only ten times a second whether to end.
        server.lifespan = config.lifespan_class(config)
        await plane.start()
        await server.startup(sockets=[listener])
        try:
            yield Driver(plane)
        finally:
            await plane.stop()
            await server.shutdown(sockets=[listener])

    return serving


@pytest.fixture
async def driver(plane_of: PlaneOf, anyio_backend: str) -> AsyncIterator[Driver]:
    async with plane_of() as driver:
        yield driver
