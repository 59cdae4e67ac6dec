"""Who may speak to the HTTP server: checked on every route, before anything else is."""

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

SHORTEST_KEY = 16
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class UnsafeAddress(ValueError):
    """The settings would open the server to others without protection."""


@dataclass(frozen=True)
class Access:
    """Host names the server answers to, and the digest of the key callers show, if one is needed.

    Checking the Host and Origin headers is what keeps a web page from reaching a server on this machine through
    a name of its own (DNS rebinding).
    """

    hosts: frozenset[str]
    key_digest: bytes | None = None

    @classmethod
    def of(cls, host: str, allowed_hosts: list[str], key_file: Path | None) -> "Access":
        """Raises `UnsafeAddress` where others could reach the server unprotected."""
        key = _read_key(key_file) if key_file else None
        local = host in LOOPBACK or host == "::1"
        if not local and key is None:
            raise UnsafeAddress(f"To listen on {host}, name a key for callers to show: --api-key-file.")
        if not local and not allowed_hosts:
            raise UnsafeAddress(f"To listen on {host}, name the hosts it is reached by: --allowed-hosts.")
        names = [*allowed_hosts, *(LOOPBACK if local else ())]
        return cls(frozenset(name.lower() for name in names), _digest(key) if key else None)

    def refusal(self, headers: Headers) -> Response | None:
        """The answer to a caller who may not pass; None for one who may."""
        if _host_of(headers.get("host", "")) not in self.hosts:
            hint = "The operator of this server can allow it: --allowed-hosts."
            return JSONResponse({"error": f"This server does not answer to this Host. {hint}"}, 421)
        origin = headers.get("origin")
        if origin and _host_of(origin.partition("://")[2]) not in self.hosts:
            return JSONResponse({"error": "This server does not answer pages of this Origin."}, 403)
        if self.key_digest is not None and not hmac.compare_digest(_digest(_bearer(headers)), self.key_digest):
            challenge = {"WWW-Authenticate": "Bearer"}
            return JSONResponse({"error": "A key is needed: Authorization: Bearer …"}, 401, challenge)
        return None


class Gate:
    """Lets through whom `Access` does."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._access.refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)


def _read_key(path: Path) -> str:
    try:
        key = path.read_text("utf-8").strip()
    except OSError as error:
        raise UnsafeAddress(f"The key file cannot be read: {error.strerror}.") from error
    if len(key) < SHORTEST_KEY:
        raise UnsafeAddress(f"The key is shorter than {SHORTEST_KEY} characters.")
    return key


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _bearer(headers: Headers) -> str:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _host_of(authority: str) -> str:
    """`example.com:8000` without its port, `[::1]:8000` likewise."""
    authority = authority.lower()
    if authority.startswith("["):
        return authority.partition("]")[0] + "]"
    return authority.partition(":")[0]
