"""The states and access types of an endpoint."""

from enum import StrEnum


class InferenceEndpointStatus(StrEnum):
    """State of an endpoint. A state of a newer API becomes a member of its own, never an error."""

    PENDING = "pending"
    INITIALIZING = "initializing"
    UPDATING = "updating"
    UPDATE_FAILED = "updateFailed"
    RUNNING = "running"
    PAUSED = "paused"
    FAILED = "failed"
    SCALED_TO_ZERO = "scaledToZero"

    @classmethod
    def _missing_(cls, value: object) -> "InferenceEndpointStatus | None":
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member

    @property
    def billed(self) -> bool:
        """Whether replicas are billed: from initializing on, while running, and during an update.

        Source: "billed per minute while initializing and running" (hf-endpoints documentation, pricing).
        """
        return self in _BILLED

    @property
    def changing(self) -> bool:
        """Whether the endpoint is on its way to another state by itself."""
        return self in _CHANGING


_BILLED = frozenset(
    {
        InferenceEndpointStatus.PENDING,
        InferenceEndpointStatus.INITIALIZING,
        InferenceEndpointStatus.UPDATING,
        InferenceEndpointStatus.UPDATE_FAILED,
        InferenceEndpointStatus.RUNNING,
    }
)
_CHANGING = frozenset(
    {InferenceEndpointStatus.PENDING, InferenceEndpointStatus.INITIALIZING, InferenceEndpointStatus.UPDATING}
)


class InferenceEndpointType(StrEnum):
    """Who may call an endpoint. `protected` is historic: it is read, and refused on create."""

    PUBLIC = "public"
    AUTHENTICATED = "authenticated"
    PRIVATE = "private"
    PROTECTED = "protected"

    @classmethod
    def _missing_(cls, value: object) -> "InferenceEndpointType | None":
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member
