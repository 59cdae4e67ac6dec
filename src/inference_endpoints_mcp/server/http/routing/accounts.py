"""Accounts: a caller and a token of its own, with a server that no other caller reaches, nor another token.

Their number is bounded. One that nobody uses is let go after a while, or when another needs its place.
"""

import hmac
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.server.mcp_server import EndpointsServer


class AccountsFull(Exception):
    """No place is left for another account. The message is for the caller."""


@dataclass(eq=False)
class Account:
    """`of` is the server of its profile. `name` is what log and audit trail call it."""

    of: EndpointsServer
    caller: str
    name: str
    server: EndpointsServer
    requests: int = 0
    last_used: float = field(default_factory=time.monotonic)

    @property
    def is_idle(self) -> bool:
        return not self.requests and self.server.is_idle

    @contextmanager
    def used(self) -> Iterator[None]:
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1
            self.last_used = time.monotonic()


class Accounts:
    """The accounts of all profiles. `log_redactor` masks secrets in the log of this process.

    One caller has at most half of the places, so that another finds one. An account is let go after `idle_s` seconds
    without a request.
    """

    def __init__(self, most: int, idle_s: float, log_redactor: Redactor) -> None:
        self._most = most
        self.idle_s = idle_s
        self._log_redactor = log_redactor
        self._key = secrets.token_bytes(32)
        self._open: dict[bytes, Account] = {}
        self._tokens: dict[Account, str] = {}
        self._unwatch: dict[EndpointsServer, Callable[[], None]] = {}

    @property
    def servers(self) -> set[EndpointsServer]:
        """Their servers, and those of their profiles, with which they share something."""
        return {server for account in self._open.values() for server in (account.server, account.of)}

    def has(self, account: Account) -> bool:
        return account in self._tokens

    def open(self, of: EndpointsServer, caller: str, token: str) -> Account:
        """The account of a caller with this token. Raises `AccountsFull`."""
        key = hmac.digest(self._key, json.dumps([id(of), caller, token]).encode(), "sha256")
        if key not in self._open:
            self._make_room(caller)
            account = self._open[key] = Account(of, caller, of.name_of(caller, token), of.for_account(caller, token))
            self._tokens[account] = token
            self._log_redactor.add(token)
            if of not in self._unwatch:
                self._unwatch[of] = of.options.telemetry.watch("accounts", lambda: self._number_of(of))
        return self._open[key]

    def evict_unused(self, profiles: Collection[EndpointsServer]) -> None:
        """Let go what nobody used for long, and what is of none of these profiles."""
        now = time.monotonic()
        for account in list(self._open.values()):
            if account.is_idle and (now - account.last_used >= self.idle_s or account.of not in profiles):
                self._evict(account)

    def _make_room(self, caller: str) -> None:
        accounts = list(self._open.values())
        own = [account for account in accounts if account.caller == caller]
        if len(own) >= max(1, self._most // 2):
            self._evict_one(own, "You use as many tokens at the same time as one caller can")
        elif len(accounts) >= self._most:
            idle = Counter(account.caller for account in accounts if account.is_idle)
            most = {caller for caller, number in idle.items() if number == max(idle.values())}
            others = [account for account in accounts if account.caller in most]
            self._evict_one(others, "This server has as many callers with tokens of their own as it can")

    def _evict_one(self, accounts: list[Account], refusal: str) -> None:
        """The one of these that nobody used for longest. Raises `AccountsFull` if all are in use."""
        idle = [account for account in accounts if account.is_idle]
        if not idle:
            hint = "Try again later. Only the operator of this server can allow more (--max-accounts)."
            raise AccountsFull(f"{refusal}: nothing was done. {hint}")
        self._evict(min(idle, key=lambda account: account.last_used))

    def _evict(self, account: Account) -> None:
        self._open = {key: each for key, each in self._open.items() if each is not account}
        self._log_redactor.forget(self._tokens.pop(account))
        if not self._number_of(account.of):
            self._unwatch.pop(account.of)()

    def _number_of(self, of: EndpointsServer) -> int:
        return sum(account.of is of for account in self._open.values())
