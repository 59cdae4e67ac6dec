"""Records what a client sends, without changing it: over stdio with `tee`, over HTTP between two sockets."""

import itertools
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

SENT, ANSWERED = "sent", "answered"
"""The suffixes of what one process or connection received, and of what the process wrote."""
_CHUNK = 65_536


def recorded_command(folder: Path, command: Sequence[str]) -> tuple[str, list[str]]:
    """The command and its arguments: each process of it writes files of its own into the folder."""
    script = f'tee "$0/$$.{SENT}" | "$@" | tee "$0/$$.{ANSWERED}"'
    return "sh", ["-c", script, str(folder), *command]


@contextmanager
def recorded_address(folder: Path, address: str) -> Iterator[str]:
    """Another address of the same server: each connection writes a file of its own into the folder."""
    parts = urlsplit(address)
    numbers = itertools.count(1)

    class Connection(BaseRequestHandler):
        def handle(self) -> None:
            target = folder / f"{next(numbers):03d}.{SENT}"
            with socket.create_connection((parts.hostname, parts.port)) as server, target.open("wb") as record:
                back = threading.Thread(target=_copy, args=(server, self.request))
                back.start()
                with suppress(OSError):
                    while chunk := self.request.recv(_CHUNK):
                        record.write(chunk)
                        record.flush()
                        server.sendall(chunk)
                _shut(server)
                back.join()

    class Tap(ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Tap(("127.0.0.1", 0), Connection) as tap:
        thread = threading.Thread(target=tap.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"{parts.scheme}://127.0.0.1:{tap.server_address[1]}{parts.path}"
        finally:
            tap.shutdown()
            thread.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    _shut(target)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
