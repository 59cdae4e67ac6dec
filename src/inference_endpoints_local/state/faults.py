"""Failures that a client can request of a simulated control plane, to test itself."""

from dataclasses import dataclass
from enum import StrEnum

CALL_ENDPOINT = "call_endpoint"
"""Calls of endpoints at their own URLs, as an operation that can fail."""


class Fault(StrEnum):
    """What can go wrong with a request. Each happens instead of it, but `DROP_ANSWER` loses its answer alone.

    A call of an endpoint that is scaled to zero wakes it, whatever its answer.
    """

    NO_CAPACITY = "no_capacity"
    QUOTA_EXCEEDED = "quota_exceeded"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    NOT_IMPLEMENTED = "not_implemented"
    SERVICE_UNAVAILABLE = "service_unavailable"
    NOT_STOPPED = "not_stopped"
    DROP_ANSWER = "drop_answer"


@dataclass
class ArmedFault:
    """A fault for the next `times` requests, of one operation or of any."""

    fault: Fault
    operation: str | None
    times: int


class Faults:
    """The faults that coming requests meet."""

    def __init__(self) -> None:
        self.armed: list[ArmedFault] = []

    def arm(self, fault: Fault, operation: str | None = None, times: int = 1) -> None:
        """Let the next `times` requests fail; only those of one operation, if it is named."""
        self.armed.append(ArmedFault(fault, operation, times))

    def clear(self) -> None:
        self.armed.clear()

    def take(self, operation: str) -> Fault | None:
        """The oldest fault armed for this operation, if any; counts it down."""
        for armed in self.armed:
            if armed.operation in (None, operation):
                armed.times -= 1
                if armed.times <= 0:
                    self.armed.remove(armed)
                return armed.fault
        return None
