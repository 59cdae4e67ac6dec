"""The only module that speaks HTTP: connections, deadlines, retries, and where the token is sent.

Requests to a control plane pass `HttpTransport.send` or `stream_events`. Requests to an endpoint pass `call_endpoint`.
Each passes the guard first, so no caller can bypass it.

httpx2 is the maintained continuation of httpx, with the same API. The MCP SDK uses it as well.
"""

import random
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import cache
from typing import Any, TypeVar

import anyio
import httpx2  # noqa: TID251
from pydantic import ValidationError

from inference_endpoints.errors import (
    BadRequest,
    InferenceEndpointError,
    InferenceEndpointTimeoutError,
    NotConfigured,
    OutcomeUnknown,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from inference_endpoints.models.json_text import parse_json
from inference_endpoints.transport.backend import LOCAL, Backend
from inference_endpoints.transport.effect import Effect
from inference_endpoints.transport.error_response import ErrorResponse, control_plane_error
from inference_endpoints.transport.guard import EndpointCall, Guard
from inference_endpoints.transport.operations import Operation, Request, Retry
from inference_endpoints.transport.service_clock import ServiceClock
from inference_endpoints.transport.token import validated_token

httpx = httpx2
Result = TypeVar("Result")

CONTROL_DEADLINE_S = 30.0
"""Longest time of a control-plane request, retries included."""
CONNECT_TIMEOUT_S = 10.0
REACHABLE_WITHIN_S = 3.0
MAX_CONNECTIONS = 200
"""Connections of one client at a time. A request that finds none waits."""
MAX_IDLE_CONNECTIONS = 20
MAX_ATTEMPTS = 4
MAX_ANSWER_BYTES = 16 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
MAX_STREAM_SILENCE_S = 60.0
"""Longest time without a byte on an event stream. The service sends comments to keep a stream alive."""

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)

_NOT_JSON = "JSON has numbers, text without half characters, lists and objects."

Reconnect = Callable[[Backend], Awaitable[Backend]]
Sleep = Callable[[float], Coroutine[Any, Any, None]]


@cache
def _certificate_authorities(trust_env: bool) -> ssl.SSLContext:
    """Those of the system, read once for all clients: that takes 20 to 70 ms and 0.8 MB."""
    return httpx.create_ssl_context(trust_env=trust_env)


