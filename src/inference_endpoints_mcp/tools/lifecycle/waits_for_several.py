"""Waits for several endpoints at once: until all of them, or the first, are as wanted."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

from inference_endpoints.errors import InferenceEndpointError, InferenceEndpointTimeoutError
from inference_endpoints.models import format_duration
from inference_endpoints.watching.goals import Goal
from inference_endpoints.watching.observation import Observation
from inference_endpoints_mcp.privacy.answer_text import LONGEST_OF_OURS
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.tools.call_context import MAX_PROGRESS_LENGTH, CallContext
from inference_endpoints_mcp.tools.lifecycle.change_set import naming
from inference_endpoints_mcp.tools.lifecycle.choice import Choice, Target
from inference_endpoints_mcp.tools.outputs import (
    EndpointOutcome,
    NextCall,
    WaitOutput,
    backend_of,
    merge_equal_rows,
    state_word,
)


async def wait_for_several(call: CallContext, choice: Choice, goal: Goal, *, first: bool, timeout_s: int) -> WaitOutput:
    """Wait for all, or with `first` for the first. Ends as soon as the outcome is certain; each is told."""
    chosen = await choice.find_all(call)
    targets = chosen.targets
    waits = _Waits(call, goal, first, targets)
    request_key = [goal.value, *(sorted(choice.names) or [choice.where])]
    with call.hold.holding(request_key=request_key, receipt=[*request_key, timeout_s]):
        await waits.run(targets, min(float(timeout_s), call.hold.remaining_s))
    output = waits.output(timeout_s)
    if chosen.not_covered:
        output = output.model_copy(update={"now": f"{output.now} {chosen.not_covered}"})
    for following in output.next:
        if following.tool == "wait_for_endpoint" and waits.elapsed < timeout_s:
            names = sorted(following.arguments["names"])
            call.hold.cut_short(request_key=request_key, receipt=[goal.value, *names, following.arguments["timeout_s"]])
    return output


def _as_it_is(target: Target) -> EndpointOutcome:
    state = state_word(target.current) if target.current else None
    return EndpointOutcome(endpoint_names=[target.name], namespace=target.namespace, state=state, outcome="waiting")


class _Waits:
    """What is known of each endpoint while they are waited for."""

    def __init__(self, call: CallContext, goal: Goal, first: bool, targets: Sequence[Target]) -> None:
        self._call, self._goal, self._first = call, goal, first
        where = {backend_of(target.current, call.endpoints.backend.name) for target in targets if target.current}
        self._backend = where.pop() if len(where) == 1 else backend_of(None, call.endpoints.backend.name)
        self._rows = {(target.namespace, target.name): _as_it_is(target) for target in targets}
        self._started = time.monotonic()

    async def run(self, targets: Sequence[Target], timeout: float) -> None:
        """Wait until the outcome is certain, no longer than `timeout` seconds."""
        async with self._call.report_progress() as progress:
            progress.report(self.message)
            tasks = [asyncio.create_task(self.wait_for(target, timeout)) for target in targets]
            try:
                pending = set(tasks)
                while pending and not self.is_decided:
                    done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
                    progress.report(self.message)
            finally:
                for task in tasks:
                    task.cancel()
                if tasks:  # not `gather`: see `report_progress`
                    await asyncio.wait(tasks)

    async def wait_for(self, target: Target, timeout: float) -> None:
        """Wait for one, no longer than `timeout` seconds; how it ends is in its row."""
        key = (target.namespace, target.name)

        def on_observation(observation: Observation) -> None:
            if observation.endpoint is not None:
                self._update(key, state=state_word(observation.endpoint))

        try:
            await self._call.watcher.wait(
                target.name, target.namespace, self._goal, timeout=timeout, on_observation=on_observation
            )
            gone = {"state": None} if self._goal is Goal.DELETED else {}
            self._update(key, outcome="reached", **gone)
        except InferenceEndpointTimeoutError:
            pass
        except InferenceEndpointError as error:
            self._update(key, outcome="failed", why=clean_line(f"{error.code}: {error.message}", LONGEST_OF_OURS))

    def _update(self, key: tuple[str, str], **changes: object) -> None:
        self._rows[key] = self._rows[key].model_copy(update=changes)

    @property
    def _outcomes(self) -> Counter[str]:
        return Counter(row.outcome for row in self._rows.values())

    @property
    def reached(self) -> bool:
        count = self._outcomes["reached"]
        return count > 0 if self._first else count == len(self._rows)

    @property
    def is_decided(self) -> bool:
        """Whether waiting longer changes nothing: the goal is reached, or cannot be."""
        failed = self._outcomes["failed"]
        return self.reached or (failed == len(self._rows) if self._first else failed > 0)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    def message(self) -> str:
        """`3/5 running · 1 min 42 s · 2 initializing`."""
        states = Counter(row.state for row in self._rows.values() if row.outcome == "waiting" and row.state)
        waiting = ", ".join(f"{count} {state}" for state, count in states.most_common())
        parts = [self._counted, format_duration(self.elapsed), waiting]
        return clean_line(" · ".join(part for part in parts if part), MAX_PROGRESS_LENGTH)

    @property
    def _counted(self) -> str:
        return f"{self._outcomes['reached']}/{len(self._rows)} {self._goal.value.replace('_', ' ')}"

    def output(self, timeout_s: int) -> WaitOutput:
        rows = list(self._rows.values())
        namespaces = {row.namespace or "" for row in rows}
        namespace = namespaces.pop() if len(namespaces) == 1 else "*"
        elapsed = self.elapsed
        failed = [row for row in rows if row.outcome == "failed"]
        waiting = [row for row in rows if row.outcome == "waiting"]
        now = f"{self._counted} after {format_duration(elapsed)}"
        now += f"; {len(failed)} cannot reach this: see why." if failed else "."
        following = []
        if failed and not self.reached:
            following += [NextCall(tool="diagnose_endpoint", arguments=_one(failed[0]))]
        if waiting and not self.reached:
            left = round(timeout_s - elapsed)
            limits = {"until": self._goal.value, "first": self._first, "timeout_s": left if left > 0 else timeout_s}
            following += [NextCall(tool="wait_for_endpoint", arguments=naming(waiting, namespace) | limits)]
            now += " Call again to go on waiting for the others." if failed else " Call again to continue."
        shown = rows if namespace == "*" else [row.model_copy(update={"namespace": None}) for row in rows]
        return WaitOutput(
            namespace=namespace,
            backend=self._backend,
            reached=self.reached,
            waited_s=round(elapsed, 1),
            endpoints=merge_equal_rows(shown),
            now=now if rows else "No endpoint matches: there is nothing to wait for.",
            next=following,
        )


def _one(row: EndpointOutcome) -> dict[str, str]:
    return {"endpoint_name": row.endpoint_names[0], "namespace": row.namespace or ""}
