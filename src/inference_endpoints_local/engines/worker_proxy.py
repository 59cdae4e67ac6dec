"""HTTP/1.1 to a worker: one request per connection, bodies streamed both ways, nothing buffered.

It uses h11 rather than httpx2: the proxy sends the body while it reads the response, and forwards headers and the raw
target unchanged. An HTTP client sends the whole body first, and adds and decodes headers.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import h11

from inference_endpoints_local.engines.engine import WorkerAddress

CONNECT_TIMEOUT_S = 5.0
CHUNK_BYTES = 65_536
# Headers of one connection (RFC 9110, 7.6.1).
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_DROPPED_FROM_REQUEST = HOP_BY_HOP | {b"host", b"authorization", b"expect"}
_KEPT_IN_RESPONSE = frozenset(
    {
        b"accept-ranges",
        b"allow",
        b"cache-control",
        b"content-disposition",
        b"content-encoding",
        b"content-language",
        b"content-length",
        b"content-range",
        b"content-type",
        b"etag",
        b"last-modified",
        b"retry-after",
        b"vary",
    }
)
"""What describes a response; `x-` headers of the engine are kept too. With others a model could set cookies in a
browser, ask for passwords, or let web pages read what is at the plane's address."""

Headers = list[tuple[bytes, bytes]]


class WorkerFailed(Exception):
    """The worker could not be reached, or closed the connection in the middle of a response."""


class WorkerNotReached(WorkerFailed):
    """The request did not arrive: nothing listens there, or a proxy in between found no worker."""


@dataclass(frozen=True)
class WorkerResponse:
    """The head of a worker's response. Read `body` while the exchange is open."""

    status: int
    headers: Headers
    body: AsyncIterator[bytes]


class WorkerExchange:
    """One request to a worker and its response. `send_body` and `response` may run at the same time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)

    async def send_head(
        self, address: WorkerAddress, method: str, target: bytes, headers: Iterable[tuple[bytes, bytes]]
    ) -> None:
        """Send the head. A body of unknown length is sent in chunks."""
        received = list(headers)
        kept = [
            (name, value)
            for name, value in received
            if name not in _DROPPED_FROM_REQUEST and name not in _hop_by_hop_names(received)
        ]
        if any(name == b"transfer-encoding" for name, _ in received):
            kept = [(name, value) for name, value in kept if name != b"content-length"]
            kept.append((b"transfer-encoding", b"chunked"))
        kept += [
            (b"host", f"{address.host}:{address.port}".encode()),
            (b"connection", b"close"),
        ]
        if address.secret:
            kept.append((b"authorization", f"Bearer {address.secret}".encode()))
        await self._write(h11.Request(method=method, target=address.prefix.encode() + target, headers=kept))

    async def send_body(self, chunk: bytes) -> None:
        if chunk:
            await self._write(h11.Data(data=chunk))

    async def end_request(self) -> None:
        await self._write(h11.EndOfMessage())

    async def response(self) -> WorkerResponse:
        """Wait for the head of the response."""
        while isinstance(event := await self._next(), h11.InformationalResponse):
            pass
        if not isinstance(event, h11.Response):
            raise WorkerFailed("The worker closed the connection without a response.")
        headers = [
            (name, value) for name, value in event.headers if name in _KEPT_IN_RESPONSE or name.startswith(b"x-")
        ]
        return WorkerResponse(event.status_code, headers, self._body())

    async def _body(self) -> AsyncIterator[bytes]:
        while isinstance(event := await self._next(), h11.Data):
            yield bytes(event.data)

    async def _write(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        try:
            if data := self._http.send(event):
                self._writer.write(data)
                await self._writer.drain()
        except (OSError, h11.LocalProtocolError) as error:
            raise WorkerFailed(f"The worker did not accept the request: {error}") from error

    async def _next(self) -> h11.Event | type[h11.PAUSED] | type[h11.NEED_DATA]:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(CHUNK_BYTES))
        except (OSError, h11.RemoteProtocolError) as error:
            raise WorkerFailed(f"The worker cut its response off: {error}") from error
        return event


@asynccontextmanager
async def open_exchange(address: WorkerAddress) -> AsyncIterator[WorkerExchange]:
    """A connection to the worker, closed at the end whatever happens. Raises WorkerFailed."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(address.host, address.port)
    except (OSError, TimeoutError) as error:
        raise WorkerNotReached(f"The worker cannot be reached: {error}") from error
    try:
        yield WorkerExchange(reader, writer)
    finally:
        # Aborted rather than closed: to flush a response cut short would delay the caller.
        writer.transport.abort()


async def get_status(address: WorkerAddress, path: str) -> int:
    """The status of a GET, within `CONNECT_TIMEOUT_S`. Raises WorkerFailed."""
    async with _get(address, path) as response:
        return response.status


async def get_json(address: WorkerAddress, path: str) -> Any:
    """The JSON of a GET, within `CONNECT_TIMEOUT_S`; None without a success. Raises WorkerFailed."""
    async with _get(address, path) as response:
        content = b"".join([chunk async for chunk in response.body])
    try:
        return json.loads(content) if response.status == 200 else None
    except ValueError:
        return None


async def exchange(
    address: WorkerAddress, method: str, path: str, body: bytes = b"", timeout_s: float = CONNECT_TIMEOUT_S
) -> tuple[int, bytes]:
    """Send JSON, or nothing. The status and the body of the response, all in this time. Raises WorkerFailed."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())] if body else []
    try:
        async with asyncio.timeout(timeout_s), open_exchange(address) as opened:
            await opened.send_head(address, method, path.encode(), headers)
            await opened.send_body(body)
            await opened.end_request()
            response = await opened.response()
            return response.status, b"".join([chunk async for chunk in response.body])
    except TimeoutError as error:
        raise WorkerFailed("The worker did not respond in time.") from error


@asynccontextmanager
async def _get(address: WorkerAddress, path: str) -> AsyncIterator[WorkerResponse]:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S), open_exchange(address) as exchange:
            await exchange.send_head(address, "GET", path.encode(), [])
            await exchange.end_request()
            yield await exchange.response()
    except TimeoutError as error:
        raise WorkerFailed("The worker did not respond in time.") from error


def _hop_by_hop_names(headers: Headers) -> set[bytes]:
    """The header names that `Connection` lists: they are of this connection alone."""
    return {word.strip().lower() for name, value in headers if name == b"connection" for word in value.split(b",")}
