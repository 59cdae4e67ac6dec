"""One poller for each watched endpoint of this process, however many watch it.

Polling finds every change. Event streams only make it earlier.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.transport.http import Sleep
from inference_endpoints.watching.namespace_reader import NamespaceReader
from inference_endpoints.watching.observation import Subscription
from inference_endpoints.watching.observation_source import Key
from inference_endpoints.watching.poller import Poller
from inference_endpoints.watching.request_limits import RequestLimits


class PollerPool:
    """Implements `ObservationSource` by requests of this process. `poll_interval` is in seconds."""

    def __init__(self, client: AsyncEndpointsClient, poll_interval: float, sleep: Sleep) -> None:
        self._client = client
        self._sleep = sleep
        self._limits = RequestLimits(poll_interval)
        self._pollers: dict[Key, Poller] = {}

    @property
    def polled(self) -> set[Key]:
        return set(self._pollers)

    @property
    def longest_interval_s(self) -> float:
        return self._limits.interval(changing=False, streamed=True)

    @asynccontextmanager
    async def watch(self, name: str, namespace: str, *, health: bool) -> AsyncIterator[Subscription]:
        key = (namespace, name)
        poller = self._pollers.get(key) or self._start(key)
        subscription = poller.subscribe(health=health)
        try:
            yield subscription
        finally:
            poller.subscriptions.discard(subscription)
            if not poller.subscriptions:
                poller.close()
                self._forget(key, poller)

    def observe_again(self, name: str, namespace: str) -> None:
        poller = self._pollers.get((namespace, name))
        if poller is not None:
            poller.observe_again()

    def _start(self, key: Key) -> Poller:
        namespace, name = key
        reader = self._limits.readers.get(namespace)
        if reader is None:
            reader = NamespaceReader(self._client, namespace, self._limits.gets, self._sleep)
            self._limits.readers[namespace] = reader
        reader.poller_count += 1
        self._pollers[key] = Poller(reader, name, self._limits, on_failure=partial(self._forget, key))
        return self._pollers[key]

    def _forget(self, key: Key, poller: Poller) -> None:
        """Drop a poller that ended; a later subscriber gets a new one."""
        if self._pollers.get(key) is not poller:
            return
        del self._pollers[key]
        poller.reader.poller_count -= 1
        if not poller.reader.poller_count:
            poller.reader.close()
            del self._limits.readers[poller.reader.namespace]
