"""A simulated plane on a clock that stands, and hosts of servers that stand on it, in both protocol eras."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import pytest
from tests.support.hosts.host import PATIENT, Answer, Host, Mode, serving
from tests.support.planes.plane_driver import TOKEN, Driver

from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_mcp.server.application import ServerOptions

HostOf = Callable[..., AbstractAsyncContextManager[Host]]


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> Mode:
    """Both protocol eras."""
    chosen: Mode = request.param
    return chosen


@pytest.fixture
def host_of(driver: Driver) -> HostOf:
    """Serves a host with the given options for the length of a block. It polls endpoints twenty times a second."""

    async def open_backend(_: AsyncExitStack) -> Backend:
        return local(driver.plane.url, TOKEN)

    def made(
        mode: Mode = "auto", *, answer: Answer | None = None, name: str = PATIENT, **options: Any
    ) -> AbstractAsyncContextManager[Host]:
        return serving(
            ServerOptions(**{"open_backend": open_backend, "poll_interval": 0.05, **options}),
            mode,
            answer=answer,
            name=name,
        )

    return made


@pytest.fixture
async def host(host_of: HostOf, mode: Mode, anyio_backend: str) -> AsyncIterator[Host]:
    async with host_of(mode) as host:
        yield host


@pytest.fixture
async def modern(host_of: HostOf, anyio_backend: str) -> AsyncIterator[Host]:
    """For what does not depend on the protocol's era."""
    async with host_of() as host:
        yield host
