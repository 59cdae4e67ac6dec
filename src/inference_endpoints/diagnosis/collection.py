"""Collect the evidence for a diagnosis: all sources at once, each with a time limit. Any of them may fail."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.clients.hardware_cache import HardwareCache
from inference_endpoints.clients.hub_reader import HubReader
from inference_endpoints.deploy.offers import list_offers
from inference_endpoints.deploy.sizing.known_model import HubFacts
from inference_endpoints.diagnosis.evidence import Evidence
from inference_endpoints.diagnosis.finding import EvidenceSource
from inference_endpoints.diagnosis.start_times import EarlierStarts, StartHistory
from inference_endpoints.errors import (
    Forbidden,
    InferenceEndpointError,
    InferenceEndpointTimeoutError,
    NotFound,
    Unavailable,
)
from inference_endpoints.models import AuditEntry, Endpoint, LogEntry, Replica
from inference_endpoints.models.status import InferenceEndpointStatus as State

SOURCE_TIMEOUT_S = 10.0
HEALTH_TIMEOUT_S = 5.0
LOG_LINES = 1_000
HISTORY_ENTRIES = 20
MAX_REPLICAS_READ = 8
"""Replicas whose lines are read one by one."""
MAX_METRICS_WINDOW, MIN_METRICS_WINDOW = timedelta(minutes=30), timedelta(minutes=1)
"""Metrics are read from the last change on, within these bounds."""
RECENT_USE = timedelta(minutes=1)
_NOT_FAILING = frozenset({State.RUNNING, State.PAUSED, State.SCALED_TO_ZERO})
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

T = TypeVar("T")


async def collect_evidence(
    client: AsyncEndpointsClient,
    name: str,
    namespace: str | None = None,
    hardware_cache: HardwareCache | None = None,
    hub_reader: HubReader | None = None,
    start_history: StartHistory | None = None,
) -> Evidence:
    """Read what is known of an endpoint now. This neither wakes the endpoint nor keeps it awake. The Hub is read where
    the endpoint does not run: its model may be the reason.

    Raises the errors of reading the endpoint itself. Any other source that fails is listed in `failed`.

    >>> async with AsyncEndpointsClient() as client:
    ...     evidence = await collect_evidence(client, "broken")
    >>> len(evidence.replicas), evidence.health, evidence.failed
    (3, None, frozenset())
    """
    namespace = await client.resolve_namespace(namespace)
    endpoint = await client.get(name, namespace)
    now = client.http.clock.now()
    failed: set[EvidenceSource] = set()

    async def attempt(source: EvidenceSource, read: Callable[[], Awaitable[T]]) -> T | None:
        try:
            async with asyncio.timeout(SOURCE_TIMEOUT_S):
                return await read()
        except (InferenceEndpointError, TimeoutError):
            failed.add(source)
            return None

    hardware = hardware_cache or HardwareCache(client)
    earliest, latest = now - MAX_METRICS_WINDOW, now - MIN_METRICS_WINDOW
    since = min(max(earliest, endpoint.status.updated_at or earliest), latest)
    hub = hub_reader or HubReader(client)
    model = endpoint.model
    (replicas, newest, graphs), (listing, health, history, facts), starts = await asyncio.gather(
        asyncio.gather(
            attempt(EvidenceSource.REPLICAS, lambda: client.replicas(name, namespace)),
            attempt(EvidenceSource.LOGS, lambda: client.logs(name, namespace, tail=LOG_LINES)),
            attempt(EvidenceSource.METRICS, lambda: client.metrics(name, namespace, start=since, stop=now)),
        ),
        asyncio.gather(
            attempt(EvidenceSource.HARDWARE, lambda: hardware.listing(namespace)),
            attempt(EvidenceSource.HEALTH, lambda: _read_health(client, endpoint, namespace, now)),
            attempt(EvidenceSource.HISTORY, lambda: _read_history(client, name, namespace)),
            _no_facts() if endpoint.state in _NOT_FAILING else hub.read(model.repository, model.revision),
        ),
        attempt(
            EvidenceSource.METRICS, lambda: _read_starts(start_history or StartHistory(client), endpoint, namespace)
        ),
    )
    logs: Sequence[LogEntry] | None = newest
    if replicas and newest:
        added = await attempt(EvidenceSource.LOGS, lambda: _add_each_replica(client, name, namespace, replicas, newest))
        logs = newest if added is None else added
    return Evidence(
        endpoint=endpoint,
        now=now,
        replicas=replicas,
        logs=logs,
        graphs=graphs,
        offers=list_offers(listing) if listing else None,
        health=health,
        hub=facts,
        history=history,
        earlier_starts=starts or EarlierStarts(),
        failed=frozenset(failed),
    )


async def _read_history(client: AsyncEndpointsClient, name: str, namespace: str) -> Sequence[AuditEntry] | None:
    """What was done to the endpoint; None where the namespace's plan has no audit log."""
    with suppress(Forbidden):
        return (await client.audit_logs(namespace, endpoint=name, limit=HISTORY_ENTRIES)).items
    return None


async def _read_starts(history: StartHistory, endpoint: Endpoint, namespace: str) -> EarlierStarts:
    return await history.earlier(endpoint, namespace) if endpoint.state.changing else EarlierStarts()


async def _no_facts() -> HubFacts:
    return HubFacts()


async def _add_each_replica(
    client: AsyncEndpointsClient, name: str, namespace: str, replicas: Sequence[Replica], newest: Sequence[LogEntry]
) -> Sequence[LogEntry]:
    """The newest lines of all replicas and of each, also of those that ended.

    A replica that prints much leaves no room for the others among the newest lines. Lines of version 2 of the API do
    not show which replica printed them.
    """
    printed = {entry.replica_id for entry in newest}
    quiet = [replica.id for replica in replicas if replica.id not in printed][:MAX_REPLICAS_READ]
    if not quiet or (len(newest) < LOG_LINES and printed != {None}):
        return newest

    async def read(replica: str) -> Sequence[LogEntry]:
        with suppress(NotFound):  # it may have ended meanwhile
            return await client.logs(name, namespace, tail=LOG_LINES // len(quiet), replica=replica)
        return ()

    each = await asyncio.gather(*map(read, quiet))
    added = [entry for entries in each for entry in entries]
    known = {(entry.timestamp, entry.line) for entry in added}
    others = [entry for entry in newest if (entry.timestamp, entry.line) not in known]
    return sorted([*others, *added], key=lambda entry: entry.time or _LONG_AGO)


async def _read_health(client: AsyncEndpointsClient, endpoint: Endpoint, namespace: str, now: datetime) -> int | None:
    """The HTTP status of the health route, 0 if nothing answers. None if a request could wake it or keep it awake.

    Raises `Forbidden` if the route refuses the client's token.
    """
    if endpoint.state is not State.RUNNING or endpoint.url is None or _would_keep_awake(endpoint, now):
        return None
    try:
        status = await client.health_status(endpoint, namespace, deadline=HEALTH_TIMEOUT_S)
    except (Unavailable, InferenceEndpointTimeoutError):
        return 0
    if status in {401, 403}:
        raise Forbidden("The health route refuses this token.")
    return status


def _would_keep_awake(endpoint: Endpoint, now: datetime) -> bool:
    """Whether a request would noticeably delay its scale to zero. Right after another request it would not."""
    scaling = endpoint.compute.scaling
    if scaling.min_replica > 0 or not scaling.scale_to_zero_timeout:
        return False
    used_at = endpoint.status.last_used_at
    return used_at is None or now - used_at > RECENT_USE
