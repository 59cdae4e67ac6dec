"""One request of a caller, passed on to a worker, and the worker's response, passed back."""

import asyncio

from starlette.requests import Request
from starlette.types import Send

from inference_endpoints_local.api.hang_up import HANG_UP
from inference_endpoints_local.api.request_handling import error_response
from inference_endpoints_local.engines.engine import WorkerAddress
from inference_endpoints_local.engines.worker_proxy import Headers, WorkerExchange, WorkerFailed, open_exchange

MAX_CALL_BYTES = 32 * 1024 * 1024
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
                await self._relay(exchange)
        except BodyTooLarge:
            await self._refuse(413, f"Payload Too Large: at most {MAX_CALL_BYTES} bytes")
        except WorkerFailed as failure:
            await self._refuse(502, f"Bad Gateway: {failure}")

    async def _relay(self, exchange: WorkerExchange) -> None:
        """Until the response is complete or the client has gone; then the worker is released too."""
        upload = asyncio.create_task(self._upload(exchange))
        download = asyncio.create_task(self._download(exchange))
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

    async def _download(self, exchange: WorkerExchange) -> None:
        response = await exchange.response()
        self._response_started = True
        await self._send(
            {"type": "http.response.start", "status": response.status, "headers": _without_page(response.headers)}
        )
        async for chunk in response.body:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def _refuse(self, status: int, message: str) -> None:
        """Send an error, or close the connection if a response has started, so that the client sees the failure."""
        if not self._response_started:
            await error_response(status, message)(self._request.scope, self._request.receive, self._send)
        else:
            await self._send(HANG_UP)


def _without_page(headers: Headers) -> Headers:
    ours = {name for name, _ in _NO_PAGE}
    return [(name, value) for name, value in headers if name not in ours] + _NO_PAGE
