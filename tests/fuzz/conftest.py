"""A client of the scripted upstream. How long the tests try is set by `FUZZ_EXAMPLES`."""

import os
from collections.abc import AsyncIterator

import anyio.lowlevel
import pytest
from hypothesis import HealthCheck, settings
from tests.support.service.scripted_upstream import TOKEN, Upstream

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.transport.backend import local
from inference_endpoints.transport.http import HttpTransport

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "500"))

settings.register_profile(
    "fuzz",
    max_examples=EXAMPLES,
    deadline=None,
    # The same each time in CI; a longer run by hand looks elsewhere each time.
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("fuzz")


async def _no_wait(seconds: float) -> None:
    await anyio.lowlevel.checkpoint()


@pytest.fixture
async def endpoints(upstream: Upstream, anyio_backend: str) -> AsyncIterator[AsyncEndpointsClient]:
    """Its back-off takes no time."""
    client = AsyncEndpointsClient(local(upstream.url, TOKEN), namespace="acme")
    await client.http.aclose()
    client.http = HttpTransport(client.backend, sleep=_no_wait)
    yield client
    await client.aclose()
