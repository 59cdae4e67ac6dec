"""The socket that the HTTP server listens on: an address and port, or a Unix socket that only its owner can open."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

WAITING_CONNECTIONS = 2_048
"""How many callers may wait to be accepted. The system may allow fewer."""


class ListenError(Exception):
    """The server cannot listen: the address is in use, or does not belong to this machine."""


@dataclass(frozen=True)
class TcpAddress:
    """A host and a port. Port 0 takes any free port."""

    host: str
    port: int

    @contextmanager
    def listen(self) -> Iterator[tuple[socket.socket, str]]:
        """The socket, and the address at which callers reach it. Raises `ListenError`."""
        host = self.host.strip("[]")
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = socket.create_server((host, self.port), family=family, backlog=WAITING_CONNECTIONS)
            # Connections inherit it. asyncio sets it only on a socket with an explicit protocol. Without it the body of
            # a response waits for the delayed acknowledgement of its head: 40 ms.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _notice_lost_peers(listener)
        except OSError as error:
            raise ListenError(
                f"Cannot listen on {host}:{self.port}: {error.strerror}. Choose another --port."
            ) from error
        with listener:
            host, port = listener.getsockname()[:2]
            yield listener, f"http://[{host}]:{port}/mcp" if ":" in host else f"http://{host}:{port}/mcp"


def _notice_lost_peers(listener: socket.socket) -> None:
    """Connections, which inherit this, end within 30 s after their peer is unplugged. The system waits for hours."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 30_000)):
        if hasattr(socket, name):  # not every system has each
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@dataclass(frozen=True)
class UnixSocket:
    """A socket in the file system. It is removed when the server ends."""

    path: Path

    @contextmanager
    def listen(self) -> Iterator[tuple[socket.socket, str]]:
        """The socket, and the address at which callers reach it. Raises `ListenError`."""
        if not hasattr(socket, "AF_UNIX"):
            raise ListenError("This system has no Unix sockets: use --api-key-file instead of --uds.")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            umask = os.umask(0o177)  # from its first moment nobody else can open it
            try:
                self._remove_stale()
                listener.bind(str(self.path))
                listener.listen(WAITING_CONNECTIONS)
            except OSError as error:
                raise ListenError(f"Cannot listen on {self.path}: {error.strerror or error}.") from error
            finally:
                os.umask(umask)
            try:
                yield listener, f"/mcp on the socket {self.path}"
            finally:
                self.path.unlink(missing_ok=True)

    def _remove_stale(self) -> None:
        """Remove the socket of a server that has ended. Raises OSError if one still listens on it."""
        if not self.path.exists() or not stat.S_ISSOCK(self.path.stat().st_mode):
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(self.path))
            except ConnectionRefusedError:
                self.path.unlink()


Listening = TcpAddress | UnixSocket
