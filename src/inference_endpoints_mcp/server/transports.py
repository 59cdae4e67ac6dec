"""Runs a server: over stdio for one host, or over streamable HTTP for many."""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass

import anyio

from inference_endpoints_mcp.privacy.redact import RedactingFilter, Redactor
from inference_endpoints_mcp.server.application import Options
from inference_endpoints_mcp.server.http.access import Access, Gate
from inference_endpoints_mcp.server.mcp_server import EndpointsServer

GRACE_S = 2
"""Seconds that calls under way have to end after SIGTERM."""


class CannotListen(Exception):
    """The address is taken, or not one of this machine's."""


@dataclass(frozen=True)
class Address:
    """Where to listen, and who may call. Port 0 takes any that is free."""

    host: str
    port: int
    access: Access


def serve_stdio(options: Options) -> int:
    """Serve until the host closes our input. Returns the exit code."""
    redactor = Redactor()
    _log_to_stderr(redactor)
    anyio.run(EndpointsServer(options, redactor).run_stdio_async)
    return 0


def serve_http(
    options: Options, address: Address, made: Callable[[Options, Redactor], EndpointsServer] = EndpointsServer
) -> int:
    """Serve `/mcp` until SIGTERM or SIGINT. Returns the exit code; raises `CannotListen`."""
    import uvicorn
    from mcp.server.transport_security import TransportSecuritySettings

    redactor = Redactor()
    _log_to_stderr(redactor)
    # Answers stay streams (no json_response): otherwise a modern caller's progress and cancelling are lost. The gate
    # checks Host and Origin on every route, where the SDK's own check covers one.
    app = made(options, redactor).streamable_http_app(
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False)
    )
    config = uvicorn.Config(
        Gate(app, address.access),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    logging.getLogger("uvicorn.error").addFilter(_not_cancelled)
    with _listening(address) as listener:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        sys.stderr.write(f"Serving http://{shown}:{port}/mcp\n")
        sys.stderr.flush()
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
    return 0


def _listening(address: Address) -> socket.socket:
    """Raises `CannotListen` where nothing can listen."""
    host = address.host.strip("[]")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, address.port), family=family)
        # Connections inherit it. asyncio sets it only where a socket states its protocol, and without it an answer's
        # body waits for the delayed acknowledgement of its head: 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise CannotListen(
            f"Nothing can listen at {host}:{address.port}: {error.strerror}. Choose another --port."
        ) from error


def _not_cancelled(record: logging.LogRecord) -> bool:
    """Calls cut off at the end of the grace are no error worth a traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def _log_to_stderr(redactor: Redactor) -> None:
    """Everything logged goes to stderr, redacted: stdout carries the protocol."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    handler.addFilter(RedactingFilter(redactor))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
