"""From where the HTTP server may be called: checked on every route, before anything else."""

import re
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")
"""A host with or without a port."""


class UnprotectedServerError(ValueError):
    """The settings would open the server to other machines without protection."""


@dataclass(frozen=True)
class ServerExposure:
    """Where the server listens, and with whose rights it acts.

    `address` is None for a Unix socket, which only its owner can open. `has_secrets` means that calls use the
    operator's token or lent secrets.
    """

    address: str | None
    has_secrets: bool = False
    local_users_allowed: bool = False

    @property
    def is_local(self) -> bool:
        return self.address is None or self.address in {*LOOPBACK, "::1"}

    def check(self, *, has_key: bool, has_host_names: bool) -> None:
        """Raises `UnprotectedServerError` if others could use the server without protection."""
        if not self.is_local and not has_key:
            raise UnprotectedServerError(
                f"To listen on {self.address}, set keys that callers must send: --keys or --api-key-file."
            )
        if not self.is_local and not has_host_names:
            raise UnprotectedServerError(f"To listen on {self.address}, set the server's host names: --allowed-hosts.")
        if self.address is not None and self.has_secrets and not has_key and not self.local_users_allowed:
            raise UnprotectedServerError(
                "Every user of this machine could act with your token or lent secrets. Set keys that callers must "
                "send (--keys FILE or --api-key-file FILE), listen on a socket that only you can open (--uds PATH), or "
                "allow it (--allow-local-users)."
            )


@dataclass(frozen=True)
class AccessRules:
    """The host names that the server accepts.

    The check of the Host and Origin headers keeps a web page from reaching a server on this machine through a host
    name of its own (DNS rebinding). `own_hosts` are those of `--allowed-hosts`; a host without a port has any port.
    """

    own_hosts: frozenset[str]
    is_local: bool

    @classmethod
    def from_settings(
        cls, exposure: ServerExposure, allowed_hosts: list[str], *, has_key: bool = False
    ) -> "AccessRules":
        """Raises `UnprotectedServerError` if others could use the server without protection."""
        exposure.check(has_key=has_key, has_host_names=bool(allowed_hosts))
        return cls(frozenset(name.lower() for name in allowed_hosts), exposure.is_local)

    @classmethod
    def on_loopback(cls) -> "AccessRules":
        """For a server whose callers are on this machine."""
        return cls(frozenset(), is_local=True)

    def refuse(self, headers: Headers) -> Response | None:
        """The response to a caller that may not call; None for one that may."""
        hosts = headers.getlist("host")
        if not hosts or not all(map(self._accepts_host, hosts)):
            hint = "The operator of this server can allow it: --allowed-hosts."
            return JSONResponse({"error": f"This server does not accept this Host. {hint}"}, 421)
        if not all(self._accepts_origin(origin, hosts[0]) for origin in headers.getlist("origin")):
            return JSONResponse({"error": "This server does not accept requests of web pages from this Origin."}, 403)
        return None

    def _accepts_host(self, host: str) -> bool:
        authority = _AUTHORITY.fullmatch(host.lower())
        if authority is None:
            return False
        return not self.own_hosts.isdisjoint(authority.group(0, 1)) or (self.is_local and authority[1] in LOOPBACK)

    def _accepts_origin(self, origin: str, host: str) -> bool:
        """Only pages of this server itself: another port is another server."""
        scheme, _, authority = origin.lower().partition("://")
        return scheme in {"http", "https"} and (authority == host.lower() or authority in self.own_hosts)


class AccessMiddleware:
    """Applies `AccessRules` to every request."""

    def __init__(self, app: ASGIApp, rules: AccessRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._rules.refuse(Headers(scope=scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)
