"""What stands behind a running server: one client, one watcher, one policy, made on the first call."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.hardware_cache import HardwareListing
from inference_endpoints.inference import AsyncInference
from inference_endpoints.transport.backend import Backend
from inference_endpoints.transport.http import Reconnect
from inference_endpoints.transport.operations import Effect
from inference_endpoints.watching.watcher import STREAMED_INTERVAL_S, Watcher
from inference_endpoints_mcp.approval.approvals import Approvals
from inference_endpoints_mcp.approval.confirmation import DEFAULT_EFFECTS, Confirm, Confirmation
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.policy.policy import Policy
from inference_endpoints_mcp.policy.send_guard import SendGuard
from inference_endpoints_mcp.privacy.lent_secrets import Lent
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.privacy.untrusted_text import Fence
from inference_endpoints_mcp.server.caller import caller_of
from inference_endpoints_mcp.server.host_limits import patience_of
from inference_endpoints_mcp.server.progress import listens, report_progress
from inference_endpoints_mcp.tools.call_context import CallContext

SUBSCRIPTIONS = 20
"""Resources one caller may watch at once, unless the operator says otherwise."""


@dataclass(frozen=True)
class Options:
    """What the operator chose. Times are in seconds; `reach` opens the backend, on the first call.

    `poll_interval` is the longest between two looks at an endpoint that is waited for. `max_calls` and `max_waits` are
    what one caller may have under way, `subscriptions` the resources they may watch. `clock` says for how long plans
    and questions hold.
    """

    reach: Callable[[AsyncExitStack], Awaitable[Backend]]
    reconnect: Reconnect | None = None
    namespace: str | None = None
    limits: Limits = field(default_factory=Limits)
    confirm: Confirm = Confirm.ELICIT
    confirm_effects: frozenset[Effect] = DEFAULT_EFFECTS
    confirm_above: float = 0.0
    confirm_simulated: bool = False
    answer_within: float = 600.0
    lent: Lent = field(default_factory=Lent)
    audit_file: Path | None = None
    hold: float | None = None
    poll_interval: float = STREAMED_INTERVAL_S
    subscriptions: int = SUBSCRIPTIONS
    max_calls: int = 64
    max_waits: int = 32
    clock: Callable[[], float] = time.monotonic

    @property
    def confirmation(self) -> Confirmation:
        return Confirmation(
            self.confirm, self.confirm_effects, self.confirm_above, self.confirm_simulated, self.answer_within
        )


@dataclass(frozen=True)
class _Parts:
    client: AsyncEndpointsClient
    watcher: Watcher
    inference: AsyncInference
    listing: HardwareListing
    guard: SendGuard


class RunningApplication:
    """Opens a scope for each call. Nothing is reached before the first."""

    def __init__(self, options: Options, redactor: Redactor, policy: Policy, approvals: Approvals) -> None:
        self._options = options
        self._redactor = redactor
        self._approvals = approvals
        self._policy = policy
        self._stack = AsyncExitStack()
        self._parts: _Parts | None = None
        self._opening = asyncio.Lock()

    async def open_call(self, context: Context[Any, Any]) -> CallContext:
        parts = await self._opened()
        return CallContext(
            endpoints=parts.client,
            watcher=parts.watcher,
            inference=parts.inference,
            hardware=parts.listing,
            redactor=self._redactor,
            approvals=self._approvals,
            guard=parts.guard,
            caller=caller_of(context),
            lent_secrets=self._options.lent,
            host_timeout_s=self._hold(context),
            report_progress=partial(report_progress, context, redactor=self._redactor),
            check_namespace=partial(self._policy.check_namespace, _asked_for(context)),
            passed_arguments=frozenset(_params(context).get("arguments") or {}),
            fence=Fence(self._redactor.text),
        )

    async def aclose(self) -> None:
        await self._stack.aclose()

    async def _opened(self) -> _Parts:
        async with self._opening:
            if self._parts is None:
                self._parts = await self._open()
            return self._parts

    async def _open(self) -> _Parts:
        backend = await self._options.reach(self._stack)
        self._redactor.add(backend.token)
        namespace, reconnect = self._options.namespace, self._options.reconnect
        reader = AsyncEndpointsClient(backend, namespace=namespace, reconnect=reconnect)
        listing = HardwareListing(reader)
        guard = SendGuard(self._policy, reader, listing)
        client = AsyncEndpointsClient(backend, namespace=namespace, guard=guard, reconnect=reconnect)
        for each in (reader, client):
            self._stack.push_async_callback(each.aclose)
        watcher = Watcher(client, poll_interval=self._options.poll_interval)
        return _Parts(client, watcher, AsyncInference(client), listing.read_by(client), guard)

    def _hold(self, context: Context[Any, Any]) -> float:
        if self._options.hold is not None:
            return self._options.hold
        host = context.session.client_params
        patience = patience_of(host.client_info.name if host else None)
        return patience.bears(listens=listens(context), http=context.headers is not None)


@asynccontextmanager
async def running(
    options: Options, redactor: Redactor, policy: Policy, approvals: Approvals
) -> AsyncIterator[RunningApplication]:
    application = RunningApplication(options, redactor, policy, approvals)
    try:
        yield application
    finally:
        await application.aclose()


def _asked_for(context: Context[Any, Any]) -> str:
    """The tool that is called, or else the method."""
    return str(_params(context).get("name") or context.request_context.method)


def _params(context: Context[Any, Any]) -> Mapping[str, Any]:
    return context.request_context.params or {}
