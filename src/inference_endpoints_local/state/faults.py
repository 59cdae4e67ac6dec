"""Failures that a client can request of a simulated control plane, to test itself."""

from dataclasses import dataclass
from enum import StrEnum

from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

HANG_UP: Message = {"type": "inference_endpoints_local.hang_up"}
"""A message of our own, as ASGI has none for this: the outermost middleware closes the connection."""


class Fault(StrEnum):
    """What can go wrong with a request. The first four happen instead of it, the last after it took effect."""

    NO_CAPACITY = "no_capacity"
    QUOTA_EXCEEDED = "quota_exceeded"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    DROP_ANSWER = "drop_answer"

    def response(self) -> Response:
        """The response that replaces the operation's own."""
        status, message, headers = _RESPONSES[self]
        return JSONResponse({"error": message}, status, headers)


_RESPONSES: dict[Fault, tuple[int, str, dict[str, str]]] = {
    Fault.NO_CAPACITY: (400, "Bad Request: Compute instance not available yet", {}),
    Fault.QUOTA_EXCEEDED: (409, "Conflict: Quota exceeded", {}),
    Fault.RATE_LIMITED: (429, "Too Many Requests", {"retry-after": "1"}),
    Fault.SERVER_ERROR: (500, "Internal Server Error", {}),
}


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


class DroppedResponse(Response):
    """No response at all: the connection is closed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(HANG_UP)
