"""The data plane: every endpoint is served below `/e/{id}`, and each request goes to one of its ready replicas.

The words of its errors are those that the service's data plane was seen to send in October 2026.
"""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from inference_endpoints.models import InferenceEndpointStatus as State
from inference_endpoints_local.api.documents import DEFAULT_HEALTH_ROUTE, health_route
from inference_endpoints_local.api.fault_responses import fault_response
from inference_endpoints_local.api.forwarded_request import MAX_CALL_BYTES, ForwardedRequest
from inference_endpoints_local.api.request_handling import error_response, has_token
from inference_endpoints_local.control.endpoint_metrics import NO_REPLICA, EndpointMetrics
from inference_endpoints_local.control.executor import Executor
from inference_endpoints_local.control.managed_endpoint import ManagedEndpoint
from inference_endpoints_local.engines.engine import EngineReplica
from inference_endpoints_local.state.clock import wall_s
from inference_endpoints_local.state.faults import CALL_ENDPOINT, Faults
from inference_endpoints_local.state.store import NotSaved

MAX_HOLD_S = 3_600.0
NOT_KNOWN_RETRY_S = 5
"""When a caller may try again where nothing is known of the start, or it takes longer than the last one did."""
NO_ROOM_RETRY_S = 15
"""While an endpoint waits for hardware: others give it back at any time."""
MAX_RETRY_S = 60
"""At most, as a start may also be quicker than the last one."""


class Gateway:
    """An ASGI application for requests whose path parameters are `id` and `path`."""

    def __init__(self, executor: Executor, faults: Faults, token: Callable[[], str]) -> None:
        self._executor = executor
        self._faults = faults
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        endpoint = self._executor.by_id(scope["path_params"]["id"])
        if endpoint is None:
            await error_response(404, "Not Found: no endpoint has this URL")(scope, receive, send)
            return
        measured = _MeasuringSend(endpoint.metrics, send)
        try:
            await self._admit(endpoint, request, measured)
        finally:
            measured.end()

    async def _admit(self, endpoint: ManagedEndpoint, request: Request, send: "_MeasuringSend") -> None:
        refusal = self._refusal(endpoint, request)
        if refusal is None:
            try:
                with self._executor.request(endpoint):
                    await self._respond(endpoint, request, send)
                return
            except NotSaved as failure:
                refusal = error_response(507, f"Insufficient Storage: {failure}")
        await refusal(request.scope, request.receive, send)

    async def _respond(self, endpoint: ManagedEndpoint, request: Request, send: "_MeasuringSend") -> None:
        fault = self._faults.take(CALL_ENDPOINT)
        replica = fault_response(fault) if fault else await self._select_replica(endpoint, request)
        if isinstance(replica, Response):
            await replica(request.scope, request.receive, send)
        else:
            send.sent_to(replica.id)
            await self._serve(endpoint, replica, request, send)

    def _refusal(self, endpoint: ManagedEndpoint, request: Request) -> Response | None:
        if endpoint.record.spec["type"] != "public" and not has_token(request, self._token()):
            return error_response(401, "401 Unauthorized")
        if endpoint.status.state is State.PAUSED:
            return error_response(400, "Bad Request: The endpoint is paused, ask a maintainer to restart it")
        if endpoint.status.state is State.FAILED:
            # The service's own response is not known. 503 would make clients retry without effect.
            return error_response(400, "Bad Request: the endpoint failed to start; resume or update it")
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > MAX_CALL_BYTES:
            return error_response(413, f"Payload Too Large: at most {MAX_CALL_BYTES} bytes")
        return None

    async def _select_replica(self, endpoint: ManagedEndpoint, request: Request) -> EngineReplica | Response:
        """The ready replica with the fewest requests. Waits for one as long as the caller allows."""
        if not endpoint.ready and (hold := _scale_up_timeout_s(request)):
            with suppress(TimeoutError):
                async with asyncio.timeout(hold):
                    await self._executor.wait_until(
                        endpoint, lambda endpoint: bool(endpoint.ready) or not endpoint.record.wants_replicas
                    )
        if not (ready := endpoint.ready):
            return self._refusal(endpoint, request) or _not_ready(endpoint)
        return min(ready, key=lambda replica: replica.in_flight)

    async def _serve(self, endpoint: ManagedEndpoint, replica: EngineReplica, request: Request, send: Send) -> None:
        scope = request.scope
        target = scope["raw_path"].removeprefix(f"/e/{endpoint.record.id}".encode()) or b"/"
        if target.decode("ascii", "replace") == health_route(endpoint.record.spec):
            target = DEFAULT_HEALTH_ROUTE.encode()  # workers have one health route, images may name another
        if replica.address is None:
            healthy = target == DEFAULT_HEALTH_ROUTE.encode()
            response = Response() if healthy else error_response(501, "Simulated endpoint: no model runs here.")
            await response(scope, request.receive, send)
            return
        if query := scope["query_string"]:
            target += b"?" + query
        replica.in_flight += 1
        try:
            await ForwardedRequest(request, send).run(replica.address, target)
        finally:
            replica.in_flight -= 1


class _MeasuringSend:
    """Forwards the messages of a response, and records the request and its response."""

    def __init__(self, metrics: EndpointMetrics, send: Send) -> None:
        self._metrics = metrics
        self._send = send
        self._began = time.monotonic()
        self._replica = NO_REPLICA
        self._status: int | None = None
        metrics.request_started(wall_s())

    def sent_to(self, replica: str) -> None:
        self._replica = replica
        self._metrics.request_sent(replica, wall_s())

    def end(self) -> None:
        self._metrics.request_ended(wall_s(), time.monotonic() - self._began, self._status, self._replica)

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        await self._send(message)


def _not_ready(endpoint: ManagedEndpoint) -> Response:
    """The service's words, and when to try again, which the service does not say."""
    again = {"Retry-After": str(_retry_after_s(endpoint))}
    return error_response(503, "503 Service Unavailable", again)


def _retry_after_s(endpoint: ManagedEndpoint) -> int:
    """Seconds until a replica is ready, as far as that is known."""
    if endpoint.lacks_capacity:
        return NO_ROOM_RETRY_S
    clock = endpoint.engine.clock
    ready_at = endpoint.measured_starts.ready_at(endpoint.replicas, clock.now())
    left = clock.seconds_until(ready_at) if ready_at is not None else None
    return min(math.ceil(left), MAX_RETRY_S) if left else NOT_KNOWN_RETRY_S


def _scale_up_timeout_s(request: Request) -> float:
    """Seconds that the caller waits for a replica. An invalid number counts as 0."""
    try:
        seconds = float(request.headers.get("x-scale-up-timeout", 0))
    except ValueError:
        return 0.0
    return min(max(0.0, seconds), MAX_HOLD_S) if seconds == seconds else 0.0
