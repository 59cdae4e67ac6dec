"""Run a server over stdio for one host, or over streamable HTTP for many."""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass

import anyio

from inference_endpoints_mcp.privacy.redact import RedactingFilter, Redactor
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.server.http.access import AccessMiddleware, AccessRules
from inference_endpoints_mcp.server.mcp_server import EndpointsServer

log = logging.getLogger(__name__)

SHUTDOWN_GRACE_S = 2
"""Seconds that running calls have to end after SIGTERM."""


class ListenError(Exception):
    """The server cannot listen: the address is in use, or does not belong to this machine."""


@dataclass(frozen=True)
class HttpOptions:
    """Where to listen, and who may call. Port 0 takes any free port."""

    address: str
    port: int
    access: AccessRules


def serve_stdio(options: ServerOptions) -> int:
    """Serve until the host closes our stdin. Returns the exit code."""
    redactor = Redactor()
    _log_to_stderr(redactor)
    # The default action ends the process at once. A handler could not: a thread is reading stdin, and only the host can
    # end that read.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        anyio.run(EndpointsServer(options, redactor).run_stdio_async)
    except* (BrokenPipeError, ConnectionResetError):
        log.warning("the host closed our stdout")
    return 0


def serve_http(
    options: ServerOptions,
    http: HttpOptions,
    create_server: Callable[[ServerOptions, Redactor], EndpointsServer] = EndpointsServer,
) -> int:
    """Serve `/mcp` until SIGTERM or SIGINT. Returns the exit code; raises `ListenError`."""
    import uvicorn
    from mcp.server.transport_security import TransportSecuritySettings

    redactor = Redactor()
    _log_to_stderr(redactor)
    # Responses stay streams (no json_response): otherwise progress and cancelling are lost for a modern host.
    # AccessMiddleware checks Host and Origin on every route; the SDK's own check covers only one.
    app = create_server(options, redactor).streamable_http_app(
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False)
    )
    config = uvicorn.Config(
        AccessMiddleware(app, http.access),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_GRACE_S,
    )
    logging.getLogger("uvicorn.error").addFilter(_is_not_cancellation)
    with _listen(http) as listener:
        host, port = listener.getsockname()[:2]
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        sys.stderr.write(f"Serving http://{authority}/mcp\n")
        sys.stderr.flush()
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
    return 0


def _listen(http: HttpOptions) -> socket.socket:
    """Raises `ListenError`."""
    address = http.address.strip("[]")
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.create_server((address, http.port), family=family)
        # Connections inherit it. asyncio sets it only on a socket with an explicit protocol. Without it the body of a
        # response waits for the delayed acknowledgement of its head: 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise ListenError(
            f"Cannot listen on {address}:{http.port}: {error.strerror}. Choose another --port."
        ) from error


def _is_not_cancellation(record: logging.LogRecord) -> bool:
    """A call that is cut off at the end of the grace period needs no traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def _log_to_stderr(redactor: Redactor) -> None:
    """Send all log records to stderr, redacted: stdout carries the protocol."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    handler.addFilter(RedactingFilter(redactor))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
