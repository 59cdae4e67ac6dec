"""Requests to the plane of a data folder, on this machine. By hand: an HTTP client would be slow to import."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from inference_endpoints_local.daemon.data_folder import RunningPlane

_RESPONSE_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class ResponseHead:
    status: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def request(plane: RunningPlane, method: str, path: str) -> int | None:
    """The status of the response; None if there is no response."""
    response = await send(plane, method, path)
    if response is None:
        return None
    response.writer.close()
    return response.status


async def send(plane: RunningPlane, method: str, path: str) -> ResponseHead | None:
    """Send a request without a body and read the head of the response. None if there is no response."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{plane.port}\r\nAuthorization: Bearer {plane.token}\r\n"
    writer: asyncio.StreamWriter | None = None
    response: ResponseHead | None = None
    with suppress(OSError, EOFError, ValueError, IndexError, asyncio.LimitOverrunError):
        try:
            async with asyncio.timeout(_RESPONSE_TIMEOUT_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", plane.port)
                writer.write(f"{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
                status = (await reader.readuntil(b"\r\n\r\n")).split(maxsplit=2)[1]
                response = ResponseHead(int(status), reader, writer)
        finally:
            if writer is not None and response is None:
                writer.close()
    return response
