"""The data plane: every endpoint answers below `/e/{id}`, and its requests go to one of its ready replicas."""

import asyncio
import time
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from inference_endpoints.models import InferenceEndpointStatus as State
from inference_endpoints_local.api.documents import DEFAULT_HEALTH_ROUTE, health_route
from inference_endpoints_local.api.http import bearer_of, error, is_token
from inference_endpoints_local.control.endpoint import Entry
from inference_endpoints_local.control.executor import Runner
from inference_endpoints_local.engines.base import Address, Replica
from inference_endpoints_local.engines.worker_proxy import Exchange, WorkerFailed, exchange_with
from inference_endpoints_local.state.clock import wall_s
from inference_endpoints_local.state.faults import HANG_UP
from inference_endpoints_local.state.store import NotSaved

BODY_BYTES = 32 * 1024 * 1024
HOLD_LIMIT_S = 3_600.0


class TooLarge(Exception):
    """The request's body is above the limit."""


class Gateway:
    """An ASGI application for requests whose path parameters are `id` and `path`."""

    def __init__(self, runner: Runner, token: str) -> None:
        self._runner = runner
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        entry = self._runner.at(scope["path_params"]["id"])
        if entry is None:
            await error(404, "Not Found: no endpoint has this address")(scope, receive, send)
            return
        answer, began = _Watched(send), time.monotonic()
        entry.meter.begin(wall_s())
        try:
            await self._admitted(entry, request, answer)
        finally:
            entry.meter.end(wall_s(), time.monotonic() - began, answer.status)

    async def _admitted(self, entry: Entry, request: Request, send: Send) -> None:
        refusal = self._refusal(entry, request)
        if refusal is None:
            try:
                with self._runner.request(entry):
                    await self._answer(entry, request, send)
                return
            except NotSaved as failure:
                refusal = error(507, f"Insufficient Storage: {failure}")
        await refusal(request.scope, request.receive, send)

    async def _answer(self, entry: Entry, request: Request, send: Send) -> None:
        replica = await self._replica(entry, request)
        if isinstance(replica, Response):
            await replica(request.scope, request.receive, send)
        else:
            await self._serve(entry, replica, request, send)

    def _refusal(self, entry: Entry, request: Request) -> Response | None:
        if entry.record.spec["type"] != "public" and not is_token(bearer_of(request), self._token):
            return error(401, "Unauthorized: a valid token, sent as a Bearer, is required")
        if entry.status.state is State.PAUSED:
            return error(400, "Bad Request: Invalid state")
        if entry.status.state is State.FAILED:
            # Not seen from the service. 503 would ask the caller to try again, in vain.
            return error(400, "Bad Request: the endpoint failed to start; resume or update it")
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > BODY_BYTES:
            return error(413, f"Payload Too Large: at most {BODY_BYTES} bytes")
        return None

    async def _replica(self, entry: Entry, request: Request) -> Replica | Response:
        """The ready replica with the least to do; waits for one as long as the caller allows."""
        if not entry.ready and (hold := _hold_s(request)):
            with suppress(TimeoutError):
                async with asyncio.timeout(hold):
                    await self._runner.until(entry, lambda entry: bool(entry.ready) or not entry.record.runs)
        if not (ready := entry.ready):
            starting = error(503, f"Service Unavailable: the endpoint is starting ({entry.status.message})")
            return self._refusal(entry, request) or starting
        return min(ready, key=lambda replica: replica.in_flight)

    async def _serve(self, entry: Entry, replica: Replica, request: Request, send: Send) -> None:
        scope = request.scope
        target = scope["raw_path"].removeprefix(f"/e/{entry.record.id}".encode()) or b"/"
        if target.decode("ascii", "replace") == health_route(entry.record.spec):
            target = DEFAULT_HEALTH_ROUTE.encode()  # workers know one health route, images may name another
        if replica.address is None:
            healthy = target == DEFAULT_HEALTH_ROUTE.encode()
            answer = Response() if healthy else error(501, "Simulated endpoint: no model runs here.")
            await answer(scope, request.receive, send)
            return
        if query := scope["query_string"]:
            target += b"?" + query
        replica.in_flight += 1
        try:
            await _Forwarding(request, send).run(replica.address, target)
        finally:
            replica.in_flight -= 1


class _Watched:
    """Sends on, and remembers the status that was sent."""

    def __init__(self, send: Send) -> None:
        self.status: int | None = None
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


class _Forwarding:
    """One request on its way to a worker, and the answer on its way back, at the same time."""

    def __init__(self, request: Request, send: Send) -> None:
        self._request = request
        self._send = send
        self._answering = False

    async def run(self, address: Address, target: bytes) -> None:
        try:
            async with exchange_with(address) as exchange:
                await exchange.start(address, self._request.method, target, self._request.headers.raw)
                await self._both_ways(exchange)
        except TooLarge:
            await self._refuse(413, f"Payload Too Large: at most {BODY_BYTES} bytes")
        except WorkerFailed as failure:
            await self._refuse(502, f"Bad Gateway: {failure}")

    async def _both_ways(self, exchange: Exchange) -> None:
        """Until the answer is complete, or the client is gone: then the worker is not kept busy either."""
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

    async def _upload(self, exchange: Exchange) -> None:
        """Send the body, then wait for the client to go. Raises TooLarge."""
        size, taking = 0, True
        while (message := await self._request.receive())["type"] == "http.request":
            chunk = message.get("body", b"")
            if (size := size + len(chunk)) > BODY_BYTES:
                raise TooLarge
            try:
                if taking:
                    await exchange.send(chunk)
                    if not message.get("more_body", False):
                        await exchange.finish()
            except WorkerFailed:
                taking = False  # it may have answered without reading everything

    async def _download(self, exchange: Exchange) -> None:
        answer = await exchange.answer()
        self._answering = True
        await self._send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        async for chunk in answer.body:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def _refuse(self, status: int, message: str) -> None:
        """An answer of our own, unless one has begun: then it is cut off, which is how the client can tell."""
        if not self._answering:
            await error(status, message)(self._request.scope, self._request.receive, self._send)
        else:
            await self._send(HANG_UP)


def _hold_s(request: Request) -> float:
    """Seconds the caller is willing to wait for a replica; nonsense counts as none."""
    try:
        seconds = float(request.headers.get("x-scale-up-timeout", 0))
    except ValueError:
        return 0.0
    return min(max(0.0, seconds), HOLD_LIMIT_S) if seconds == seconds else 0.0
