"""The limits of the operator and of the caller. A caller can only tighten the operator's."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from inference_endpoints.errors import Refused
from inference_endpoints.transport.effect import Effect
from inference_endpoints_mcp.policy.audit.audit_trail import AuditTrail
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.policy.owned_limits import OwnedLimits
from inference_endpoints_mcp.privacy.redact import Redactor

_operator_limits: ContextVar[OwnedLimits | None] = ContextVar("operator_limits", default=None)
"""The operator's limits when the current request began."""
caller_limits: ContextVar[Limits | None] = ContextVar("caller_limits", default=None)
"""The limits to which the caller of the current request restricted the operator's."""


class ToolFacts(Protocol):
    """What limits read of a tool."""

    @property
    def name(self) -> str: ...

    @property
    def toolset(self) -> str: ...

    @property
    def effect(self) -> Effect: ...


class Policy:
    """The limits that hold for the current request: which tools, effects and namespaces they allow."""

    def __init__(self, limits: Limits, audit: AuditTrail | None = None) -> None:
        self._operator = OwnedLimits.of_operator(limits)
        self.audit = audit or AuditTrail(None, Redactor())

    def take(self, limits: Limits) -> None:
        """Requests that begin from now on have these limits of the operator."""
        self._operator = OwnedLimits.of_operator(limits)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """In this block the operator's limits are those of its begin, also in the tasks that it starts."""
        token = _operator_limits.set(self._operator)
        try:
            yield
        finally:
            _operator_limits.reset(token)

    def all_limits(self) -> list[OwnedLimits]:
        """The operator's limits and the caller's. Each must allow a request."""
        restricted = caller_limits.get()
        return [
            _operator_limits.get() or self._operator,
            *([OwnedLimits.of_caller(restricted)] if restricted is not None else []),
        ]

    @property
    def allows_every_tool(self) -> bool:
        return not any(
            owned.limits.read_only or owned.limits.tools or owned.limits.toolsets for owned in self.all_limits()
        )

    @property
    def namespaces(self) -> frozenset[str] | None:
        """The namespaces that may be used; None where none are named."""
        named = [frozenset(owned.limits.namespaces) for owned in self.all_limits() if owned.limits.namespaces]
        return frozenset.intersection(*named) if named else None

    def offers(self, tool: ToolFacts) -> bool:
        """Whether a tool may be listed and called."""
        return not any(owned.limits.forbids(tool.name, tool.toolset, tool.effect) for owned in self.all_limits())

    def check_tool(self, tool: ToolFacts) -> None:
        """Raises `Refused` if a tool may not be called."""
        with self.auditing_refusals({"tool": tool.name}):
            for owned in self.all_limits():
                rule = owned.limits.forbids(tool.name, tool.toolset, tool.effect)
                if rule == "read_only":
                    raise owned.refuse(rule, "This server is read-only")
                if rule is not None:
                    raise owned.refuse(rule, "This tool is not among those allowed")

    def check_namespace(self, tool: str, namespace: str) -> None:
        """Raises `Refused` if nothing of this namespace may be used, which holds for answers from memory too."""
        with self.auditing_refusals({"tool": tool, "namespace": namespace}):
            self.check_effect(Effect.READS, namespace)

    def check_effect(self, effect: Effect, namespace: str | None) -> None:
        """Raises `Refused` if nothing with this effect may be done in this namespace."""
        for owned in self.all_limits():
            limits = owned.limits
            if not limits.allows(effect):
                raise owned.refuse("read_only", "This server is read-only")
            if namespace is not None and limits.namespaces and namespace not in limits.namespaces:
                reason = f"Only these namespaces may be used: {', '.join(limits.namespaces)}"
                raise owned.refuse("namespaces", reason)

    @contextmanager
    def auditing_refusals(self, facts: Mapping[str, Any]) -> Iterator[None]:
        """Write a refusal to the audit trail, and raise it again."""
        try:
            yield
        except Refused as refusal:
            self.audit.write("refusal", **facts, message=refusal.message)
            raise
