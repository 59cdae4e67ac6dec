"""What is seen of an endpoint, and where whoever watches it finds that."""

import asyncio
from dataclasses import dataclass, field

from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints.models import Endpoint, InferenceEndpointStatus


@dataclass(frozen=True)
class Look:
    """One look at an endpoint. `endpoint` is None once it is gone; `trouble` is a failure to look.

    `healthy` is None where nobody asked the health route.
    """

    endpoint: Endpoint | None
    healthy: bool | None = None
    trouble: InferenceEndpointError | None = None

    @property
    def gist(self) -> tuple[object, ...]:
        """What has to differ for a look to be news."""
        if self.endpoint is None:
            return (None, type(self.trouble))
        status = self.endpoint.status
        replicas = (status.ready_replica, status.target_replica)
        return status.state, *replicas, status.message, status.error_message, self.healthy, type(self.trouble)

    @property
    def gone(self) -> bool:
        return self.endpoint is None and self.trouble is None

    @property
    def may_serve(self) -> bool:
        """Whether there is a health route to ask."""
        found = self.endpoint
        return found is not None and found.state is InferenceEndpointStatus.RUNNING and found.url is not None

    def behind(self, other: "Look") -> bool:
        """Whether this shows an older state than the other, as a page of a list may."""
        if self.endpoint is None or other.endpoint is None:
            return False
        ours, theirs = self.endpoint.status.updated_at, other.endpoint.status.updated_at
        return ours is not None and theirs is not None and ours < theirs


@dataclass(frozen=True)
class StatusChange:
    """What became of an endpoint. `message` is the service's own word on it, which may quote the container."""

    state: InferenceEndpointStatus
    ready_replicas: int
    target_replicas: int
    message: str
    endpoint: Endpoint = field(repr=False)

    @classmethod
    def to(cls, endpoint: Endpoint) -> "StatusChange":
        status = endpoint.status
        message = status.error_message or status.message or ""
        return cls(status.state, status.ready_replica, status.target_replica, message, endpoint)


class Slot:
    """Where a watcher finds the newest look: a slow one misses what was overtaken, and holds nobody up."""

    def __init__(self, health: bool) -> None:
        self.health = health
        self._newest: Look | None = None
        self._arrived = asyncio.Event()

    def put(self, look: Look) -> None:
        self._newest = look
        self._arrived.set()

    async def next(self) -> Look:
        await self._arrived.wait()
        self._arrived.clear()
        assert self._newest is not None
        return self._newest
