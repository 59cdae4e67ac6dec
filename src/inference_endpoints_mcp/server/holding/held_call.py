"""One call, held no longer than its host bears. What becomes of its answer shows what the host bears.

An answer that the hold cuts short proposes a call that a host can know from it alone: once that is made, the answer has
arrived. A cancel or a disconnect shows that the host gave up. So does the first call made once more, where nothing is
known of the host: many clients give up without a word.
"""

import asyncio
import hashlib
import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context

from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.server.holding.departures import has_left
from inference_endpoints_mcp.server.holding.hold import FIRST_HOLD_S, LearnedHold, is_near
from inference_endpoints_mcp.server.holding.host_limits import UNKNOWN_HOST, find_timeout, has_own_name
from inference_endpoints_mcp.server.holding.learned_holds import LearnedHolds
from inference_endpoints_mcp.server.mcp_host import host_name, host_version, wants_progress

_received_at: ContextVar[float] = ContextVar("received_at")


async def note_time(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware: note when the request came. The host's time runs from then on."""
    token = _received_at.set(time.monotonic())
    try:
        return await call_next(ctx)
    finally:
        _received_at.reset(token)


class HeldCall:
    """The call of one request. With `operator_s`, the hold that the operator has set, nothing is learnt.

    Calls of an unknown host are held for `first_s` at first, and for half of that at least.
    """

    def __init__(
        self,
        context: Context[Any, Any],
        caller: str,
        holds: LearnedHolds,
        *,
        first_s: float = FIRST_HOLD_S,
        operator_s: float | None = None,
    ) -> None:
        name = host_name(context.session)
        progress, http = wants_progress(context), context.headers is not None
        known = find_timeout(name)
        self._limit = (known or UNKNOWN_HOST).limit(progress=progress, http=http)
        self._start = LearnedHold(self._limit if known else first_s)
        self._first_s, self._least_s = first_s, first_s / 2
        # What one program bears tells nothing of another with the same name: after a loss it begins anew.
        self._most_after_loss = math.inf if has_own_name(name) else first_s
        self._is_known = known is not None
        # One client can bear more over another transport, or where it gets progress. Over HTTP, callers with the same
        # client learn apart: none can make the calls of another short.
        way = f"over HTTP, caller {caller[:16]}" if http else "over stdio"
        known_by = " ".join(clean_line(word, 100) for word in (name or "(no name)", host_version(context.session)))
        self._client = f"{known_by}, {way}, {'with' if progress else 'without'} progress"
        self._caller = caller
        self._request = context.request_context.request
        self._holds = holds
        self._operator_s = operator_s
        self._began = _received_at.get(time.monotonic())
        self._allowed_s: float | None = operator_s

    @property
    def remaining_s(self) -> float:
        """Seconds until the answer must be sent."""
        return max(0.0, self._began + self._allowed() - time.monotonic())

    def restart(self) -> None:
        """The host has just answered a question: its time runs from now on."""
        self._began = time.monotonic()

    @contextmanager
    def holding(self, *, request_key: object, receipt: object) -> Iterator[None]:
        """While the call is held. `receipt` can only be known from an earlier answer. `request_key` is equal for
        repetitions of the call."""
        self._learn(request_key, receipt)
        cancelled = False
        try:
            yield
        except asyncio.CancelledError:
            cancelled = True
            raise
        finally:
            if cancelled or has_left(self._request):
                self._note_loss()

    def cut_short(self, *, request_key: object, receipt: object) -> None:
        """The answer is sent before the call is done, and proposes a call with `receipt`."""
        if self._operator_s is None and not has_left(self._request):
            allowed = self._allowed()
            # A server that ends answers all waits at once.
            if is_near(time.monotonic() - self._began, allowed):
                self._holds.propose(self._digest(receipt), self._digest(request_key), allowed)

    def _learn(self, request_key: object, receipt: object) -> None:
        if self._operator_s is not None:
            return
        outcome = self._holds.take(self._digest(receipt), self._digest(request_key))
        if outcome is None:
            return
        if outcome.arrived:
            self._change(lambda hold: hold.after_arrival(outcome.allowed_s, self._limit))
        elif not self._is_known:
            # A model that does not do as `next` says repeats its call too.
            self._change(lambda hold: hold.after_loss(outcome.allowed_s, self._first_s, self._most_after_loss))

    def _note_loss(self) -> None:
        """A call that is stopped at once tells nothing of the host's limit: a person stopped it.

        Where the limit is known, it was most likely a person too: the next answer that arrives brings the hold back.
        """
        if self._operator_s is None and time.monotonic() - self._began >= self._least_s:
            allowed = self._allowed()
            change = LearnedHold.after_stop if self._is_known else LearnedHold.after_loss
            self._change(lambda hold: change(hold, allowed, self._least_s, self._most_after_loss))

    def _change(self, change: Any) -> None:
        self._holds.change(self._client, self._start, change)

    def _allowed(self) -> float:
        """The hold of this call, which stays as it is once it was needed."""
        if self._allowed_s is None:
            hold = self._holds.find(self._client) or self._start
            self._allowed_s = min(hold.seconds, self._limit)
        return self._allowed_s

    def _digest(self, fact: object) -> bytes:
        return hashlib.sha256(json.dumps([self._client, self._caller, fact]).encode()).digest()
