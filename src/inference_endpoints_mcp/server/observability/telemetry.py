"""What a server measures of itself, for whoever watches it. Nothing is measured unless the operator asks for it.

Names of tools and operations, codes and numbers: no argument, no prompt, no text of anyone.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from opentelemetry.trace import get_tracer

from inference_endpoints.errors import InferenceEndpointError

if TYPE_CHECKING:
    from inference_endpoints.transport.guard import EndpointCall, Guard
    from inference_endpoints.transport.operations import Request

OK = "OK"
CANCELLED = "CANCELLED"

_tracer = get_tracer("inference-endpoints-mcp")


class Telemetry(Protocol):
    """Receives each measurement. `outcome` is OK, or the code of an error. Durations are in seconds."""

    def record_call(self, tool: str, outcome: str, duration: float, characters: int) -> None:
        """A call of a tool has ended with an answer of this length."""

    def record_request(self, operation: str, outcome: str, duration: float) -> None:
        """A request to the control plane or to an endpoint has ended."""

    def record_event(self, event: str, outcome: str) -> None:
        """Something that the audit trail has as well: a plan, an approval, a refusal, a change."""

    def watch(self, measure: str, read: Callable[[], float]) -> Callable[[], None]:
        """`read` gives the current value: calls or waits that run, endpoints that are polled, accounts. Several readers
        of one measure add up. Returns what ends this one."""


class NoTelemetry:
    """Measures nothing."""

    def record_call(self, tool: str, outcome: str, duration: float, characters: int) -> None: ...

    def record_request(self, operation: str, outcome: str, duration: float) -> None: ...

    def record_event(self, event: str, outcome: str) -> None: ...

    def watch(self, measure: str, read: Callable[[], float]) -> Callable[[], None]:
        return lambda: None


class MeasuredGuard:
    """A guard that refuses nothing itself, and measures each request that another guard surrounds.

    Each is also a span of OpenTelemetry, below that of the message which the SDK has.
    """

    def __init__(self, guard: "Guard", telemetry: Telemetry) -> None:
        self._guard = guard
        self._telemetry = telemetry

    def guard_request(self, request: "Request") -> AbstractAsyncContextManager[None]:
        return self._measured(self._guard.guard_request(request), request.operation.name)

    def guard_call(self, call: "EndpointCall") -> AbstractAsyncContextManager[None]:
        return self._measured(self._guard.guard_call(call), "call_endpoint")

    @asynccontextmanager
    async def _measured(self, guarded: AbstractAsyncContextManager[None], operation: str) -> AsyncIterator[None]:
        started, outcome = time.monotonic(), CANCELLED
        with _tracer.start_as_current_span(operation, record_exception=False) as span:
            try:
                async with guarded:
                    yield
                outcome = OK
            except InferenceEndpointError as error:
                outcome = error.code
                raise
            finally:
                span.set_attribute("outcome", outcome)
                self._telemetry.record_request(operation, outcome, time.monotonic() - started)
