"""The states and access types of an endpoint."""

from enum import StrEnum
from typing import Self


class _OpenEnum(StrEnum):
    """Values of the API. An unknown value of a newer API becomes a member of its own, never an error."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member


class InferenceEndpointStatus(_OpenEnum):
    """The state of an endpoint.

    >>> status = InferenceEndpointStatus("initializing")
    >>> status.billed, status.changing
    (True, True)
    """

    PENDING = "pending"
    INITIALIZING = "initializing"
    UPDATING = "updating"
    UPDATE_FAILED = "updateFailed"
    RUNNING = "running"
    PAUSED = "paused"
    FAILED = "failed"
    SCALED_TO_ZERO = "scaledToZero"

    @property
    def billed(self) -> bool:
        """Whether replicas may be billed: in every state but paused, scaled to zero and failed.

        The service bills a replica by the minute while it initializes and runs (hf-endpoints documentation, pricing).
        A pending endpoint and a failed update count here too, since replicas may already, or still, run then.
        """
        return self in _BILLED

    @property
    def may_be_billed(self) -> bool:
        """As `billed`, and true of a state that is not known here: for limits, which count rather too much."""
        return self not in _UNBILLED

    @property
    def changing(self) -> bool:
        """Whether the endpoint will reach another state by itself."""
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
_UNBILLED = frozenset(
    {InferenceEndpointStatus.PAUSED, InferenceEndpointStatus.SCALED_TO_ZERO, InferenceEndpointStatus.FAILED}
)
_CHANGING = frozenset(
    {InferenceEndpointStatus.PENDING, InferenceEndpointStatus.INITIALIZING, InferenceEndpointStatus.UPDATING}
)


class InferenceEndpointType(_OpenEnum):
    """Who may call an endpoint. `protected` is historic: it is read, and refused on create.

    >>> get_inference_endpoint("chat").type == InferenceEndpointType.AUTHENTICATED
    True
    """

    PUBLIC = "public"
    AUTHENTICATED = "authenticated"
    PRIVATE = "private"
    PROTECTED = "protected"
