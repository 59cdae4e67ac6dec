"""What is observed of an endpoint, and what subscribers and callers receive of it."""

import asyncio
import logging
from dataclasses import dataclass, field

from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints.models import Endpoint, InferenceEndpointStatus

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Observation:
    """An endpoint at one moment. `endpoint` is None if it does not exist, or if reading it failed with `error`.

    `healthy` is None where the health route was not called. `began_at` is when a poller began to read it, in seconds of
    its event loop's clock.
    """

    endpoint: Endpoint | None
    healthy: bool | None = None
    error: InferenceEndpointError | None = None
    began_at: float = field(default=0.0, compare=False)

    @classmethod
    def failed(cls, error: Exception, subject: str) -> "Observation":
        """The observation of a failed read. An error that is no `InferenceEndpointError` is our own: it is logged, and
        replaced by one."""
        if not isinstance(error, InferenceEndpointError):
            log.error("observing %s failed", subject, exc_info=error)
            fault, error = error, InferenceEndpointError("The endpoint could not be observed.", hint="Try again.")
            error.__cause__ = fault
        return cls(None, error=error)

    @property
    def fingerprint(self) -> tuple[object, ...]:
        """Two observations with equal fingerprints show the same status."""
        if self.endpoint is None:
            return (None, type(self.error))
        status = self.endpoint.status
        replicas = (status.ready_replica, status.target_replica)
        return status.state, *replicas, status.message, status.error_message, self.healthy, type(self.error)

    @property
    def is_gone(self) -> bool:
        return self.endpoint is None and self.error is None

    @property
    def has_health_route(self) -> bool:
        found = self.endpoint
        return found is not None and found.state is InferenceEndpointStatus.RUNNING and found.url is not None

    def is_older_than(self, other: "Observation") -> bool:
        """Whether this shows an older state than the other, as a page of a list may."""
        if self.endpoint is None or other.endpoint is None:
            return False
        return self.endpoint.status.is_older_than(other.endpoint.status.updated_at)


@dataclass(frozen=True)
class StatusChange:
    """The new status of an endpoint. `message` is the service's own text, which may quote the container.

    >>> change = next(get_inference_endpoint("chat").watch())
    >>> print(change.state, change.ready_replicas, change.message)
    running 1 Simulated: Endpoint is ready
    """

    state: InferenceEndpointStatus
    ready_replicas: int
    target_replicas: int
    message: str
    endpoint: Endpoint = field(repr=False)

    @classmethod
    def to(cls, endpoint: Endpoint) -> "StatusChange":
        """The change that made an endpoint what it is.

        >>> client = EndpointsClient()
        >>> print(StatusChange.to(client.get("broken")).state)
        failed
        """
        status = endpoint.status
        message = status.error_message or status.message or ""
        return cls(status.state, status.ready_replica, status.target_replica, message, endpoint)


class Subscription:
    """Receives the observations of one endpoint and keeps the newest: a slow subscriber delays no other.

    `health`: whether this subscriber needs the health route to be called.
    """

    def __init__(self, health: bool) -> None:
        self.health = health
        self._newest: Observation | None = None
        self._arrived = asyncio.Event()

    def publish(self, observation: Observation) -> None:
        self._newest = observation
        self._arrived.set()

    async def next(self) -> Observation:
        """The newest observation, as soon as there is one that was not returned before."""
        await self._arrived.wait()
        self._arrived.clear()
        assert self._newest is not None
        return self._newest
