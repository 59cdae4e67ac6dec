"""Call an endpoint that is scaled to zero or not ready: wake it, wait for it, or raise why it cannot answer.

The proxy in front of an endpoint answers 503 while a replica starts (502 before July 2025). With the header
`X-Scale-Up-Timeout: <seconds>` it holds the request until a replica is ready instead. Source: the autoscaling
page of the Inference Endpoints documentation. Between the first 503 and readiness it can also answer 400
"workload is not stopped". It sends no Retry-After; the embedded control plane does.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import TypedDict, TypeVar

import anyio

from inference_endpoints.errors import InferenceEndpointTimeoutError
from inference_endpoints.models import Endpoint, InferenceEndpointStatus, format_duration
from inference_endpoints.transport.error_response import ErrorResponse
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.http import HttpTransport, Sleep, backoff_s, httpx, read_error
from inference_endpoints.transport.state_errors import error_for_state

Item = TypeVar("Item")
OnWait = Callable[[str], Awaitable[None]]
FetchEndpoint = Callable[[], Awaitable[Endpoint]]
"""Reads the endpoint's current state."""

HTTP_TOO_MANY_REQUESTS = 429
MAX_TRANSIENT_REFUSALS = 2
"""How often a running endpoint may answer that it is not ready before that counts as its answer."""


class CallOptions(TypedDict, total=False):
    """The options of every call.

    `timeout`: seconds for the whole call (default 120). `wake`: whether the call may wake an endpoint that is scaled
    to zero, which is billed (default True). `on_wait` gets a sentence before every wait for a replica. `started`: when
    the call began, by anyio's clock (default now).
    """

    timeout: float
    wake: bool
    on_wait: OnWait | None
    started: float


class CallDeadline:
    """The time limit of one whole call, in seconds, and whether it may wake an endpoint.

    `on_wait` gets a short sentence before every wait.
    """

    def __init__(
        self,
        timeout: float = 120.0,
        *,
        wake: bool = True,
        on_wait: OnWait | None = None,
        started: float | None = None,
        sleep: Sleep = anyio.sleep,
    ) -> None:
        self.timeout = timeout
        self.may_wake = wake
        self.started = anyio.current_time() if started is None else started
        self._on_wait = on_wait
        self._sleep = sleep

    @property
    def elapsed(self) -> float:
        return anyio.current_time() - self.started

    @property
    def remaining(self) -> float:
        return max(0.0, self.timeout - self.elapsed)

    @contextmanager
    def limit(self, failing: str) -> Iterator[None]:
        """Cancel the block at the deadline. Raises `InferenceEndpointTimeoutError`: `failing` within … s."""
        with anyio.move_on_after(self.remaining) as scope:
            yield
        if scope.cancelled_caught:
            raise InferenceEndpointTimeoutError(
                f"{failing} within {self.timeout:g} s.", hint="Allow more time, or request less at a time."
            )

    async def limit_each(self, items: AsyncGenerator[Item], failing: str) -> AsyncGenerator[Item]:
        """Yield the items, each with `limit`: a cancel scope must not span a `yield`."""
        while True:
            with self.limit(failing):
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
            yield item

    async def report_wait(self, sentence: str) -> None:
        if self._on_wait is not None:
            await self._on_wait(sentence)

    async def pause(self, seconds: float) -> None:
        """Wait so many seconds, but not beyond the deadline."""
        await self._sleep(min(self.remaining, seconds))


@dataclass(frozen=True)
class OpenResponse:
    """A response, its call, and whether the call woke the endpoint.

    The body of a success is not read yet. `refusal` is the whole response if it is none.
    """

    response: httpx.Response
    call: EndpointCall
    woke: bool
    refusal: ErrorResponse | None


