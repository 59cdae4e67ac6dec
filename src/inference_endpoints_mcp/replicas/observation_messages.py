"""The messages between replicas about endpoints: sealed for those with the same control plane and the same token."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mcp.server.request_state import AESGCMRequestStateCodec, InvalidRequestState
from pydantic import TypeAdapter, ValidationError

from inference_endpoints.errors import InferenceEndpointTimeoutError, RateLimited, Unavailable
from inference_endpoints.models import Endpoint
from inference_endpoints.watching.observation import Observation

_ERRORS = {error.code: error for error in (RateLimited, Unavailable, InferenceEndpointTimeoutError)}
"""Errors that may pass: they are published. What the service or the operator refuses, each replica finds out itself."""
_FACTS = ("message", "hint", "status", "upstream", "request_id", "retry_after")


@dataclass(frozen=True)
class WatchRequest:
    """One endpoint that a replica watches. `asked` counts how often it asked for an observation that begins later."""

    namespace: str
    name: str
    health: bool
    asked: int


@dataclass(frozen=True)
class WatchRequests:
    """From a replica to the one that leads: all that it watches (`complete`), or only what it knows to have changed.
    Each has a higher number than the ones before."""

    sender: str
    receiver: str
    complete: bool
    requests: tuple[WatchRequest, ...]
    number: int = 0


@dataclass(frozen=True)
class PublishedObservation:
    """From the one that leads to all: an observation, or None where they have to read the endpoint themselves.

    `answers` has the `asked` of each replica after which the observation began; the next one comes within `within_s`
    seconds. Each has a higher number than the ones before.
    """

    sender: str
    namespace: str
    name: str
    within_s: float
    answers: Mapping[str, int]
    observed: Mapping[str, Any] | None
    number: int = 0

    @property
    def observation(self) -> Observation | None:
        """None too where another version of this server published what is not understood here."""
        if self.observed is None:
            return None
        try:
            document, error = self.observed["endpoint"], self.observed["error"]
            return Observation(
                endpoint=None if document is None else Endpoint.model_validate(document),
                healthy=self.observed["healthy"],
                error=None if error is None else _ERRORS[error["code"]](**error["facts"]),
            )
        except (KeyError, TypeError, ValidationError):
            return None


def observed(observation: Observation) -> Mapping[str, Any] | None:
    """An observation as JSON; None if it is not for others."""
    error = observation.error
    if error is not None and type(error) not in _ERRORS.values():
        return None
    return {
        "endpoint": None if observation.endpoint is None else observation.endpoint.raw,
        "healthy": observation.healthy,
        "error": None
        if error is None
        else {"code": error.code, "facts": {name: getattr(error, name) for name in _FACTS}},
    }


_MESSAGES: TypeAdapter[WatchRequests | PublishedObservation] = TypeAdapter(WatchRequests | PublishedObservation)


class MessageSeal:
    """Seals messages with the operator's newest key. `scope` is whose observations they are: control plane and token.

    Who has another key or another scope can neither read nor make them, and uses a channel of another name.
    """

    def __init__(self, key: bytes, scope: tuple[str, ...]) -> None:
        secret = hashlib.blake2b(key, person=b"observations", digest_size=32).digest()
        named = json.dumps(scope).encode()
        self.channel_name = hashlib.blake2b(named, key=secret, person=b"name", digest_size=16).hexdigest()
        self._codec = AESGCMRequestStateCodec(
            [hashlib.blake2b(named, key=secret, person=b"seal", digest_size=32).digest()]
        )

    def seal(self, message: WatchRequests | PublishedObservation) -> str:
        return self._codec.seal(json.dumps(asdict(message)).encode())

    def unseal(self, text: str) -> WatchRequests | PublishedObservation | None:
        """None for what nobody of the same scope has sealed, and for what another version has."""
        try:
            return _MESSAGES.validate_python(json.loads(self._codec.unseal(text)))
        except (InvalidRequestState, ValidationError):
            return None
