"""The loopback address, the only one that planes and workers listen on."""

import socket
from urllib.parse import urlsplit

HOST = "127.0.0.1"
_NAMES = frozenset({HOST, "::1", "localhost"})


def listen(port: int = 0, backlog: int | None = None) -> socket.socket:
    """A socket that listens at a port; 0: at any free one. Raises OSError or OverflowError."""
    listener = socket.create_server((HOST, port), backlog=backlog)
    # Connections inherit it. asyncio sets it only on sockets that state their protocol. Without it the body of a
    # response on a kept connection waits 40 ms for the delayed acknowledgement of its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def is_loopback(url: str) -> bool:
    """Whether a URL, or `//host:port`, names this machine by a loopback name."""
    try:
        return urlsplit(url).hostname in _NAMES
    except ValueError:
        return False
