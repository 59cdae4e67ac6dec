"""What servers have in common that stand for one profile: one for each account, where callers bring their own token."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from inference_endpoints_mcp.policy.audit.audit_trail import AuditTrail
from inference_endpoints_mcp.policy.concurrency import ConcurrencyLimits
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.replicas.shared_state import SharedState
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.tools.kept_outputs import KeptOutputs
from inference_endpoints_mcp.tools.running_calls import RunningCall


class SharedLifetime:
    """Closes what replicas share when the last server that uses it has ended: accounts end beside their profile."""

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared
        self._users = 0

    @asynccontextmanager
    async def used(self) -> AsyncIterator[None]:
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                await self._shared.aclose()


@dataclass(frozen=True)
class CommonParts:
    """The audit trail is one, and what one caller may have counts together, whatever tokens it sends: calls and waits,
    those that go on without their host, subscriptions by caller, and the bytes of kept outputs."""

    audit: AuditTrail
    shared: SharedState
    lifetime: SharedLifetime
    concurrency: ConcurrencyLimits
    outputs: KeptOutputs
    running_calls: dict[str, RunningCall[Any]] = field(default_factory=dict)
    subscriptions: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, options: ServerOptions, redactor: Redactor) -> "CommonParts":
        """Raises `AuditError` if the audit file cannot be written."""
        shared = options.open_shared()
        concurrency = ConcurrencyLimits(options.max_calls, options.max_waits, shared)
        for measure, read in concurrency.running.items():
            options.telemetry.watch(measure, read)
        audit = AuditTrail(
            options.audit_file, redactor, options.profile, options.telemetry.record_event, options.audit_collector
        )
        return cls(audit, shared, SharedLifetime(shared), concurrency, KeptOutputs(options.clock))
