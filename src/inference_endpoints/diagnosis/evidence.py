"""Gathering what a diagnosis needs: all at once, each source bounded, and any of them may fail."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.deploy.hardware import offers
from inference_endpoints.diagnosis.facts import Facts
from inference_endpoints.diagnosis.finding import Source
from inference_endpoints.errors import Forbidden, InferenceEndpointError, InferenceEndpointTimeoutError, Unavailable
from inference_endpoints.hardware_cache import HardwareListing
from inference_endpoints.models import Endpoint
from inference_endpoints.models.status import InferenceEndpointStatus as State

SOURCE_S = 10.0
"""Seconds each source may take."""
LOG_LINES = 1_000
MEASURED, LEAST_MEASURED = timedelta(minutes=30), timedelta(minutes=1)
"""The time before now whose metrics are looked at: since the last change, within these bounds."""
HEALTH_S = 5.0
JUST_USED = timedelta(minutes=1)

Answer = TypeVar("Answer")


async def gather(
    client: AsyncEndpointsClient, name: str, namespace: str | None = None, listing: HardwareListing | None = None
) -> Facts:
    """What is known of an endpoint now. It is neither woken nor kept awake.

    Raises what looking at the endpoint itself raises; any other source that fails is named in `failed`.
    """
    namespace = await client.namespace(namespace)
    endpoint = await client.get(name, namespace)
    now = datetime.now(UTC)
    failed: set[Source] = set()

    async def attempt(source: Source, ask: Callable[[], Awaitable[Answer]]) -> Answer | None:
        try:
            async with asyncio.timeout(SOURCE_S):
                return await ask()
        except (InferenceEndpointError, TimeoutError):
            failed.add(source)
            return None

    hardware = (listing or HardwareListing(client)).vendors
    since = min(max(now - MEASURED, endpoint.status.updated_at or now - MEASURED), now - LEAST_MEASURED)
    replicas, logs, graphs, vendors, health = await asyncio.gather(
        attempt(Source.REPLICAS, lambda: client.replicas(name, namespace)),
        attempt(Source.LOGS, lambda: client.logs(name, namespace, tail=LOG_LINES)),
        attempt(Source.METRICS, lambda: client.metrics(name, namespace, start=since)),
        attempt(Source.HARDWARE, lambda: hardware(namespace)),
        attempt(Source.HEALTH, lambda: _health(client, endpoint, namespace, now)),
    )
    return Facts(
        endpoint=endpoint,
        now=now,
        replicas=replicas,
        logs=logs,
        graphs=graphs,
        offers=offers(vendors) if vendors else None,
        health=health,
        failed=frozenset(failed),
    )


async def _health(client: AsyncEndpointsClient, endpoint: Endpoint, namespace: str, now: datetime) -> int | None:
    """What the health route answers, 0 if nothing; None where asking could wake an endpoint or keep it awake.

    Raises `Forbidden` where it does not answer to the token at hand.
    """
    if endpoint.state is not State.RUNNING or endpoint.url is None or _would_keep_awake(endpoint, now):
        return None
    try:
        status = await client.health(endpoint, namespace, deadline=HEALTH_S)
    except (Unavailable, InferenceEndpointTimeoutError):
        return 0
    if status in {401, 403}:
        raise Forbidden("The health route is not answered to this token.")
    return status


def _would_keep_awake(endpoint: Endpoint, now: datetime) -> bool:
    """Whether a request would put off its falling asleep by more than it already has been."""
    scaling = endpoint.compute.scaling
    if scaling.min_replica > 0 or not scaling.scale_to_zero_timeout:
        return False
    used_at = endpoint.status.last_used_at
    return used_at is None or now - used_at > JUST_USED
