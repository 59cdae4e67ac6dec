"""What is sent to an endpoint, and who stands around everything that is sent."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from inference_endpoints.models import Endpoint, InferenceEndpointStatus
from inference_endpoints.transport.operations import Effect, Request


@dataclass(frozen=True)
class EndpointCall:
    """One request to an endpoint's own address. `path` is appended to the address; times in seconds."""

    endpoint: Endpoint
    namespace: str
    path: str = "/"
    method: str = "POST"
    body: Any = None
    content: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 120.0

    @property
    def effect(self) -> Effect:
        """A call that wakes an endpoint starts a replica, which is billed."""
        return Effect.SPENDS if self.endpoint.state is InferenceEndpointStatus.SCALED_TO_ZERO else Effect.READS

    @property
    def label(self) -> str:
        """The endpoint, as a message begins with it."""
        return f"Endpoint {self.namespace}/{self.endpoint.name}"

    @property
    def action(self) -> str:
        return f"call endpoint {self.namespace}/{self.endpoint.name}"


class Guard(Protocol):
    """Stands around every send. It raises `Refused`, or any other error of the tree, to prevent it, and sees how it
    ends."""

    def guard_request(self, request: Request) -> AbstractAsyncContextManager[None]: ...

    def guard_call(self, call: EndpointCall) -> AbstractAsyncContextManager[None]: ...


class NoGuard:
    """Lets everything pass: for scripts, where nobody set limits."""

    @asynccontextmanager
    async def guard_request(self, request: Request) -> AsyncIterator[None]:
        yield

    @asynccontextmanager
    async def guard_call(self, call: EndpointCall) -> AsyncIterator[None]:
        yield
