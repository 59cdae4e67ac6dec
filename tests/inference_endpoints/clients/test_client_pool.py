"""Pools of clients: what a pool keeps of the client it was made of."""

import asyncio
import gc
import sys

import pytest
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.service.scripted_upstream import Upstream

from inference_endpoints import EndpointsClient
from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.clients.client_pool import ClientPool, api_for, client_of, pool_of
from inference_endpoints.transport.backend import Backend, local

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("made_by", ["pool_of", "api_for"])
async def test_a_pool_made_of_a_client_reconnects_as_the_client_does(
    upstream: Upstream, backend: Backend, made_by: str
) -> None:
    async def reconnect(_: Backend) -> Backend:
        return backend

    upstream.shows("running")
    client = AsyncEndpointsClient(local("http://127.0.0.1:1", "hf_first"), namespace="acme", reconnect=reconnect)
    pool = pool_of(client) if made_by == "pool_of" else api_for("hf_second", client)
    assert isinstance(pool, ClientPool)
    assert (await (await client_of(pool)).get("chat")).state == "running"


async def test_a_pool_that_is_garbage_loses_no_open_connection(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool in a cycle is collected in any order, so a hundred of them: a connection collected open is a warning."""

    def use_and_forget() -> None:
        for _ in range(100):
            client = EndpointsClient(local(driver.plane.url, TOKEN))
            client.whoami()
            cycle = [client]
            cycle.append(cycle)  # type: ignore[arg-type]

    gc.disable()
    try:
        await asyncio.to_thread(use_and_forget)
        lost: list[object] = []
        monkeypatch.setattr(sys, "unraisablehook", lost.append)
        gc.collect()
    finally:
        gc.enable()
    assert lost == []
