"""Wait for an endpoint, no longer than the host waits. Ends at once when the goal cannot be reached."""

import asyncio
import time
from contextlib import suppress
from typing import Annotated

from pydantic import Field

from inference_endpoints.diagnosis.start_times import StartEstimate, estimate_start
from inference_endpoints.errors import (
    DeploymentFailed,
    InferenceEndpointError,
    InferenceEndpointTimeoutError,
)
from inference_endpoints.models import Endpoint, format_duration
from inference_endpoints.transport import operations
from inference_endpoints.watching.goals import Goal
from inference_endpoints.watching.observation import Observation
from inference_endpoints.watching.watcher import add_last_log_lines
from inference_endpoints_mcp.privacy.untrusted_text import Fence, clean_line
from inference_endpoints_mcp.tools.arguments import Names, NamespaceOfSet, OneName, TimeoutSeconds, WaitGoal, Where
from inference_endpoints_mcp.tools.call_context import MAX_PROGRESS_LENGTH, Call, CallContext, Progress
from inference_endpoints_mcp.tools.lifecycle.choice import Choice
from inference_endpoints_mcp.tools.lifecycle.waits_for_several import wait_for_several
from inference_endpoints_mcp.tools.outputs import (
    STATE_SENTENCES,
    WaitOutput,
    backend_of,
    describe_endpoint,
    next_call,
    state_word,
    trial_calls,
)
from inference_endpoints_mcp.tools.spec import Toolset, tool

PRICES_WITHIN_S = 1.0
"""Seconds that an answer whose time is up waits for prices: the host waits no longer for the answer."""
UNSEEN_S = 25.0
"""Seconds without an observation that progress mentions. An endpoint is read every 15 s."""


@tool(uses=operations.GET, toolset=Toolset.LIFECYCLE, title="Wait for an endpoint", waits=True)
async def wait_for_endpoint(
    call: Call,
    endpoint_name: OneName = "",
    names: Annotated[Names, Field(description="Several instead.")] = [],  # noqa: B006
    where: Where = "",
    namespace: NamespaceOfSet = "",
    until: Annotated[
        WaitGoal, Field(description="running: healthy too. updated: running the latest configuration.")
    ] = "running",
    first: Annotated[bool, Field(description="Of several, wait for the first only.")] = False,
    timeout_s: TimeoutSeconds = 600,
) -> WaitOutput:
    """Wait until an endpoint is ready, or all of several, with progress. Returns at once, with the cause, if it cannot
    become ready. If this host's time limit ends first, returns reached=false and the call that continues."""
    choice = Choice(endpoint_name, names, where, namespace)
    if choice.is_several:
        return await wait_for_several(call, choice, Goal(until), first=first, timeout_s=timeout_s)
    history = _WaitHistory(clean_line(endpoint_name, 64), call.fence)
    estimating: asyncio.Task[None] | None = None
    goal = Goal(until)
    request_key = _request_key(endpoint_name, goal)
    try:
        with call.hold.holding(request_key=request_key, receipt=[*request_key, timeout_s]):
            async with call.report_progress() as progress:

                def on_observation(observation: Observation) -> None:
                    nonlocal estimating
                    if history.add(observation):
                        progress.report(history.message)
                    seen = observation.endpoint
                    if estimating is None and goal.needs_health and seen is not None and seen.state.changing:
                        estimating = asyncio.create_task(_estimate(call, history, seen, progress))

                progress.report(history.message)
                namespace, name = await call.resolve_endpoint(endpoint_name, namespace)
                history.namespace, history.name = namespace, name
                timeout = min(float(timeout_s), call.hold.remaining_s)
                endpoint = await call.watcher.wait(
                    name, namespace, goal, timeout=timeout, on_observation=on_observation
                )
    except InferenceEndpointTimeoutError:
        return await _timed_out_output(call, history, goal, timeout_s)
    except DeploymentFailed as failure:
        failure.hint = "diagnose_endpoint finds the cause and what helps."
        await add_last_log_lines(failure, call.endpoints, name, namespace)
        raise
    finally:
        if estimating is not None:
            estimating.cancel()
    now = _REACHED.get(goal) or (STATE_SENTENCES[endpoint.state] if endpoint else "It does not exist any more.")
    return await _output(call, history, endpoint, reached=True, now=now)


async def _estimate(call: CallContext, history: "_WaitHistory", endpoint: Endpoint, progress: Progress) -> None:
    """Tell the host and the answer how long this start is expected to take, unless that cannot be read."""
    changed_at = endpoint.status.updated_at
    with suppress(InferenceEndpointError):
        earlier = await call.start_history.earlier(endpoint, history.namespace)
        history.expected = estimate_start(endpoint, earlier)
        now = call.endpoints.http.clock.now()
        began_before = (now - changed_at).total_seconds() - history.elapsed if changed_at else 0.0
        history.expected_s = history.expected.seconds - max(0.0, began_before)
        progress.expect(history.expected_s)


_REACHED = {
    Goal.RUNNING: "It is running and healthy: it can be called.",
    Goal.UPDATED: "It is running the latest configuration and is healthy.",
}


