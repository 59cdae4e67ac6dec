"""Send a request to the engine of an endpoint, under the name by which it serves its model."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import (
    Forbidden,
    InferenceEndpointError,
    NotDeployed,
    NotFound,
    Paused,
    Unauthorized,
    Unavailable,
)
from inference_endpoints.inference.calls.cold_start import CallDeadline, OpenResponse, open_response
from inference_endpoints.inference.calls.engine_errors import classify_engine_error, names_unknown_model
from inference_endpoints.inference.calls.engine_facts import MODELS_ROUTE, EngineFacts, engine_facts, parse_model_names
from inference_endpoints.inference.media import detect_media_type
from inference_endpoints.inference.tasks.engine_request import EngineRequest
from inference_endpoints.models import Endpoint
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.http import read_up_to

BuildRequest = Callable[[Endpoint, str], EngineRequest]
"""Builds the request once the endpoint, and so its engine, and the name of its model are known."""

_SIGNS_OF_A_CHANGE = (NotFound, Paused, NotDeployed, Unauthorized, Forbidden, Unavailable)
"""Errors of an endpoint that has moved, was paused or is gone."""

MAX_NAMES_BYTES = 1024 * 1024
MAX_NAMES_SHOWN = 20
"""Names of models that an error shows."""


@dataclass(frozen=True)
class EngineTarget:
    """The endpoint of a call as it was last read, and what is known of its engine."""

    endpoint: Endpoint
    namespace: str
    facts: EngineFacts
    is_assumed: bool = False
    """Whether it was not read for this call: its state can be another by now."""


class EngineCaller:
    """Calls the engines of endpoints."""

    def __init__(self, endpoints: AsyncEndpointsClient) -> None:
        self._endpoints = endpoints

    async def find(
        self, name: str, namespace: str | None, deadline: CallDeadline, known: Endpoint | None = None
    ) -> EngineTarget:
        """The endpoint, which is read unless it is `known`."""
        with deadline.limit("The control plane did not return the endpoint"):
            namespace = await self._endpoints.resolve_namespace(namespace)
            endpoint = known or await self._endpoints.get(name, namespace)
        facts = engine_facts(self._endpoints, endpoint, namespace)
        return EngineTarget(endpoint, namespace, facts, is_assumed=known is not None)

    @asynccontextmanager
    async def open(
        self,
        target: EngineTarget,
        build_request: BuildRequest,
        deadline: CallDeadline,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[OpenResponse]:
        """Open a successful response, whose body is not read yet. Any other response is raised as an error.

        If the endpoint was not read for this call and does not answer properly, it is looked up. The call is repeated
        if it has changed since it was read.
        """
        async with AsyncExitStack() as stack:
            try:
                opening = self._open_as_named(target, build_request, deadline, method, headers or {})
                opened = await stack.enter_async_context(opening)
            except _SIGNS_OF_A_CHANGE:
                if not target.is_assumed:
                    raise
                now = await self.find(target.endpoint.name, target.namespace, deadline)
                if _is_same(now.endpoint, target.endpoint):
                    raise
                opening = self._open_as_named(now, build_request, deadline, method, headers or {})
                opened = await stack.enter_async_context(opening)
            yield opened

    @asynccontextmanager
    async def _open_as_named(
        self,
        target: EngineTarget,
        build_request: BuildRequest,
        deadline: CallDeadline,
        method: str,
        headers: Mapping[str, str],
    ) -> AsyncIterator[OpenResponse]:
        """Open a successful response. Any other response is raised as an error.

        If the engine refuses the name that this layer gave its model, the engine's list of names is read, and the call
        repeated once.
        """
        model = target.facts.model(target.endpoint)
        request = build_request(target.endpoint, model)
        async with self._open_once(target, request, deadline, method, headers) as opened:
            if opened.refusal is None:
                yield opened
                return
        served: list[str] = []
        if names_unknown_model(opened.refusal):
            if opened.woke:
                target = await self.find(target.endpoint.name, target.namespace, deadline)
            served = await self._read_model_names(target, deadline)
        renamed = build_request(target.endpoint, served[0]) if served else request
        if renamed == request:  # the caller chose the name, or there is no other
            raise self._classify(opened, served)
        target.facts.learned_model = served[0]
        woke = opened.woke
        async with self._open_once(target, renamed, deadline, method, headers) as opened:
            if opened.refusal is not None:
                raise self._classify(opened, served)
            yield replace(opened, woke=woke or opened.woke)

    @asynccontextmanager
    async def _open_once(
        self,
        target: EngineTarget,
        request: EngineRequest,
        deadline: CallDeadline,
        method: str,
        headers: Mapping[str, str],
    ) -> AsyncIterator[OpenResponse]:
        endpoint, namespace = target.endpoint, target.namespace

        async def fetch() -> Endpoint:
            return await self._endpoints.get(endpoint.name, namespace)

        headers = dict(headers)
        if request.content is not None and "content-type" not in {key.lower() for key in headers}:
            headers["Content-Type"] = request.content_type or detect_media_type(request.content)
        call = EndpointCall(endpoint, namespace, request.path, method, request.body, request.content, headers)
        http, assumed = self._endpoints.http, target.is_assumed
        async with open_response(http, call, fetch, deadline, is_assumed=assumed) as opened:
            yield opened

    async def _read_model_names(self, target: EngineTarget, deadline: CallDeadline) -> list[str]:
        async with self._open_once(target, EngineRequest(MODELS_ROUTE), deadline, "GET", {}) as opened:
            if opened.refusal is not None:
                return []
            with deadline.limit(f"{opened.call.label} did not finish its answer"):
                content = await read_up_to(opened.response, MAX_NAMES_BYTES)
        return parse_model_names(content)

    def _classify(self, opened: OpenResponse, served: list[str]) -> InferenceEndpointError:
        assert opened.refusal is not None
        saw_token = self._endpoints.backend.trusts(opened.call.endpoint.url or "")
        error = classify_engine_error(opened.call, opened.refusal, saw_token=saw_token)
        if served:
            error.upstream = f"{error.upstream}\nIt serves: {', '.join(served[:MAX_NAMES_SHOWN])}"
        return error


def _is_same(now: Endpoint, before: Endpoint) -> bool:
    """Whether nothing has changed that a call could meet."""
    return (now.state, now.url, now.identity) == (before.state, before.url, before.identity)