class HttpTransport:
    """One connection pool for one backend.

    `reconnect` returns the backend again when nothing listens at its address, or its token is not accepted: it restarts
    an embedded control plane that has ended, and reads a token that was replaced. `deadline` is the longest time of a
    control-plane request in seconds, retries included. `transport` and `sleep` are for tests.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        guard: Guard | None = None,
        reconnect: Reconnect | None = None,
        deadline: float = CONTROL_DEADLINE_S,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Sleep = anyio.sleep,
        user_agent: str = "inference-endpoints-mcp",
    ) -> None:
        self.backend = backend
        self.guard = guard
        self.reconnect = reconnect
        self._deadline = deadline
        self._transport = transport
        self.sleep = sleep
        self._user_agent = user_agent
        self._pool: httpx.AsyncClient | None = None
        self.clock = ServiceClock()

    async def send(self, request: Request, operation: Operation[Result]) -> Result:
        """Send one operation to the control plane and return its answer, typed.

        Raises an `InferenceEndpointError`: before anything is sent, `NotConfigured` without a token and `Unauthorized`
        for a malformed one; `OutcomeUnknown` if a change that must not be repeated was sent and its answer was lost.
        """
        answer, _ = await self.send_page(request, operation)
        return answer

    async def send_page(self, request: Request, operation: Operation[Result]) -> tuple[Result, list[str]]:
        """As `send`, with the addresses in the answer's `Link` header."""
        self._bearer()
        async with self._guarded(request):
            return await self._send_within_deadline(request, operation)

    @asynccontextmanager
    async def stream_events(self, request: Request) -> AsyncIterator[AsyncIterator[str]]:
        """An event stream of the control plane: an item for each event, until the service ends the stream.

        The request is sent once, and has no deadline. Raises an `InferenceEndpointError` if the service refuses the
        stream, breaks it off, or sends nothing for `MAX_STREAM_SILENCE_S`.
        """
        bearer = self._bearer()
        async with self._guarded(request):
            address = self.backend.base_url(request.operation.service).rstrip("/") + request.path
            headers = bearer | {"Accept": "text/event-stream"}
            timeout = httpx.Timeout(MAX_STREAM_SILENCE_S, connect=CONNECT_TIMEOUT_S)
            try:
                async with self._client().stream("GET", address, headers=headers, timeout=timeout) as response:
                    if not response.is_success:
                        raise control_plane_error(request.action, await read_error(response))
                    if "text/event-stream" not in response.headers.get("content-type", ""):
                        raise Unavailable(f"Could not {request.action}: the answer is not an event stream.")
                    yield server_sent_events(response)
            except httpx.RequestError as error:
                raise _lost_answer(request, "broke off the stream") from error

    @asynccontextmanager
    async def call_endpoint(self, call: EndpointCall) -> AsyncIterator[httpx.Response]:
        """Send one request to an endpoint and return its response, whatever its status. The body is not read yet.

        Raises `NotDeployed` without an address, `BadRequest` for a path outside the endpoint, `Unavailable` if nothing
        answers, `InferenceEndpointTimeoutError` after `call.timeout`.
        """
        url = call.url
        async with self._guarded(call), self._open_call(call, url) as response:
            yield response

    async def is_reachable(self) -> bool:
        """Whether something answers at the control plane's address: without a token, and without retries."""
        try:
            response = await self._client().get(self.backend.control_plane, timeout=REACHABLE_WITHIN_S)
        except httpx.RequestError:
            return False
        return response.status_code < 500

    async def aclose(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()

    def _guarded(self, request: Request | EndpointCall) -> AbstractAsyncContextManager[None]:
        if self.guard is None:
            return nullcontext()
        if isinstance(request, EndpointCall):
            return self.guard.guard_call(request)
        return self.guard.guard_request(request)

    def _client(self) -> httpx.AsyncClient:
        # Made on first use: a TLS context costs up to 90 ms, which must not delay the handshake.
        if self._pool is None:
            self._pool = httpx.AsyncClient(
                transport=self._transport,
                verify=self._tls(),
                trust_env=self._trust_env,
                follow_redirects=False,
                limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_IDLE_CONNECTIONS),
                timeout=httpx.Timeout(CONTROL_DEADLINE_S, connect=CONNECT_TIMEOUT_S),
                headers={"User-Agent": self._user_agent},
            )
        return self._pool

    @property
    def _trust_env(self) -> bool:
        """Never reach this machine through a proxy: it would see the token."""
        return self.backend.name != LOCAL

    def _tls(self) -> ssl.SSLContext:
        """The certificate authorities of the system. Plain HTTP does not need them: then no authority is loaded, and no
        certificate is trusted."""
        plain = self.backend.name == LOCAL and self.backend.control_plane.startswith("http://")
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else _certificate_authorities(self._trust_env)

    def _bearer(self) -> dict[str, str]:
        if self.backend.token is None:
            raise NotConfigured(
                "No Hugging Face token is configured, so nothing was sent.",
                hint="Set HF_TOKEN (a fine-grained token with the Inference Endpoints scope). To use real small models "
                "on this machine without an account, start the server with --local; "
                "in Python, set INFERENCE_ENDPOINTS_URL and INFERENCE_ENDPOINTS_TOKEN.",
            )
        return {"Authorization": f"Bearer {validated_token(self.backend.token)}"}

    def _endpoint_headers(self, url: str) -> dict[str, str]:
        sends_token = self.backend.token is not None and self.backend.trusts(url)
        return self._bearer() if sends_token else {}

    async def _send_within_deadline(self, request: Request, operation: Operation[Result]) -> tuple[Result, list[str]]:
        try:
            with anyio.fail_after(self._deadline):
                payload, links = await self._send_with_retries(request)
        except TimeoutError as error:
            raise _lost_answer(request, "did not answer in time") from error
        try:
            return operation.parse(payload), links
        except ValidationError as error:
            hint = "The service may be newer than this version."
            raise _unreadable(request, "has an unknown form", Unavailable, hint) from error

    @asynccontextmanager
    async def _open_call(self, call: EndpointCall, url: str) -> AsyncIterator[httpx.Response]:
        try:
            request = self._build_call(call, url)
            response = await self._client().send(request, stream=True)
        except (httpx.ReadTimeout, httpx.WriteTimeout) as error:
            raise InferenceEndpointTimeoutError(
                f"{call.label} did not answer within {call.timeout:g} s.",
                hint="Request less at a time, or allow more time.",
            ) from error
        except httpx.InvalidURL as error:
            raise Unavailable(f"{call.label} has an invalid address.", hint="Check its state.") from error
        except httpx.RequestError as error:
            raise Unavailable(
                f"{call.label} cannot be reached at its address.",
                hint="Check its state: it may have just stopped.",
            ) from error
        try:
            yield response
        except httpx.TimeoutException as error:
            raise InferenceEndpointTimeoutError(
                f"{call.label} stopped before its answer was complete.",
                hint="Request less at a time, or allow more time.",
            ) from error
        except httpx.RequestError as error:
            raise Unavailable(
                f"{call.label} broke off its answer.",
                hint="Try again. If it happens again, read its logs.",
            ) from error
        finally:
            await response.aclose()

    def _build_call(self, call: EndpointCall, url: str) -> httpx.Request:
        try:
            return self._client().build_request(
                call.method,
                url,
                json=call.body,
                content=call.content,
                headers=self._endpoint_headers(url) | dict(call.headers),
                timeout=httpx.Timeout(call.timeout, connect=min(CONNECT_TIMEOUT_S, call.timeout)),
            )
        except (TypeError, ValueError) as error:
            raise BadRequest("The request cannot be written as JSON. Nothing was sent.", hint=_NOT_JSON) from error

    async def _send_with_retries(self, request: Request) -> tuple[Any, list[str]]:
        lost: Exception | None = None
        for attempt in range(1, MAX_ATTEMPTS + 1):
            token = self.backend.token
            try:
                return await self._send_once(request)
            except (httpx.RequestError, RateLimited, Unavailable) as error:
                if not isinstance(error, (*_NEVER_SENT, RateLimited)):
                    lost = error
                delay = getattr(error, "retry_after", None) or backoff_s(attempt)
                in_time = anyio.current_time() + delay < anyio.current_effective_deadline()
                if attempt == MAX_ATTEMPTS or not in_time or not _may_retry(request, error):
                    raise self._final_error(request, lost or error) from error
                if isinstance(error, _NEVER_SENT) and self.reconnect is not None:
                    self.backend = await self.reconnect(self.backend)
                await self.sleep(delay)
            except Unauthorized as error:
                if attempt == MAX_ATTEMPTS or not await self._has_other_token(token):
                    error.after_lost_answer = lost is not None
                    raise
            except InferenceEndpointError as error:
                error.after_lost_answer = lost is not None
                raise
        raise AssertionError("the last attempt returns or raises")

    async def _has_other_token(self, refused: str | None) -> bool:
        """Whether the refused token was replaced; then the new one is used from now on."""
        if self.reconnect is not None and self.backend.token == refused:
            self.backend = await self.reconnect(self.backend)
        return self.backend.token != refused

    def _final_error(self, request: Request, error: Exception) -> InferenceEndpointError:
        """The error after the last attempt. `error` is that of the last lost answer, if any: after a lost answer
        it is unknown whether the request took effect."""
        if isinstance(error, _NEVER_SENT):
            return Unavailable(
                f"The control plane ({self.backend.name}) cannot be reached: nothing was sent.",
                hint="Check the network, or run `inference-endpoints-mcp doctor`.",
            )
        if isinstance(error, httpx.RequestError):
            return _lost_answer(request, "broke off the connection")
        if (
            isinstance(error, Unavailable)
            and not isinstance(error, OutcomeUnknown)
            and request.operation.effect is not Effect.READS
        ):
            return _lost_answer(request, f"answered {error.status}")
        assert isinstance(error, InferenceEndpointError)
        return error

    async def _send_once(self, request: Request) -> tuple[Any, list[str]]:
        address = self.backend.base_url(request.operation.service)
        async with self._client().stream(
            request.operation.method,
            address.rstrip("/") + request.path,
            json=request.body.to_json() if request.body else None,
            headers=self._bearer() if self.backend.sends_token_to(request.operation.service) else {},
        ) as response:
            self.clock.note(response.headers.get("date"))
            if not response.is_success:
                refusal = await read_error(response)
                raise control_plane_error(request.action, refusal, missing_kind=request.missing_kind)
            body = await read_up_to(response, MAX_ANSWER_BYTES + 1)
        if len(body) > MAX_ANSWER_BYTES:
            raise _unreadable(request, "is larger than 16 MiB", BadRequest, "Request less.")
        links = [link["url"] for link in response.links.values()]
        if "json" not in response.headers.get("content-type", "json"):
            return body.decode("utf-8", "replace"), links
        try:
            return parse_json(body or b"{}"), links
        except ValueError as error:
            raise _unreadable(request, "is not valid JSON", Unavailable, "Try again.") from error