@asynccontextmanager
async def open_response(
    http: HttpTransport, call: EndpointCall, fetch: FetchEndpoint, deadline: CallDeadline, *, is_assumed: bool = False
) -> AsyncIterator[OpenResponse]:
    """Send a call, repeatedly until a replica is ready to answer it.

    `call.endpoint` is the endpoint's last known state; `is_assumed` if it was not read for this call. If the state
    suffices, nothing is sent before these are raised: `Paused`, `NotDeployed`, `DeploymentFailed`, and `ScaledToZero`
    if the call may not wake it. Also raises
    `InferenceEndpointTimeoutError`. Once an engine began to answer, nothing is sent again.
    """
    ensure_callable(call, may_wake=deadline.may_wake)
    woke, refusals, overloads = False, 0, 0
    for attempt in count(1):
        woke = woke or call.endpoint.state is InferenceEndpointStatus.SCALED_TO_ZERO
        headers = dict(call.headers)
        failing = f"{call.label} did not begin to answer"
        if must_start_first(call.endpoint):
            failing = f"{call.label} did not become ready"
            # Whole seconds, and not longer than the caller waits.
            headers["X-Scale-Up-Timeout"] = str(max(1, int(deadline.remaining)))
            if attempt == 1:
                await deadline.report_wait(_describe_wait(call.endpoint, deadline))
        async with AsyncExitStack() as stack:
            with deadline.limit(failing):
                sent = replace(call, headers=headers, timeout=deadline.timeout)
                response = await stack.enter_async_context(http.call_endpoint(sent))
            refusal = None
            if not response.is_success:
                with deadline.limit(f"{call.label} did not finish its answer"):
                    refusal = await read_error(response)
            final = refusal is None or not refusal.not_ready
            delay = _overload_delay(refusal, overloads, deadline)
            if delay is not None:
                final, overloads = False, overloads + 1
            elif not final:
                refusals = 0 if must_start_first(call.endpoint) else refusals + 1
                with deadline.limit(failing):
                    call = replace(call, endpoint=await fetch())
                # It slept while it was taken to run: this call woke it.
                woke = woke or (is_assumed and attempt == 1 and must_start_first(call.endpoint))
                ensure_callable(call, may_wake=deadline.may_wake)
                final = refusals > MAX_TRANSIENT_REFUSALS and not must_start_first(call.endpoint)
            if final:
                yield OpenResponse(response, call, woke, refusal)
                return
        if delay is not None:
            await deadline.report_wait(f"overloaded · trying again in {format_duration(delay)}")
            await deadline.pause(delay)
            continue
        await deadline.report_wait(_describe_wait(call.endpoint, deadline))
        with deadline.limit(f"{call.label} did not become ready"):
            await deadline.pause(_until_next_attempt(refusal, call.endpoint, attempt))


def _until_next_attempt(refusal: ErrorResponse | None, endpoint: Endpoint, attempt: int) -> float:
    """Seconds. As long as an endpoint that seems to run asks for; one that starts holds the next call until it can."""
    asked = refusal.retry_after if refusal is not None and not must_start_first(endpoint) else None
    return backoff_s(attempt) if asked is None else asked


def _overload_delay(refusal: ErrorResponse | None, overloads: int, deadline: CallDeadline) -> float | None:
    """Seconds after which an engine that has too much to do is asked again; None if it is not that, or not in time.

    An engine that does not say when is asked as often as one that is not ready.
    """
    if refusal is None or refusal.status != HTTP_TOO_MANY_REQUESTS:
        return None
    delay = refusal.retry_after
    if delay is None:
        delay = backoff_s(overloads + 1) if overloads < MAX_TRANSIENT_REFUSALS else None
    return delay if delay is not None and delay < deadline.remaining else None


def must_start_first(endpoint: Endpoint) -> bool:
    """Whether no replica is ready, but one is starting or starts on the next call."""
    starts = endpoint.state.changing or endpoint.state is InferenceEndpointStatus.SCALED_TO_ZERO
    return starts and endpoint.status.ready_replica == 0


def ensure_callable(call: EndpointCall, *, may_wake: bool) -> None:
    """Raise if an endpoint in this state cannot answer."""
    endpoint, label = call.endpoint, call.label
    if endpoint.state is InferenceEndpointStatus.PAUSED:
        raise error_for_state(endpoint, f"{label} is paused and does not answer.")
    if endpoint.state is InferenceEndpointStatus.FAILED:
        raise error_for_state(endpoint, f"{label} failed to start.")
    call.require_address()
    if endpoint.state is InferenceEndpointStatus.SCALED_TO_ZERO and not may_wake:
        raise error_for_state(
            endpoint,
            f"{label} is scaled to zero, and this call may not wake it.",
            hint="Allow the call to wake it. A replica is then billed.",
        )


def _describe_wait(endpoint: Endpoint, deadline: CallDeadline) -> str:
    status = endpoint.status
    if endpoint.state is InferenceEndpointStatus.SCALED_TO_ZERO:
        return f"scaled to zero · waking it, for up to {format_duration(deadline.remaining)}"
    replicas = f"{status.ready_replica}/{status.target_replica} replicas"
    return f"{endpoint.state} · {replicas} · {format_duration(deadline.elapsed)}"
