"""What to do about an endpoint that is asleep or not ready: wake it, wait for it, or say why that is no use.

The proxy in front of an endpoint answers 503 while a replica starts (502 before July 2025). With the header
`X-Scale-Up-Timeout: <seconds>` it holds the request until a replica is ready instead. Source: the autoscaling
page of the Inference Endpoints documentation.
"""

import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import TypeVar

import anyio

from inference_endpoints.errors import (
    DeploymentFailed,
    InferenceEndpointTimeoutError,
    NotDeployed,
    Paused,
    ScaledToZero,
)
from inference_endpoints.models import Endpoint, InferenceEndpointStatus
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.http import HttpTransport, Sleep, httpx

Item = TypeVar("Item")
OnWait = Callable[[str], Awaitable[None]]
Find = Callable[[], Awaitable[Endpoint]]
"""Looks at the endpoint as it is now."""

NOT_READY = frozenset({502, 503})
PASSING = 2
"""Times that an endpoint which is running may answer 502 or 503 before that counts as its answer."""

_STARTING = frozenset(
    {
        InferenceEndpointStatus.PENDING,
        InferenceEndpointStatus.INITIALIZING,
        InferenceEndpointStatus.UPDATING,
        InferenceEndpointStatus.SCALED_TO_ZERO,
    }
)


class Patience:
    """How long one call may take in all, in seconds, and whether it may wake an endpoint.

    `on_wait` is told, in a short sentence, of every wait before it begins.
    """

    def __init__(
        self,
        timeout: float = 120.0,
        *,
        wake: bool = True,
        on_wait: OnWait | None = None,
        sleep: Sleep = anyio.sleep,
    ) -> None:
        self.timeout = timeout
        self.wake = wake
        self.started = anyio.current_time()
        self._on_wait = on_wait
        self._sleep = sleep

    @property
    def elapsed(self) -> float:
        return anyio.current_time() - self.started

    @property
    def left(self) -> float:
        return max(0.0, self.timeout - self.elapsed)

    @contextmanager
    def limit(self, failing: str) -> Iterator[None]:
        """End what is inside when the time is up. Raises `InferenceEndpointTimeoutError`: `failing` within … s."""
        with anyio.move_on_after(self.left) as scope:
            yield
        if scope.cancelled_caught:
            raise InferenceEndpointTimeoutError(
                f"{failing} within {self.timeout:g} s.", hint="Allow more time, or ask for less at a time."
            )

    async def each(self, items: AsyncGenerator[Item], failing: str) -> AsyncGenerator[Item]:
        """The items, as `limit` for each: a deadline may not span a `yield`."""
        while True:
            with self.limit(failing):
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
            yield item

    async def tell(self, sentence: str) -> None:
        if self._on_wait is not None:
            await self._on_wait(sentence)

    async def pause(self, attempt: int) -> None:
        """Wait before the next attempt: doubling from a second, at most 8, with jitter."""
        await self._sleep(min(self.left, random.uniform(0.5, 1.0) * min(8.0, 2.0 ** (attempt - 1))))  # noqa: S311


@dataclass(frozen=True)
class Answered:
    """An answer whose body is still to be read, the call it answers, and whether the endpoint was woken for it."""

    response: httpx.Response
    call: EndpointCall
    woke: bool


@asynccontextmanager
async def answered(http: HttpTransport, call: EndpointCall, find: Find, patience: Patience) -> AsyncIterator[Answered]:
    """Send a call, as often as it takes for a replica to be there to answer it.

    `call.endpoint` is the endpoint as it was last seen. Raises `Paused`, `NotDeployed`, `DeploymentFailed`, and
    `ScaledToZero` if it may not be woken, before sending anything if that is known by then; and
    `InferenceEndpointTimeoutError`. Nothing is sent again once an engine has begun to answer.
    """
    check(call, wake=patience.wake)
    woke = False
    for attempt in count(1):
        woke = woke or call.endpoint.state is InferenceEndpointStatus.SCALED_TO_ZERO
        headers = dict(call.headers)
        failing = f"{call.label} did not begin to answer"
        if starting(call.endpoint):
            failing = f"{call.label} did not become ready"
            # Whole seconds, and no longer than the caller waits: a proxy need not outlive the one it works for.
            headers["X-Scale-Up-Timeout"] = str(max(1, int(patience.left)))
            if attempt == 1:
                await patience.tell(_what_happens(call.endpoint, patience))
        async with AsyncExitStack() as stack:
            with patience.limit(failing):
                sent = replace(call, headers=headers, timeout=patience.timeout)
                response = await stack.enter_async_context(http.call_endpoint(sent))
            final = response.status_code not in NOT_READY
            if not final:
                with patience.limit(failing):
                    call = replace(call, endpoint=await find())
                check(call, wake=patience.wake)
                final = attempt > PASSING and not starting(call.endpoint)
            if final:
                yield Answered(response, call, woke)
                return
        await patience.tell(_what_happens(call.endpoint, patience))
        with patience.limit(f"{call.label} did not become ready"):
            await patience.pause(attempt)


def starting(endpoint: Endpoint) -> bool:
    """Whether no replica is ready, but one is on its way or comes when called."""
    return endpoint.state in _STARTING and endpoint.status.ready_replica == 0


def check(call: EndpointCall, *, wake: bool) -> None:
    """Raise what makes it of no use to call an endpoint in this state."""
    endpoint, who = call.endpoint, call.label
    if endpoint.state is InferenceEndpointStatus.PAUSED:
        raise Paused(f"{who} is paused and does not answer.", hint="Resume it first.")
    if endpoint.state is InferenceEndpointStatus.FAILED:
        raise DeploymentFailed(
            f"{who} failed to start.",
            hint="Read its logs; then update it, or delete it and create it anew.",
            upstream=endpoint.status.error_message or endpoint.status.message or "",
        )
    if endpoint.url is None:
        raise NotDeployed(f"{who} has no address yet.", hint="Wait until it is running.")
    if endpoint.state is InferenceEndpointStatus.SCALED_TO_ZERO and not wake:
        raise ScaledToZero(
            f"{who} is asleep and was not to be woken.", hint="Allow waking it: a replica is then billed."
        )


def _what_happens(endpoint: Endpoint, patience: Patience) -> str:
    status = endpoint.status
    if endpoint.state is InferenceEndpointStatus.SCALED_TO_ZERO:
        return f"asleep · waking it, for up to {patience.left:.0f} s"
    return f"{endpoint.state} · {status.ready_replica}/{status.target_replica} replicas · {patience.elapsed:.0f} s"
