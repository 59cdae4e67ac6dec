"""Who sent the current request: limits count by it, and the audit trail names it."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    """The caller of a request: the name its host gives itself, its address (None over stdio), and our own id of the
    request."""

    name: str | None
    address: str | None
    request_id: str


current_caller: ContextVar[Caller | None] = ContextVar("current_caller", default=None)
"""The caller of the current request."""


def caller_address() -> str:
    """The network address of the current caller. Empty for a single one: over stdio, and over a Unix socket."""
    caller = current_caller.get()
    return (caller and caller.address) or ""