def load_connections() -> None:
    """Load what the first connection would load."""
    httpx.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


async def read_error(response: httpx.Response) -> ErrorResponse:
    """An error response with the first 64 KiB of its body."""
    return ErrorResponse(response.status_code, response.headers, await read_up_to(response, MAX_ERROR_BYTES))


async def read_up_to(response: httpx.Response, limit: int) -> bytes:
    """The first `limit` bytes of the body. The rest is not read."""
    parts: list[bytes] = []
    left = limit
    async for part in response.aiter_bytes():
        parts.append(part[:left])
        left -= len(parts[-1])
        if left <= 0:
            break
    return b"".join(parts)


async def server_sent_events(response: httpx.Response) -> AsyncGenerator[str]:
    """The data of each event of a `text/event-stream`. Comments and events without data are left out."""
    async for event in httpx.EventSource(response):
        if event.data:
            yield event.data


def _lost_answer(request: Request, reason: str) -> InferenceEndpointError:
    if request.operation.effect is Effect.READS:
        return Unavailable(f"Could not {request.action}: the control plane {reason}.", hint="Try again in a moment.")
    safe = request.operation.retry is Retry.SAFE
    return OutcomeUnknown(
        f"The control plane {reason} after the request to {request.action}: it may or may not have taken effect.",
        hint="Repeat it: doing it twice does no harm." if safe else "Check the endpoint before you repeat it.",
    )


def _unreadable(request: Request, fault: str, kind: type[InferenceEndpointError], hint: str) -> InferenceEndpointError:
    """The error of a success whose answer cannot be read. A change is then looked up, as after a lost answer."""
    if request.operation.effect is not Effect.READS:
        return OutcomeUnknown(
            f"The control plane accepted the request to {request.action}, but its answer {fault}.",
            hint="Check the endpoint before you repeat it.",
        )
    return kind(f"Could not {request.action}: the answer {fault}.", hint=hint)


def _may_retry(request: Request, error: Exception) -> bool:
    if isinstance(error, RateLimited):
        return (error.retry_after or 0) < CONTROL_DEADLINE_S / 2
    return isinstance(error, _NEVER_SENT) or request.operation.retry is Retry.SAFE


def backoff_s(attempt: int) -> float:
    """Seconds before the next attempt: about one, doubled each time, at most 8, with jitter."""
    return random.uniform(0.5, 1.0) * min(8.0, 2.0 ** (attempt - 1))  # noqa: S311
