"""Send a request to an engine: find its endpoint, wait until it is ready, and return or raise the response."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypedDict

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import BadRequest
from inference_endpoints.inference.cold_start import CallDeadline, OnWait, OpenResponse, open_response
from inference_endpoints.inference.engine_errors import classify_engine_error
from inference_endpoints.inference.media import detect_media_type
from inference_endpoints.inference.tasks import EngineRequest
from inference_endpoints.models import Endpoint
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.http import Sleep, read_error, read_up_to

BuildRequest = Callable[[Endpoint], EngineRequest]
"""Builds the request once the endpoint, and so its engine, is known."""

MAX_RESPONSE_BYTES = 32 * 1024 * 1024
"""Bytes of one response. A larger one is refused."""


class CallOptions(TypedDict, total=False):
    """The options of every call.

    `timeout`: seconds for the whole call (default 120). `wake`: whether the call may wake an endpoint that is scaled
    to zero, which is billed (default True). `on_wait` gets a sentence before every wait for a replica.
    """

    timeout: float
    wake: bool
    on_wait: OnWait | None


@dataclass(frozen=True)
class InferenceResponse:
    """An engine's response, unparsed. `seconds` is the duration of the call, `woke` whether it woke the endpoint.

    >>> response = get_inference_endpoint("chat").client.post(json={"inputs": "I like it."})
    >>> response.status, response.content_type, response.woke
    (200, 'application/json', False)
    """

    status: int
    content_type: str
    content: bytes = field(repr=False)
    seconds: float
    woke: bool

    def json(self) -> Any:
        """The content as JSON. Raises `BadRequest` if it is not JSON: another attempt would not help.

        >>> response.json()
        [{'label': 'POSITIVE', 'score': 0.9}]
        """
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError) as error:
            raise BadRequest("The endpoint's answer is not JSON.", hint="Check its content type.") from error


class EngineCalls:
    """Sends requests to the engines of endpoints. `running` is an endpoint that needs no read before a call."""

    def __init__(self, endpoints: AsyncEndpointsClient, running: Endpoint | None, sleep: Sleep) -> None:
        self._endpoints = endpoints
        self._running = running
        self._sleep = sleep

    def start_deadline(self, options: CallOptions) -> CallDeadline:
        return CallDeadline(**options, sleep=self._sleep)

    async def send(
        self,
        name: str,
        namespace: str | None,
        build_request: BuildRequest,
        deadline: CallDeadline,
        method: str,
        headers: Mapping[str, str],
    ) -> InferenceResponse:
        async with self.open(name, namespace, build_request, deadline, method, headers) as opened:
            response = opened.response
            with deadline.limit(f"{opened.call.label} did not finish its answer"):
                content = await read_up_to(response, MAX_RESPONSE_BYTES + 1)
        if len(content) > MAX_RESPONSE_BYTES:
            raise BadRequest("The endpoint's answer is larger than 32 MiB.", hint="Request less at a time.")
        content_type = response.headers.get("content-type", "")
        return InferenceResponse(response.status_code, content_type, content, deadline.elapsed, opened.woke)

    @asynccontextmanager
    async def open(
        self,
        name: str,
        namespace: str | None,
        build_request: BuildRequest,
        deadline: CallDeadline,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[OpenResponse]:
        """A successful response whose body is not read yet. Any other response is raised as an error."""

        async def fetch() -> Endpoint:
            return await self._endpoints.get(name, namespace)

        with deadline.limit("The control plane did not return the endpoint"):
            namespace = await self._endpoints.resolve_namespace(namespace)
            endpoint = self._running if self._running and self._running.name == name else await fetch()
        request = build_request(endpoint)
        headers = dict(headers or {})
        if request.content is not None and "content-type" not in {key.lower() for key in headers}:
            headers["Content-Type"] = detect_media_type(request.content)
        call = EndpointCall(endpoint, namespace, request.path, method, request.body, request.content, headers)
        async with open_response(self._endpoints.http, call, fetch, deadline) as opened:
            response = opened.response
            if not response.is_success:
                with deadline.limit(f"{call.label} did not finish its answer"):
                    refusal = await read_error(response)
                saw_token = self._endpoints.backend.trusts(opened.call.endpoint.url or "")
                raise classify_engine_error(opened.call, refusal, saw_token=saw_token)
            yield opened
