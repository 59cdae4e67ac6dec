"""How often endpoints are observed, and how much one watcher sends at a time."""

import asyncio
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from inference_endpoints.watching.namespace_reader import NamespaceReader

CHANGING_INTERVAL_S = 1.0
"""Seconds between two observations while something changes."""
IDLE_INTERVAL_S = 5.0
"""Seconds between two observations while nothing changes."""
STREAMED_INTERVAL_S = 15.0
"""Seconds between two observations while nothing changes and an event stream is open."""
MAX_REQUESTS_PER_S = 50.0
"""Gets and pages of lists, of all endpoints together, and as many health checks."""
MAX_CONCURRENT_REQUESTS = 50
"""Gets under way at a time, and as many health checks: together all connections of the client."""
MAX_EVENT_STREAMS = 16


class RequestLimits:
    """The limits of one watcher. `poll_interval` is the longest interval of a poller, in seconds."""

    def __init__(self, poll_interval: float) -> None:
        self.gets = asyncio.Semaphore(MAX_CONCURRENT_REQUESTS)
        self.health_checks = asyncio.Semaphore(MAX_CONCURRENT_REQUESTS)
        self.event_streams = anyio.Semaphore(MAX_EVENT_STREAMS)
        self.readers: dict[str, NamespaceReader] = {}
        self._poll_interval = poll_interval

    def interval(self, *, changing: bool, streamed: bool) -> float:
        wanted = CHANGING_INTERVAL_S if changing else STREAMED_INTERVAL_S if streamed else IDLE_INTERVAL_S
        requests = sum(reader.requests_per_round for reader in self.readers.values())
        return max(min(wanted, self._poll_interval), requests / MAX_REQUESTS_PER_S)

    @property
    def health_check_interval(self) -> float:
        checks = sum(reader.poller_count for reader in self.readers.values())
        return max(min(CHANGING_INTERVAL_S, self._poll_interval), checks / MAX_REQUESTS_PER_S)
