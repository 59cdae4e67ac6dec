"""Calls of endpoints that take longer than their host waits: they go on, and a later call of the host gets the answer.

What a model has begun to compute is paid for, so it is not computed again.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from inference_endpoints_mcp.policy.caller import caller_id

if TYPE_CHECKING:
    from inference_endpoints_mcp.tools.call_context import Progress, ProgressMessage

MAX_CALLS = 16
"""Calls of one caller that may go on at the same time, and answers that nobody has taken."""
KEPT_S = 600.0
"""Seconds for which an answer is kept."""

Output = TypeVar("Output")


class RunningCall(Generic[Output]):
    """One call, which reports its progress to the request that waits for it at the time."""

    def __init__(
        self,
        caller: str,
        key: tuple[str, str, str],
        request_key: object,
        work: Callable[["Progress"], Coroutine[Any, Any, Output]],
        output: Callable[..., Output],
    ) -> None:
        """`key`: the tool, the namespace and the name of the endpoint. `request_key`: equal for repetitions of the
        call. `output` makes an output of that tool."""
        self.caller, self.key, self.request_key, self.output = caller, key, request_key, output
        self.quota_owner = caller_id()
        self.owner: RunningCalls | None = None
        self.id = secrets.token_hex(4)
        self.unfinished_answers = 0
        """Answers to the host so far, none of which had the result."""
        self.is_delivered = False
        """Whether an answer had the result."""
        self._began = time.monotonic()
        self._ended: float | None = None
        self._message: ProgressMessage | None = None
        self._progress: Progress | None = None
        self.task = asyncio.create_task(work(self), name=f"call {key[-1]}")
        self.task.add_done_callback(self._note_end)

    @property
    def elapsed_s(self) -> float:
        return (self._ended or time.monotonic()) - self._began

    @property
    def is_obsolete(self) -> bool:
        return self._ended is not None and time.monotonic() - self._ended > KEPT_S

    def _note_end(self, task: "asyncio.Task[Output]") -> None:
        self._ended = time.monotonic()
        if not task.cancelled():
            task.exception()  # nobody may come for it

    def report(self, message: "ProgressMessage") -> None:
        self._message = message
        if self._progress is not None:
            self._progress.report(message)

    def expect(self, seconds: float) -> None:
        if self._progress is not None:
            self._progress.expect(seconds)

    def report_to(self, progress: "Progress") -> None:
        """From now on. What was reported last is repeated."""
        self._progress = progress
        if self._message is not None:
            progress.report(self._message)


class RunningCalls:
    """Calls that go on after their request ended, and their answers. Objects with the same `calls` count a caller's
    calls together, but each finds its own alone."""

    def __init__(self, calls: dict[str, RunningCall[Any]]) -> None:
        self._calls = calls

    @property
    def has_unfinished(self) -> bool:
        return any(not kept.task.done() for kept in self._own)

    @property
    def _own(self) -> "list[RunningCall[Any]]":
        return [kept for kept in self._calls.values() if kept.owner is self]

    def keep(self, call: RunningCall[Any]) -> bool:
        """Whether the call may go on: a caller with too many loses its oldest answer, but no running call."""
        for kept in [kept for kept in self._calls.values() if kept.is_obsolete]:
            self.end(kept)
        own = [kept for kept in self._calls.values() if kept.quota_owner == call.quota_owner and kept is not call]
        if len(own) >= MAX_CALLS:
            answered = [kept for kept in own if kept.task.done()]
            if not answered:
                return False
            self.end(answered[0])
        call.owner = self
        self._calls[call.id] = call
        return True

    def find(self, caller: str, call_id: str) -> RunningCall[Any] | None:
        """A call of this caller; None if there is none, for example because another process has it."""
        call = self._calls.get(call_id)
        return call if call is not None and (call.owner, call.caller) == (self, caller) else None

    def find_same(self, caller: str, request_key: object) -> RunningCall[Any] | None:
        """A call of this caller that is the same, and whose result is still to come or was not taken."""
        same = (call for call in self._own if (call.caller, call.request_key) == (caller, request_key))
        return next((call for call in same if not call.is_delivered and not call.is_obsolete), None)

    def end(self, call: RunningCall[Any]) -> None:
        """End a call if it still runs, and forget it."""
        self._calls.pop(call.id, None)
        call.task.cancel()

    async def aclose(self) -> None:
        calls = self._own
        for call in calls:
            self.end(call)
        await asyncio.gather(*(call.task for call in calls), return_exceptions=True)