class _WaitHistory:
    """What was observed of an endpoint during one wait."""

    def __init__(self, name: str, fence: Fence) -> None:
        self._fence = fence
        self.namespace, self.name = "", name
        self.states: list[str] = []
        self.last: Endpoint | None = None
        self._healthy: bool | None = None
        self.error: InferenceEndpointError | None = None
        self._fingerprint: tuple[object, ...] | None = None
        self._started = self._seen = time.monotonic()
        self.expected: StartEstimate | None = None
        self.expected_s = 0.0
        """Seconds of this wait after which the start should end."""

    @property
    def left_s(self) -> int | None:
        """Seconds it should still take; None where that is not known, or it takes longer than expected."""
        left = round(self.expected_s - self.elapsed)
        return left if self.expected is not None and left > 0 else None

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def add(self, observation: Observation) -> bool:
        """Add an observation; returns whether it differs from the one before."""
        differs, self._fingerprint = observation.fingerprint != self._fingerprint, observation.fingerprint
        self.error, self._seen = observation.error, time.monotonic()
        if observation.endpoint is None:
            return differs
        self.last, self._healthy = observation.endpoint, observation.healthy
        state = state_word(observation.endpoint)
        if not self.states or self.states[-1] != state:
            self.states.append(state)
        return differs

    def message(self) -> str:
        """`initializing · 0/1 replicas · 1 min 42 s · `, then what delays it, or what the service reports, quoted."""
        parts = [f"waiting for {self.name}", format_duration(self.elapsed)]
        if self.last is not None:
            status = self.last.status
            replicas = f"{status.ready_replica}/{max(status.target_replica, status.ready_replica)} replicas"
            parts = [state_word(self.last), replicas, format_duration(self.elapsed)]
        facts = clean_line(" · ".join([*parts, *self._delay()]), MAX_PROGRESS_LENGTH)
        reported = self.last.status.message if self.last and not self.obstacle else None
        quoted = self._fence.quote_line(reported or "", MAX_PROGRESS_LENGTH - len(facts) - len(" · "))
        return f"{facts} · {quoted}" if quoted else facts

    @property
    def obstacle(self) -> str:
        """What delays the endpoint; empty where it only needs more time."""
        if self.error is not None:
            return "the control plane does not answer"
        if self.last is not None and self.last.state == "running" and self._healthy is False:
            return "its health route does not answer yet"
        return ""

    def _delay(self) -> list[str]:
        unseen = time.monotonic() - self._seen
        if self.error is not None:
            return [f"{self.obstacle}, still trying"]
        if unseen > UNSEEN_S:
            return [f"seen {format_duration(unseen)} ago, still trying"]
        return [self.obstacle] if self.obstacle else []


async def _timed_out_output(call: CallContext, history: _WaitHistory, goal: Goal, timeout_s: int) -> WaitOutput:
    """The state when the time is up. Raises what failed if the endpoint was never seen."""
    if history.last is None and history.error is not None:
        raise history.error
    left = max(0, round(timeout_s - history.elapsed))
    starter = _STARTED_BY.get(goal) if history.last is not None and not history.last.state.changing else None
    now = f"Not {goal.value.replace('_', ' ')} yet after {format_duration(history.elapsed)}"
    now += f": {history.obstacle}." if history.obstacle else "."
    if starter is not None:
        now += f" No such change is in progress: call {starter}."
    elif left:
        now += " The host's time limit for one call is reached: make the call under `next` to continue."
        request_key = _request_key(history.name, goal)
        call.hold.cut_short(request_key=request_key, receipt=[*request_key, left])
    if starter is None and history.expected is not None and history.error is None:
        left_s = history.left_s
        now += f" {history.expected.basis}"
        now += f" About {format_duration(left_s)} are left." if left_s else " This start takes longer."
    output = await _output(call, history, history.last, reached=False, now=now)
    more = {"until": goal.value, "timeout_s": left or timeout_s} if starter is None else {}
    following = next_call(starter or "wait_for_endpoint", history.namespace, history.name, **more)
    return output.model_copy(update={"next": [following], "expected_left_s": history.left_s})


def _request_key(name: str, goal: Goal) -> list[str]:
    """What the waits for one goal of an endpoint have in common."""
    return ["wait_for_endpoint", name.rpartition("/")[2], goal.value]


_STARTED_BY = {
    Goal.PAUSED: "pause_endpoint",
    Goal.SCALED_TO_ZERO: "scale_endpoint_to_zero",
    Goal.DELETED: "delete_endpoint",
}


async def _output(
    call: CallContext, history: _WaitHistory, endpoint: Endpoint | None, *, reached: bool, now: str
) -> WaitOutput:
    fields = {"reached": reached, "waited_s": round(history.elapsed, 1), "states_seen": history.states, "now": now}
    if endpoint is None:
        backend = backend_of(history.last, call.endpoints.backend.name)
        return WaitOutput(endpoint_name=history.name, namespace=history.namespace, backend=backend, **fields)
    fields |= await describe_endpoint(call, endpoint, history.namespace, within=PRICES_WITHIN_S)
    ready = reached and endpoint.state == "running"
    return WaitOutput(**fields, next=trial_calls(endpoint, history.namespace) if ready else [])
