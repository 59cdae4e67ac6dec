"""What runs behind the server: a context for each call. It connects to the backend on the first call."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import Context

from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints.transport.backend import Backend
from inference_endpoints.watching.request_limits import STREAMED_INTERVAL_S
from inference_endpoints_mcp.approval.approval_policy import ApprovalPolicy
from inference_endpoints_mcp.approval.approvals import Approvals
from inference_endpoints_mcp.policy.audit.collector import AuditCollector
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.policy.policy import Policy
from inference_endpoints_mcp.privacy.lent_secrets import LentSecrets
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.privacy.untrusted_text import Fence
from inference_endpoints_mcp.replicas.process_state import ProcessState
from inference_endpoints_mcp.replicas.shared_state import SharedState
from inference_endpoints_mcp.server.caller_identity import identify_caller
from inference_endpoints_mcp.server.holding.held_call import HeldCall
from inference_endpoints_mcp.server.holding.hold import FIRST_HOLD_S
from inference_endpoints_mcp.server.holding.learned_holds import LearnedHolds
from inference_endpoints_mcp.server.observability.telemetry import NoTelemetry, Telemetry
from inference_endpoints_mcp.server.progress import report_progress
from inference_endpoints_mcp.tools.call_context import CallContext
from inference_endpoints_mcp.tools.kept_outputs import KeptOutputs
from inference_endpoints_mcp.tools.media_access import MediaAccess
from inference_endpoints_mcp.tools.running_calls import RunningCalls

if TYPE_CHECKING:
    from inference_endpoints.transport.http import Reconnect
    from inference_endpoints_mcp.server.backends.caller_tokens import CallerBackend
    from inference_endpoints_mcp.server.clients import Clients

MAX_SUBSCRIPTIONS = 20
"""Resources to which one caller may subscribe, unless the operator sets another number."""


READY_VALID_S = 10.0
"""Seconds for which the answer to whether the control plane can be reached is kept: probes come often."""


@dataclass(frozen=True)
class ServerOptions:
    """The operator's settings. Times are in seconds; `open_backend` is called once, on the first call of a tool.

    `poll_interval` is the longest time between two reads of an endpoint that is waited for. `host_timeout_s` overrides
    what is learnt of how long the host waits for one call; of an unknown host that begins with `first_hold_s`.
    `max_calls`, `max_waits` and `max_subscriptions` are limits for each caller. `profile` names these settings in the
    audit trail. `clock` gives seconds since the epoch, and with it how long plans and questions are valid. Servers with
    the same `data_folder` redeem each other's plan tokens and share what they learnt of hosts; without one, each is on
    its own. Replicas have the same `sealing_keys`, the newest first, and `open_shared` opens what they share.
    With `caller_backend`, each caller acts with a token of its own: it gives the backend for one. `caller` is whose
    token it is where the options are those of one account.
    `restart_settings` are the settings, by the names of flags, that a running server cannot apply: they name the
    account, or are part of what it promised its hosts.
    """

    open_backend: Callable[[AsyncExitStack], Awaitable[Backend]]
    reconnect: "Reconnect | None" = None
    caller_backend: "CallerBackend | None" = None
    caller: str | None = None
    namespace: str | None = None
    limits: Limits = field(default_factory=Limits)
    approval: ApprovalPolicy = field(default_factory=ApprovalPolicy)
    lent: LentSecrets = field(default_factory=LentSecrets)
    media: MediaAccess = field(default_factory=MediaAccess)
    audit_file: Path | None = None
    audit_collector: AuditCollector | None = None
    host_timeout_s: float | None = None
    first_hold_s: float = FIRST_HOLD_S
    poll_interval: float = STREAMED_INTERVAL_S
    max_subscriptions: int = MAX_SUBSCRIPTIONS
    max_calls: int = 64
    max_waits: int = 32
    data_folder: Path | None = None
    clock: Callable[[], float] = time.time
    profile: str | None = None
    telemetry: Telemetry = field(default_factory=NoTelemetry)
    sealing_keys: tuple[bytes, ...] = ()
    open_shared: Callable[[], SharedState] = ProcessState
    restart_settings: dict[str, Any] = field(default_factory=dict)

    def taking(self, new: "ServerOptions") -> "ServerOptions":
        """These options with all of the new ones that a server can take while it runs."""
        return replace(
            self,
            limits=new.limits,
            approval=new.approval,
            lent=new.lent,
            host_timeout_s=new.host_timeout_s,
            max_calls=new.max_calls,
            max_waits=new.max_waits,
            sealing_keys=new.sealing_keys,
        )

    def for_account(self, caller: str, token: str) -> "ServerOptions":
        """These options for this caller with this token."""
        assert self.caller_backend is not None, "callers have tokens of their own"
        backend = self.caller_backend(token)

        async def open_backend(_: AsyncExitStack) -> Backend:
            return backend

        return replace(self, open_backend=open_backend, reconnect=None, caller=caller)

    def needs_new_server(self, new: "ServerOptions") -> bool:
        return self.restart_settings != new.restart_settings


class RunningApplication:
    """Opens a context for each call. It connects to the backend on the first call, not before."""

    def __init__(
        self,
        options: ServerOptions,
        redactor: Redactor,
        policy: Policy,
        approvals: Approvals,
        shared: SharedState,
        outputs: KeptOutputs,
        running_calls: RunningCalls,
    ) -> None:
        self._options = options
        self._shared = shared
        self._redactor = redactor
        self._approvals = approvals
        self._policy = policy
        self._outputs = outputs
        self._stack = AsyncExitStack()
        self._clients: Clients | None = None
        self._opening = asyncio.Lock()
        self._is_ready, self._ready_at = False, float("-inf")
        self._holds = LearnedHolds(options.data_folder, options.clock)
        self._running_calls = running_calls

    async def open_call(self, context: Context[Any, Any]) -> CallContext:
        clients = await self._get_clients()
        caller = identify_caller(context, clients.endpoints.backend)
        return CallContext(
            endpoints=clients.endpoints,
            watcher=clients.watcher,
            inference=clients.inference,
            hardware_cache=clients.hardware_cache,
            hub=clients.hub,
            start_history=clients.start_history,
            redactor=self._redactor,
            approvals=self._approvals,
            guard=clients.guard,
            caller=caller,
            mcp=context,
            lent_secrets=self._options.lent,
            hold=HeldCall(
                context,
                caller,
                self._holds,
                first_s=self._options.first_hold_s,
                operator_s=self._options.host_timeout_s,
            ),
            running_calls=self._running_calls,
            report_progress=partial(report_progress, context, redactor=self._redactor),
            check_namespace=partial(self._policy.check_namespace, _requested_operation(context)),
            outputs=self._outputs,
            media=self._options.media,
            fence=Fence(self._redactor.text),
        )

    def take(self, options: ServerOptions, approvals: Approvals) -> None:
        """Calls that begin from now on have these."""
        self._options, self._approvals = options, approvals

    def end_waits(self) -> None:
        """Let each wait that runs answer now, with how to go on."""
        if self._clients is not None:
            self._clients.watcher.end_waits()

    @property
    def has_running_calls(self) -> bool:
        """Whether a call goes on whose host has its first answer already."""
        return self._running_calls.has_unfinished

    async def is_ready(self) -> bool:
        """Whether the control plane can be reached. It is asked at most every `READY_VALID_S`."""
        if time.monotonic() - self._ready_at > READY_VALID_S:
            try:
                self._is_ready = await (await self._get_clients()).endpoints.http.is_reachable()
            except InferenceEndpointError:  # there is no token, or the plane cannot start
                self._is_ready = False
            self._ready_at = time.monotonic()
        return self._is_ready

    async def aclose(self) -> None:
        await self._running_calls.aclose()
        await self._stack.aclose()
        self._holds.close()

    async def _get_clients(self) -> "Clients":
        async with self._opening:
            if self._clients is None:
                from inference_endpoints_mcp.server.clients import open_clients  # most of the model layer

                self._clients = await open_clients(
                    self._options,
                    self._policy,
                    self._redactor,
                    self._stack,
                    self._shared,
                    sealing_keys=lambda: self._options.sealing_keys,
                )
            return self._clients


def _requested_operation(context: Context[Any, Any]) -> str:
    """The name of the requested tool or prompt, or else the method."""
    return str(_params(context).get("name") or context.request_context.method)


def _params(context: Context[Any, Any]) -> Mapping[str, Any]:
    return context.request_context.params or {}
