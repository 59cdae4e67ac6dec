"""A call to an endpoint, and the guard that allows or refuses what is sent."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote

from inference_endpoints.errors import BadRequest, NotDeployed
from inference_endpoints.models import Endpoint, InferenceEndpointStatus
from inference_endpoints.transport.effect import Effect
from inference_endpoints.transport.operations import Request


@dataclass(frozen=True)
class EndpointCall:
    """One request to an endpoint's own address. `path` is appended to the address; `timeout` is in seconds."""

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
        """`Endpoint acme/chat`: the beginning of a message."""
        return f"Endpoint {self.namespace}/{self.endpoint.name}"

    @property
    def action(self) -> str:
        return f"call endpoint {self.namespace}/{self.endpoint.name}"

    @property
    def url(self) -> str:
        """The full URL, always below the endpoint's own address: no path can lead the token to another host.

        Raises `NotDeployed` without an address, `BadRequest` for a path outside the endpoint.
        """
        base = self.require_address()
        segments = unquote(self.path.partition("?")[0]).replace("\\", "/").split("/")
        # The slash is the plain one: behind an encoded one, what follows would still belong to the host.
        if not self.path.startswith("/") or ".." in segments:
            raise BadRequest("The path leads out of the endpoint.", hint="A path starts with '/' and has no '..'.")
        return base.rstrip("/") + self.path

    def require_address(self) -> str:
        """The endpoint's own address. Raises `NotDeployed` if it has none yet."""
        state = self.endpoint.state
        if self.endpoint.url is None:
            paused = state is InferenceEndpointStatus.PAUSED
            raise NotDeployed(
                f"{self.label} has no address to call: it is {state.value}.",
                hint="Resume it first." if paused else "Wait until it is running.",
            )
        return self.endpoint.url


class Guard(Protocol):
    """Surrounds every request. To refuse one, it raises `Refused` or another error of the tree on entering. On leaving,
    it sees the outcome."""

    def guard_request(self, request: Request) -> AbstractAsyncContextManager[None]: ...

    def guard_call(self, call: EndpointCall) -> AbstractAsyncContextManager[None]: ...
