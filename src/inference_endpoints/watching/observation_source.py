"""Where a watcher has its observations from."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from inference_endpoints.watching.observation import Subscription

Key = tuple[str, str]
"""Namespace and name of an endpoint."""


class ObservationSource(Protocol):
    """Observes endpoints for as long as somebody watches them, each once for all."""

    @property
    def polled(self) -> set[Key]:
        """The endpoints that this process reads again and again."""

    @property
    def longest_interval_s(self) -> float:
        """The longest time between two observations of an endpoint, with as many as are watched now."""

    def watch(self, name: str, namespace: str, *, health: bool) -> AbstractAsyncContextManager[Subscription]:
        """Observe an endpoint for as long as the context lasts. The first observation begins after that."""

    def observe_again(self, name: str, namespace: str) -> None:
        """Observe the endpoint now, if somebody watches it: it was changed."""
