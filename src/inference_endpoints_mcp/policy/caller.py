"""Who sent the current request: limits count by it, and the audit trail names it."""

import secrets
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    """The caller of a request: the name its host gives itself, its address (None over stdio), our own id of the
    request, and who signed in (the name of a key), if anybody had to. `account` stands for a token of its own, and
    tells nothing of it; None where the operator's token is used."""

    name: str | None
    address: str | None
    request_id: str
    signed_in: str | None = None
    account: str | None = None


current_caller: ContextVar[Caller | None] = ContextVar("current_caller", default=None)
"""The caller of the current request."""


def request_id() -> str:
    """Our own id of the current request, by which log, audit trail and the caller's error message are connected."""
    caller = current_caller.get()
    return caller.request_id if caller is not None else new_request_id()


def new_request_id() -> str:
    return secrets.token_hex(6)


def caller_id() -> str:
    """Whom limits count: who signed in, else the network address, else the single user (stdio, a Unix socket)."""
    caller = current_caller.get()
    if caller is None:
        return ""
    return f"signed in: {caller.signed_in}" if caller.signed_in else caller.address or ""
