"""Clients of the scripted upstream, whose waits are recorded and take no time."""

from collections.abc import AsyncIterator
from dataclasses import replace

import anyio.lowlevel
import pytest
from tests.support.service.scripted_upstream import TOKEN, Upstream

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.inference.async_inference import AsyncInference
from inference_endpoints.transport.backend import Backend, local
from inference_endpoints.transport.http import HttpTransport, Sleep


@pytest.fixture
def backend(upstream: Upstream) -> Backend:
    return local(upstream.url, TOKEN)


@pytest.fixture
def foreign(backend: Backend) -> Backend:
    """A backend to whose token the endpoint's address has no right."""
    return replace(backend, endpoint_hosts=(".endpoints.huggingface.cloud",))


@pytest.fixture
def slept() -> list[float]:
    """The seconds of every wait of the code under test. No wait takes time."""
    return []


@pytest.fixture
def sleep(slept: list[float]) -> Sleep:
    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await anyio.lowlevel.checkpoint()

    return sleep


@pytest.fixture
async def http(backend: Backend, sleep: Sleep) -> AsyncIterator[HttpTransport]:
    http = HttpTransport(backend, sleep=sleep)
    yield http
    await http.aclose()


@pytest.fixture
def endpoints(http: HttpTransport) -> AsyncEndpointsClient:
    client = AsyncEndpointsClient(http.backend, namespace="acme")
    client.http = http
    return client


@pytest.fixture
def inference(endpoints: AsyncEndpointsClient, sleep: Sleep) -> AsyncInference:
    return AsyncInference(endpoints, sleep=sleep)
