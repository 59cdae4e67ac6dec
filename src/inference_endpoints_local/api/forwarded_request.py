"""One request of a caller, passed on to a worker, and the worker's response, passed back."""

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import Send

from inference_endpoints_local.api.hang_up import HANG_UP
from inference_endpoints_local.api.request_handling import error_response
from inference_endpoints_local.engines.engine import REPLICA_HEADER, WorkerAddress
from inference_endpoints_local.engines.worker_proxy import (
    Headers,
    WorkerExchange,
    WorkerFailed,
    WorkerNotReached,
    open_exchange,
)

MAX_CALL_BYTES = 32 * 1024 * 1024
NOT_REACHED_RETRY_S = 5
"""When to try again a call that found no replica where one was: within seconds the plane knows of the loss."""
# A model may answer with a page. In a browser it would be one of the plane's address: it runs no script there.
_NO_PAGE = [
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
]


class BodyTooLarge(Exception):
    """The body of the request is above the limit."""


class ForwardedRequest:
    """Forwards one request to a worker, and at the same time the response to the client."""

    def __init__(self, request: Request, send: Send) -> None:
        self._request = request
        self._send = send
        self._response_started = False

    async def run(self, address: WorkerAddress, target: bytes) -> None:
        try:
            async with open_exchange(address) as exchange:
                await exchange.send_head(address, self._request.method, target, self._request.headers.raw)
                await self._relay(exchange, address.behind_proxy)
        except BodyTooLarge:
            await self._refuse(413, f"Payload Too Large: at most {MAX_CALL_BYTES} bytes")
        except WorkerFailed as failure:
            if isinstance(failure, WorkerNotReached) and address.behind_proxy:
                await self._refuse(503, "503 Service Unavailable", {"Retry-After": str(NOT_REACHED_RETRY_S)})
            else:
                await self._refuse(502, f"Bad Gateway: {failure}")

    async def _relay(self, exchange: WorkerExchange, behind_proxy: bool) -> None:
        """Until the response is complete or the client has gone; then the worker is released too."""
        upload = asyncio.create_task(self._upload(exchange))
        download = asyncio.create_task(self._download(exchange, behind_proxy))
        try:
            done, _ = await asyncio.wait({upload, download}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            upload.cancel()
            download.cancel()
        await asyncio.wait({upload, download})
        for task in done:
            task.result()

    async def _upload(self, exchange: WorkerExchange) -> None:
        """Send the body, then wait until the client disconnects. Raises BodyTooLarge."""
        size, accepted = 0, True
        while (message := await self._request.receive())["type"] == "http.request":
            chunk = message.get("body", b"")
            if (size := size + len(chunk)) > MAX_CALL_BYTES:
                raise BodyTooLarge
            try:
                if accepted:
                    await exchange.send_body(chunk)
                    if not message.get("more_body", False):
                        await exchange.end_request()
            except WorkerFailed:
                accepted = False  # the worker may have responded without reading everything

    async def _download(self, exchange: WorkerExchange, behind_proxy: bool) -> None:
        response = await exchange.response()
        if behind_proxy and all(name != REPLICA_HEADER for name, _ in response.headers):
            raise WorkerNotReached(f"The proxy in front of the worker answered with status {response.status}.")
        self._response_started = True
        await self._send(
            {"type": "http.response.start", "status": response.status, "headers": _without_page(response.headers)}
        )
        async for chunk in response.body:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def _refuse(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        """Send an error, or close the connection if a response has started, so that the client sees the failure."""
        if not self._response_started:
            await error_response(status, message, headers)(self._request.scope, self._request.receive, self._send)
        else:
            await self._send(HANG_UP)


def _without_page(headers: Headers) -> Headers:
    ours = {REPLICA_HEADER, *(name for name, _ in _NO_PAGE)}
    return [(name, value) for name, value in headers if name not in ours] + _NO_PAGE
