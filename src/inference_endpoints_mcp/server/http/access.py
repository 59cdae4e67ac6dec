"""Who may call the HTTP server: checked on every route, before anything else."""

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

MIN_KEY_LENGTH = 16
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class UnprotectedServerError(ValueError):
    """The settings would open the server to other machines without protection."""


@dataclass(frozen=True)
class AccessRules:
    """The host names that the server accepts, and the digest of the API key that callers send, if there is one.

    The check of the Host and Origin headers keeps a web page from reaching a server on this machine through a host
    name of its own (DNS rebinding).
    """

    host_names: frozenset[str]
    key_digest: bytes | None = None

    @classmethod
    def from_settings(cls, address: str, allowed_hosts: list[str], key_file: Path | None) -> "AccessRules":
        """Raises `UnprotectedServerError` if other machines could reach the server without protection."""
        key = _read_key(key_file) if key_file else None
        local = address in LOOPBACK or address == "::1"
        if not local and key is None:
            raise UnprotectedServerError(f"To listen on {address}, set a key that callers must send: --api-key-file.")
        if not local and not allowed_hosts:
            raise UnprotectedServerError(f"To listen on {address}, set the server's host names: --allowed-hosts.")
        names = [*allowed_hosts, *(LOOPBACK if local else ())]
        return cls(frozenset(name.lower() for name in names), _digest(key) if key else None)

    def refuse(self, headers: Headers) -> Response | None:
        """The response to a caller that may not call; None for one that may."""
        if _host_of(headers.get("host", "")) not in self.host_names:
            hint = "The operator of this server can allow it: --allowed-hosts."
            return JSONResponse({"error": f"This server does not accept this Host. {hint}"}, 421)
        origin = headers.get("origin")
        if origin and _host_of(origin.partition("://")[2]) not in self.host_names:
            return JSONResponse({"error": "This server does not accept requests of web pages from this Origin."}, 403)
        if self.key_digest is not None and not hmac.compare_digest(_digest(_bearer(headers)), self.key_digest):
            challenge = {"WWW-Authenticate": "Bearer"}
            return JSONResponse({"error": "A key is required: Authorization: Bearer …"}, 401, challenge)
        return None


class AccessMiddleware:
    """Applies `AccessRules` to every request."""

    def __init__(self, app: ASGIApp, rules: AccessRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._rules.refuse(Headers(scope=scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)


def _read_key(path: Path) -> str:
    try:
        key = path.read_text("utf-8").strip()
    except OSError as error:
        raise UnprotectedServerError(f"The key file cannot be read: {error.strerror}.") from error
    if len(key) < MIN_KEY_LENGTH:
        raise UnprotectedServerError(f"The key is shorter than {MIN_KEY_LENGTH} characters.")
    return key


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _bearer(headers: Headers) -> str:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _host_of(authority: str) -> str:
    """`example.com:8000` and `[::1]:8000` without their port."""
    authority = authority.lower()
    if authority.startswith("["):
        return authority.partition("]")[0] + "]"
    return authority.partition(":")[0]
