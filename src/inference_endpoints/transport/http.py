"""The only module that speaks HTTP: deadlines, retries, who may see the token, and the sends.

Everything that reaches a control plane passes `HttpTransport.send` or `HttpTransport.stream_events`; everything that
reaches an endpoint passes `HttpTransport.call_endpoint`. Each asks the guard first, so nothing above can bypass it.

httpx2 is the maintained continuation of httpx, with the same API, and what mcp itself runs on.
"""

import json
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import unquote

import anyio
import httpx2 as httpx  # noqa: TID251
from pydantic import ValidationError

from inference_endpoints.errors import (
    BadRequest,
    InferenceEndpointError,
    InferenceEndpointTimeoutError,
    NotConfigured,
    NotDeployed,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
)
from inference_endpoints.transport.backend import LOCAL, Backend
from inference_endpoints.transport.error_response import ErrorResponse, control_plane_error
from inference_endpoints.transport.guard import EndpointCall, Guard, NoGuard
from inference_endpoints.transport.operations import Effect, Operation, Request, Retry
from inference_endpoints.transport.token import validated_token

Answer = TypeVar("Answer")

CONTROL_DEADLINE_S = 30.0
"""Longest a control-plane call may take, retries included."""
ATTEMPTS = 4
LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes of one control-plane answer; more is refused."""
LARGEST_ERROR_BODY = 64 * 1024

SILENCE_S = 60.0
"""Longest that a stream of events may be silent, in seconds; one that is alive sends a comment now and then."""

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


Reconnect = Callable[[Backend], Awaitable[Backend]]
Sleep = Callable[[float], Awaitable[None]]


class HttpTransport:
    """One connection pool for one backend.

    `reconnect` is asked for the backend once more when nothing listens at its address: an embedded control plane
    that has ended is started again. `deadline` is the longest a control-plane call may take, in seconds, retries
    included. `transport` and `sleep` are the seams for tests.
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
        self._guard: Guard = guard or NoGuard()
        self._reconnect = reconnect
        self._deadline = deadline
        self._transport = transport
        self._sleep = sleep
        self._user_agent = user_agent
        self._pool: httpx.AsyncClient | None = None

    async def send(self, request: Request, operation: Operation[Answer]) -> Answer:
        """Send one operation to the control plane and return its answer, typed.

        Raises an `InferenceEndpointError`: `NotConfigured` or `Unauthorized`, before anything is sent, where there
        is no token or what there is cannot be one; `OutcomeUnknown` if a change that may not be repeated was sent
        and its answer was lost.
        """
        self._bearer()
        async with self._guard.guard_request(request):
            return await self._answered(request, operation)

    @asynccontextmanager
    async def stream_events(self, request: Request) -> AsyncIterator[AsyncIterator[None]]:
        """A stream of the control plane: an item for each event, until the service ends it.

        Nothing is sent twice, and no deadline is set but for silence. Raises an `InferenceEndpointError` where the
        stream is refused, breaks off, or is silent for longer than `SILENCE_S`.
        """
        bearer = self._bearer()
        async with self._guard.guard_request(request):
            address = self.backend.base_url(request.operation.service).rstrip("/") + request.path
            headers = bearer | {"Accept": "text/event-stream"}
            timeout = httpx.Timeout(SILENCE_S, connect=10.0)
            try:
                async with self._client().stream("GET", address, headers=headers, timeout=timeout) as response:
                    if not response.is_success:
                        raise control_plane_error(request.action, await read_error(response))
                    if "text/event-stream" not in response.headers.get("content-type", ""):
                        raise Unavailable(f"Could not {request.action}: the answer is not a stream of events.")
                    yield _events(response)
            except httpx.RequestError as error:
                raise self._lost(request, "broke off the stream") from error

    @asynccontextmanager
    async def call_endpoint(self, call: EndpointCall) -> AsyncIterator[httpx.Response]:
        """Send one request to an endpoint; the answer's body is still to be read.

        Any status is an answer. Raises `NotDeployed` without an address, `BadRequest` for a path that would leave
        the endpoint, `Unavailable` where none answers, `InferenceEndpointTimeoutError` after `call.timeout`.
        """
        url = _address(call)
        async with self._guard.guard_call(call), self._opened(call, url) as response:
            yield response

    async def aclose(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()

    def _client(self) -> httpx.AsyncClient:
        # Made on first use: a TLS context costs up to 90 ms, which must not delay the handshake.
        if self._pool is None:
            self._pool = httpx.AsyncClient(
                transport=self._transport,
                verify=self._tls(),
                # What is on this machine is reached directly, never through a proxy that would see the token.
                trust_env=self.backend.name != LOCAL,
                follow_redirects=False,
                timeout=httpx.Timeout(CONTROL_DEADLINE_S, connect=10.0),
                headers={"User-Agent": self._user_agent},
            )
        return self._pool

    def _tls(self) -> ssl.SSLContext | bool:
        """True for the authorities of the system. Reading them takes 20 to 70 ms, for nothing where all is plain HTTP:
        then none is known, and no certificate would be trusted.
        """
        plain = self.backend.name == LOCAL and self.backend.control_plane.startswith("http://")
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else True

    def _bearer(self) -> dict[str, str]:
        if self.backend.token is None:
            raise NotConfigured(
                "No Hugging Face token is configured, so nothing was sent.",
                hint="Set HF_TOKEN (a fine-grained token with the Inference Endpoints scope). To use real small models "
                "on this machine without an account, start the server with --local; "
                "in Python, set INFERENCE_ENDPOINTS_URL.",
            )
        return {"Authorization": f"Bearer {validated_token(self.backend.token)}"}

    def _endpoint_headers(self, url: str) -> dict[str, str]:
        shown = self.backend.token is not None and self.backend.trusts(url)
        return self._bearer() if shown else {}

    async def _answered(self, request: Request, operation: Operation[Answer]) -> Answer:
        try:
            with anyio.fail_after(self._deadline):
                payload = await self._with_retries(request)
        except TimeoutError as error:
            raise self._lost(request, "did not answer in time") from error
        try:
            return operation.parse(payload)
        except ValidationError as error:
            raise Unavailable(
                f"Could not {request.action}: the control plane's answer was not understood.",
                hint="Its form may be newer than this version.",
            ) from error

    @asynccontextmanager
    async def _opened(self, call: EndpointCall, url: str) -> AsyncIterator[httpx.Response]:
        request = self._client().build_request(
            call.method,
            url,
            json=call.body,
            content=call.content,
            headers=self._endpoint_headers(url) | dict(call.headers),
            timeout=httpx.Timeout(call.timeout, connect=min(10.0, call.timeout)),
        )
        try:
            response = await self._client().send(request, stream=True)
        except (httpx.ReadTimeout, httpx.WriteTimeout) as error:
            raise InferenceEndpointTimeoutError(
                f"{call.label} did not answer within {call.timeout:g} s.",
                hint="Ask for less at a time, or allow more time.",
            ) from error
        except httpx.RequestError as error:
            raise Unavailable(
                f"{call.label} cannot be reached at its address.",
                hint="Look at its state; it may have just stopped.",
            ) from error
        try:
            yield response
        except httpx.TimeoutException as error:
            raise InferenceEndpointTimeoutError(
                f"{call.label} stopped answering part of the way.",
                hint="Ask for less at a time, or allow more time.",
            ) from error
        except httpx.RequestError as error:
            raise Unavailable(
                f"{call.label} broke off its answer.",
                hint="Try again; if it happens again, read its logs.",
            ) from error
        finally:
            await response.aclose()

    async def _with_retries(self, request: Request) -> Any:
        lost: Exception | None = None
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._once(request)
            except (httpx.RequestError, RateLimited, Unavailable) as error:
                if not isinstance(error, (*_NEVER_SENT, RateLimited)):
                    lost = error
                pause = getattr(error, "retry_after", None) or _pause_after(attempt)
                in_time = anyio.current_time() + pause < anyio.current_effective_deadline()
                if attempt == ATTEMPTS or not in_time or not _may_repeat(request, error):
                    raise self._final(request, lost or error) from error
                if isinstance(error, _NEVER_SENT) and self._reconnect is not None:
                    self.backend = await self._reconnect(self.backend)
                await self._sleep(pause)
            except InferenceEndpointError as error:
                error.after_lost_answer = lost is not None
                raise
        raise AssertionError("the last attempt returns or raises")

    def _final(self, request: Request, error: Exception) -> InferenceEndpointError:
        """The error to raise when nothing more is tried. An answer that was lost decides what may be claimed: only
        where none was is it certain that nothing was sent."""
        if isinstance(error, _NEVER_SENT):
            return Unavailable(
                f"The control plane ({self.backend.name}) cannot be reached; nothing was sent.",
                hint="Check the network, or run `inference-endpoints-mcp doctor`.",
            )
        if isinstance(error, httpx.RequestError):
            return self._lost(request, "broke off the connection")
        if isinstance(error, Unavailable) and request.operation.effect is not Effect.READS:
            return self._lost(request, f"answered {error.status}")
        assert isinstance(error, InferenceEndpointError)
        return error

    async def _once(self, request: Request) -> Any:
        address = self.backend.base_url(request.operation.service)
        async with self._client().stream(
            request.operation.method,
            address.rstrip("/") + request.path,
            json=request.body,
            headers=self._bearer() if self.backend.sends_token_to(request.operation.service) else {},
        ) as response:
            if not response.is_success:
                refusal = await read_error(response)
                raise control_plane_error(request.action, refusal, missing_kind=request.missing_kind)
            body = await read_up_to(response, LARGEST_ANSWER + 1)
        if len(body) > LARGEST_ANSWER:
            raise BadRequest(f"Could not {request.action}: the answer is larger than 16 MiB.", hint="Ask for less.")
        if "json" not in response.headers.get("content-type", "json"):
            return body.decode("utf-8", "replace")
        try:
            return json.loads(body or b"{}")
        except ValueError as error:
            raise Unavailable(
                f"Could not {request.action}: the answer is not valid JSON.", hint="Try again."
            ) from error

    @staticmethod
    def _lost(request: Request, how: str) -> InferenceEndpointError:
        if request.operation.effect is Effect.READS:
            return Unavailable(f"Could not {request.action}: the control plane {how}.", hint="Try again in a moment.")
        safe = request.operation.retry is Retry.SAFE
        return OutcomeUnknown(
            f"The control plane {how} after it was asked to {request.action}: it may have done it or not.",
            hint="Ask again: doing it twice does no harm." if safe else "Look at the endpoint before asking again.",
        )


async def read_error(response: httpx.Response) -> ErrorResponse:
    """An error response with the first 64 KiB of its body."""
    return ErrorResponse(response.status_code, response.headers, await read_up_to(response, LARGEST_ERROR_BODY))


async def read_up_to(response: httpx.Response, limit: int) -> bytes:
    """The body's first `limit` bytes; what comes after is not read."""
    parts: list[bytes] = []
    left = limit
    async for part in response.aiter_bytes():
        parts.append(part[:left])
        left -= len(parts[-1])
        if left <= 0:
            break
    return b"".join(parts)


async def _events(response: httpx.Response) -> AsyncIterator[None]:
    """An item for each event, whatever it carries; comments, which keep a stream alive, are none."""
    start = b""
    async for part in response.aiter_bytes():
        *lines, start = (start + part).split(b"\n")
        for line in lines:
            if line.startswith(b"data"):
                yield
        start = start[:4]  # enough to tell what a line is that goes on


def _address(call: EndpointCall) -> str:
    """Where a call goes: below the endpoint's own address, so that no path can lead the token elsewhere."""
    url = call.endpoint.url
    if url is None:
        raise NotDeployed(
            f"{call.label} has no address yet.",
            hint="Wait until it is running.",
        )
    steps = unquote(call.path.partition("?")[0]).replace("\\", "/").split("/")
    if steps[0] or ".." in steps:
        raise BadRequest("The path given leads out of the endpoint.", hint="It starts with '/' and has no '..'.")
    address = url.rstrip("/") + call.path
    try:
        httpx.URL(address)
    except httpx.InvalidURL as error:
        raise Unavailable(f"{call.label} has an address that is none.", hint="Look at its state again.") from error
    return address


def _may_repeat(request: Request, error: Exception) -> bool:
    if isinstance(error, RateLimited):
        return (error.retry_after or 0) < CONTROL_DEADLINE_S / 2
    return isinstance(error, _NEVER_SENT) or request.operation.retry is Retry.SAFE


def _pause_after(attempt: int) -> float:
    """Seconds between this attempt and the next: doubling, with full jitter, at most 8."""
    return random.uniform(0.1, min(8.0, 0.5 * 2**attempt))  # noqa: S311


__all__ = ["HttpTransport", "Reconnect", "Sleep", "httpx", "read_up_to"]
