"""How many connections the HTTP server keeps open, and which of them give way to new ones."""

import asyncio
from functools import partial
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_DEADLINE_S = 30.0
"""Longest time from the first byte of a request to its last, and from a connection to its first request."""

KEEP_ALIVE_S = 75
"""Seconds that a connection stays open between two requests. Clients let go of theirs sooner (httpx after 5 s): if both
did it at the same time, a request would meet a connection that is just being closed."""

RESERVED_DESCRIPTORS = 256
"""For what is no connection of a caller: files, and connections to the control plane and to endpoints."""

_UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


def connections_possible(wanted: int) -> int:
    """How many of the wanted connections this process can have. It raises its own limit of open files where it may."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    needed = wanted + RESERVED_DESCRIPTORS
    if soft < needed:
        allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft = allowed
    return max(1, min(wanted, soft - RESERVED_DESCRIPTORS))


class OpenConnections:
    """Counts the connections of a server, and knows which ones wait for a request and for how long."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[ServerConnection] = set()
        self._unused: dict[ServerConnection, None] = {}
        """Those that have had no whole request yet. Like the idle ones in the order in which they began to wait."""
        self._idle: dict[ServerConnection, None] = {}

    @property
    def accepted_at_once(self) -> int:
        """How many new ones may be accepted before those that were accepted earlier can be read.

        asyncio by itself accepts all that wait, so that many idle ones would use up the descriptors in one step, and
        close a connection whose request has arrived but was not read yet.
        """
        return max(1, min(32, self._most // 16))

    def protocol(self) -> type[asyncio.Protocol]:
        """What uvicorn calls for each connection."""
        return cast("type[asyncio.Protocol]", partial(ServerConnection, open_connections=self))

    def add(self, connection: "ServerConnection") -> None:
        """Count a new one. If there are too many, one that waits for a request is closed; it can be the new one.

        Whoever opens many connections and asks for nothing gets a quarter of the places from those that have asked.
        """
        self._open.add(connection)
        self._unused[connection] = None
        if len(self._open) > self._most:
            gives_way = self._unused if 4 * len(self._unused) > self._most or not self._idle else self._idle
            longest = next(iter(gives_way))
            self.remove(longest)
            longest.give_way(is_new=longest is connection)

    def remove(self, connection: "ServerConnection") -> None:
        self._open.discard(connection)
        self._unused.pop(connection, None)
        self._idle.pop(connection, None)

    def mark_busy(self, connection: "ServerConnection") -> None:
        """It has a whole request, and stays until that is answered."""
        self._unused.pop(connection, None)
        self._idle.pop(connection, None)

    def mark_idle(self, connection: "ServerConnection") -> None:
        if connection in self._open:
            self._idle[connection] = None


class ServerConnection(H11Protocol):
    """A connection with a deadline for its request: with uvicorn alone any byte of a head or a body keeps it open."""

    def __init__(self, *args: Any, open_connections: OpenConnections, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._open_connections = open_connections
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm()
        self._open_connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._arm()
        super().data_received(data)
        if not self._waits_for_request:
            self._disarm()
            self._open_connections.mark_busy(self)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._waits_for_request:
            if self.conn.their_state is h11.SEND_BODY or self.conn.trailing_data[0]:
                self._arm()  # a part of the next request came with this one
            self._open_connections.mark_idle(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._open_connections.remove(self)
        super().connection_lost(exc)

    def give_way(self, *, is_new: bool) -> None:
        """Close the connection for another one. A new one, for which there is no room, learns when to come back."""
        if is_new:
            self.transport.write(_UNAVAILABLE)
            self.transport.close()
        else:
            self.transport.abort()

    @property
    def _waits_for_request(self) -> bool:
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _arm(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_DEADLINE_S, self.transport.abort)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
