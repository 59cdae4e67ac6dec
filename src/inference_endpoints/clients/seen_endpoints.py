"""The endpoints as a client has read them last, whatever it read them for."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from inference_endpoints.models import Endpoint

MAX_ENDPOINTS = 2_000
"""Endpoints that are remembered. The one that was seen longest ago goes first."""


@dataclass(frozen=True)
class _Seen:
    endpoint: Endpoint
    at: float


class SeenEndpoints:
    """By namespace and name. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: OrderedDict[tuple[str, str], _Seen] = OrderedDict()

    def note(self, namespace: str, endpoint: Endpoint) -> None:
        """Remember an endpoint that was just read, unless a later change of it is known already."""
        key = (namespace, endpoint.name)
        known = self._seen.get(key)
        if known is not None and endpoint.status.is_older_than(known.endpoint.status.updated_at):
            return
        self._seen[key] = _Seen(endpoint, self._clock())
        self._seen.move_to_end(key)
        if len(self._seen) > MAX_ENDPOINTS:
            self._seen.popitem(last=False)

    def forget(self, namespace: str, name: str) -> None:
        self._seen.pop((namespace, name), None)

    def recent(self, namespace: str, name: str, within_s: float) -> Endpoint | None:
        """The endpoint, if it was read in these last seconds."""
        seen = self._seen.get((namespace, name))
        return seen.endpoint if seen is not None and self._clock() - seen.at <= within_s else None
