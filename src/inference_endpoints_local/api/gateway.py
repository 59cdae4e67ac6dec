"""The data plane: every endpoint answers below `/e/{id}`, and its requests go to one of its ready replicas."""

import asyncio
import time
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from inference_endpoints.models import InferenceEndpointStatus as State
from inference_endpoints_local.api.documents import DEFAULT_HEALTH_ROUTE, health_route
from inference_endpoints_local.api.request_handling import bearer_token, error_response, token_matches
from inference_endpoints_local.control.executor import Executor
from inference_endpoints_local.control.managed_endpoint import ManagedEndpoint
from inference_endpoints_local.engines.base import EngineReplica, WorkerAddress
from inference_endpoints_local.engines.worker_proxy import WorkerExchange, WorkerFailed, open_exchange
from inference_endpoints_local.state.clock import wall_s
from inference_endpoints_local.state.faults import HANG_UP
from inference_endpoints_local.state.store import NotSaved

MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_HOLD_S = 3_600.0


class BodyTooLarge(Exception):
    """The request's body is above the limit."""


class Gateway:
    """An ASGI application for requests whose path parameters are `id` and `path`."""

    def __init__(self, executor: Executor, token: str) -> None:
        self._executor = executor
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        endpoint = self._executor.by_id(scope["path_params"]["id"])
        if endpoint is None:
            await error_response(404, "Not Found: no endpoint has this address")(scope, receive, send)
            return
        answer, began = _StatusRecorder(send), time.monotonic()
        endpoint.metrics.request_started(wall_s())
        try:
            await self._admitted(endpoint, request, answer)
        finally:
            endpoint.metrics.request_ended(wall_s(), time.monotonic() - began, answer.status)

    async def _admitted(self, endpoint: ManagedEndpoint, request: Request, send: Send) -> None:
        refusal = self._refusal(endpoint, request)
        if refusal is None:
            try:
                with self._executor.request(endpoint):
                    await self._answer(endpoint, request, send)
                return
            except NotSaved as failure:
                refusal = error_response(507, f"Insufficient Storage: {failure}")
        await refusal(request.scope, request.receive, send)

    async def _answer(self, endpoint: ManagedEndpoint, request: Request, send: Send) -> None:
        replica = await self._replica(endpoint, request)
        if isinstance(replica, Response):
            await replica(request.scope, request.receive, send)
        else:
            await self._serve(endpoint, replica, request, send)

    def _refusal(self, endpoint: ManagedEndpoint, request: Request) -> Response | None:
        if endpoint.record.spec["type"] != "public" and not token_matches(bearer_token(request), self._token):
            return error_response(401, "Unauthorized: a valid token, sent as a Bearer, is required")
        if endpoint.status.state is State.PAUSED:
            return error_response(400, "Bad Request: Invalid state")
        if endpoint.status.state is State.FAILED:
            # Not seen from the service. 503 would ask the caller to try again, in vain.
            return error_response(400, "Bad Request: the endpoint failed to start; resume or update it")
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > MAX_BODY_BYTES:
            return error_response(413, f"Payload Too Large: at most {MAX_BODY_BYTES} bytes")
        return None

    async def _replica(self, endpoint: ManagedEndpoint, request: Request) -> EngineReplica | Response:
        """The ready replica with the least to do; waits for one as long as the caller allows."""
        if not endpoint.ready and (hold := _scale_up_timeout_s(request)):
            with suppress(TimeoutError):
                async with asyncio.timeout(hold):
                    await self._executor.wait_until(
                        endpoint, lambda endpoint: bool(endpoint.ready) or not endpoint.record.runs
                    )
        if not (ready := endpoint.ready):
            starting = error_response(503, f"Service Unavailable: the endpoint is starting ({endpoint.status.message})")
            return self._refusal(endpoint, request) or starting
        return min(ready, key=lambda replica: replica.in_flight)

    async def _serve(self, endpoint: ManagedEndpoint, replica: EngineReplica, request: Request, send: Send) -> None:
        scope = request.scope
        target = scope["raw_path"].removeprefix(f"/e/{endpoint.record.id}".encode()) or b"/"
        if target.decode("ascii", "replace") == health_route(endpoint.record.spec):
            target = DEFAULT_HEALTH_ROUTE.encode()  # workers know one health route, images may name another
        if replica.address is None:
            healthy = target == DEFAULT_HEALTH_ROUTE.encode()
            answer = Response() if healthy else error_response(501, "Simulated endpoint: no model runs here.")
            await answer(scope, request.receive, send)
            return
        if query := scope["query_string"]:
            target += b"?" + query
        replica.in_flight += 1
        try:
            await _ForwardedRequest(request, send).run(replica.address, target)
        finally:
            replica.in_flight -= 1


class _StatusRecorder:
    """Sends on, and remembers the status that was sent."""

    def __init__(self, send: Send) -> None:
        self.status: int | None = None
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


class _ForwardedRequest:
    """One request on its way to a worker, and the answer on its way back, at the same time."""

    def __init__(self, request: Request, send: Send) -> None:
        self._request = request
        self._send = send
        self._answering = False

    async def run(self, address: WorkerAddress, target: bytes) -> None:
        try:
            async with open_exchange(address) as exchange:
                await exchange.send_head(address, self._request.method, target, self._request.headers.raw)
                await self._both_ways(exchange)
        except BodyTooLarge:
            await self._refuse(413, f"Payload Too Large: at most {MAX_BODY_BYTES} bytes")
        except WorkerFailed as failure:
            await self._refuse(502, f"Bad Gateway: {failure}")

    async def _both_ways(self, exchange: WorkerExchange) -> None:
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

    async def _upload(self, exchange: WorkerExchange) -> None:
        """Send the body, then wait for the client to go. Raises BodyTooLarge."""
        size, taking = 0, True
        while (message := await self._request.receive())["type"] == "http.request":
            chunk = message.get("body", b"")
            if (size := size + len(chunk)) > MAX_BODY_BYTES:
                raise BodyTooLarge
            try:
                if taking:
                    await exchange.send_body(chunk)
                    if not message.get("more_body", False):
                        await exchange.end_request()
            except WorkerFailed:
                taking = False  # it may have answered without reading everything

    async def _download(self, exchange: WorkerExchange) -> None:
        answer = await exchange.response()
        self._answering = True
        await self._send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        async for chunk in answer.body:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def _refuse(self, status: int, message: str) -> None:
        """An answer of our own, unless one has begun: then it is cut off, which is how the client can tell."""
        if not self._answering:
            await error_response(status, message)(self._request.scope, self._request.receive, self._send)
        else:
            await self._send(HANG_UP)


def _scale_up_timeout_s(request: Request) -> float:
    """Seconds the caller is willing to wait for a replica; nonsense counts as none."""
    try:
        seconds = float(request.headers.get("x-scale-up-timeout", 0))
    except ValueError:
        return 0.0
    return min(max(0.0, seconds), MAX_HOLD_S) if seconds == seconds else 0.0
