"""Waiting: held no longer than the host bears, told all the way, ended at once when the goal is out of reach."""

import time
from typing import Annotated, Literal

from pydantic import Field

from inference_endpoints.errors import DeploymentFailed, InferenceEndpointError, InferenceEndpointTimeoutError
from inference_endpoints.models import Endpoint
from inference_endpoints.transport import operations
from inference_endpoints.watching.goals import Goal
from inference_endpoints.watching.observation import Observation
from inference_endpoints_mcp.privacy.untrusted_text import line
from inference_endpoints_mcp.tools.arguments import EndpointName, Namespace, TimeoutSeconds
from inference_endpoints_mcp.tools.context import Call, CallScope
from inference_endpoints_mcp.tools.outputs import WaitAnswer, backend_of, call_of, facts_of, trying
from inference_endpoints_mcp.tools.spec import Toolset, tool

Until = Literal["running", "updated", "paused", "scaled_to_zero", "deleted"]
LAST_LINES = 20


@tool(uses=operations.GET, toolset=Toolset.LIFECYCLE, title="Wait for an endpoint", waits=True)
async def wait_for_endpoint(
    call: Call,
    endpoint_name: EndpointName,
    namespace: Namespace = "",
    until: Annotated[
        Until, Field(description="running includes a health check; updated: as last asked for.")
    ] = "running",
    timeout_s: TimeoutSeconds = 600,
) -> WaitAnswer:
    """Wait until an endpoint is ready, with progress. Fails at once if it cannot become so, with the cause. If it
    takes longer than this host bears, answers reached=false and the call that continues."""
    story = _Story(line(endpoint_name, 64))
    goal, held = Goal(until), min(float(timeout_s), call.hold_s)
    try:
        async with call.telling() as progress:

            def on_observation(observation: Observation) -> None:
                if story.add(observation):
                    progress.show(story.tell)

            progress.show(story.tell)
            namespace, name = await call.target(endpoint_name, namespace)
            story.namespace, story.name = namespace, name
            endpoint = await call.watcher.wait(name, namespace, goal, timeout=held, on_observation=on_observation)
    except InferenceEndpointTimeoutError:
        return await _not_yet(call, story, goal, timeout_s)
    except DeploymentFailed as failure:
        failure.hint = "diagnose_endpoint says why, and what would help."
        failure.upstream = await _last_words(call, namespace, name, failure.upstream)
        raise
    return await _answer(call, story, endpoint, reached=True, now=_REACHED[goal])


_REACHED = {
    Goal.RUNNING: "It is running and has answered its health check: it can be called.",
    Goal.UPDATED: "It is running on the configuration last asked for, and has answered its health check.",
    Goal.PAUSED: "It is paused and not billed.",
    Goal.SCALED_TO_ZERO: "It is scaled to zero and not billed.",
    Goal.DELETED: "It is gone.",
}


class _Story:
    """What has been seen of an endpoint during one wait."""

    def __init__(self, name: str) -> None:
        self.namespace, self.name = "", name
        self.states: list[str] = []
        self.last: Endpoint | None = None
        self._healthy: bool | None = None
        self.error: InferenceEndpointError | None = None
        self._fingerprint: tuple[object, ...] | None = None
        self._started = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def add(self, observation: Observation) -> bool:
        """Take an observation in; returns whether it is news."""
        news, self._fingerprint = observation.fingerprint != self._fingerprint, observation.fingerprint
        self.error = observation.error
        if observation.endpoint is None:
            return news
        self.last, self._healthy = observation.endpoint, observation.healthy
        state = observation.endpoint.state.value
        if not self.states or self.states[-1] != state:
            self.states.append(state)
        return news

    def tell(self) -> str:
        """`initializing · 0/1 replicas · 1m 42s · Loading the model`"""
        parts = [f"looking at {self.name}", _spoken(self.elapsed)]
        if self.last is not None:
            status = self.last.status
            replicas = f"{status.ready_replica}/{max(status.target_replica, status.ready_replica)} replicas"
            parts = [status.state.value, replicas, _spoken(self.elapsed)]
        return line(" · ".join([*parts, *self._happening()]), 199)

    @property
    def hindrance(self) -> str:
        """What stands in the way, if it is not simply under way."""
        if self.error is not None:
            return "the control plane does not answer"
        if self.last is not None and self.last.state == "running" and self._healthy is False:
            return "its health route does not answer yet"
        return ""

    def _happening(self) -> list[str]:
        said = self.hindrance or (self.last.status.message if self.last else "")
        if self.error is not None:
            said = f"{said}, still trying"
        return [line(said, 120)] if said else []


async def _not_yet(call: CallScope, story: _Story, goal: Goal, timeout_s: int) -> WaitAnswer:
    """What is true when the time is up. Raises what went wrong if the endpoint was never seen."""
    if story.last is None and story.error is not None:
        raise story.error
    left = max(0, round(timeout_s - story.elapsed))
    start = _STARTED_BY.get(goal) if story.last is not None and not story.last.state.changing else None
    now = f"Not {goal.value.replace('_', ' ')} yet after {_spoken(story.elapsed)}"
    now += f": {story.hindrance}." if story.hindrance else "."
    if start is not None:
        now += f" Nothing here makes it so: {start} would."
    elif left:
        now += " This is as long as this host bears one call; call again to go on."
    answer = await _answer(call, story, story.last, reached=False, now=now)
    again = call_of("wait_for_endpoint", story.namespace, story.name, until=goal.value, timeout_s=left or timeout_s)
    following = again if start is None else call_of(start, story.namespace, story.name)
    return answer.model_copy(update={"next": [following]})


_STARTED_BY = {
    Goal.PAUSED: "pause_endpoint",
    Goal.SCALED_TO_ZERO: "scale_endpoint_to_zero",
    Goal.DELETED: "delete_endpoint",
}


async def _answer(call: CallScope, story: _Story, endpoint: Endpoint | None, *, reached: bool, now: str) -> WaitAnswer:
    seen = {"reached": reached, "waited_s": round(story.elapsed, 1), "states_seen": story.states, "now": now}
    backend = call.endpoints.backend.name
    if endpoint is None:
        where = backend_of(story.last, backend)
        return WaitAnswer(endpoint_name=story.name, namespace=story.namespace, backend=where, **seen)
    prices = await call.listing.prices(story.namespace)
    ready = reached and endpoint.state == "running"
    following = [trying(endpoint, story.namespace)]
    return WaitAnswer(**facts_of(endpoint, story.namespace, prices, backend), **seen, next=following if ready else [])


async def _last_words(call: CallScope, namespace: str, name: str, said: str) -> str:
    """What a failed endpoint said: the control plane's reason and the end of its log."""
    try:
        entries = await call.endpoints.logs(name, namespace, tail=LAST_LINES)
    except InferenceEndpointError:
        return said
    said_already = set(said.splitlines())
    return "\n".join([said, *(entry.line for entry in entries if entry.line not in said_already)]).strip()


def _spoken(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"
