"""Requests, an endpoint call and a guard that the tests of the transport share."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.planes.plane_driver import cloud
from tests.support.service.scripted_upstream import Upstream

from inference_endpoints.errors import Refused
from inference_endpoints.models import CreateRequest, Endpoint
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.operations import CREATE, GET, Request

ONE = "/v2/endpoint/acme/chat"
ALL = "/v2/endpoint/acme"
READ_CHAT = GET.build(namespace="acme", name="chat")
CREATION = CreateRequest.model_validate(cloud("chat"))
CREATE_CHAT = CREATE.build(namespace="acme", body=CREATION)


def call(upstream: Upstream, path: str = "/", timeout: float = 5.0) -> EndpointCall:
    endpoint = Endpoint.model_validate(upstream.endpoint("running"))
    return EndpointCall(endpoint, "acme", path, body={"inputs": "hi"}, timeout=timeout)


def closed_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


class Recorder:
    """A guard that records every action, and refuses it if `refusing`."""

    def __init__(self, refusing: bool = False) -> None:
        self.actions: list[str] = []
        self._refusing = refusing

    @asynccontextmanager
    async def guard_request(self, request: Request) -> AsyncIterator[None]:
        self._record(request.action)
        yield

    @asynccontextmanager
    async def guard_call(self, call: EndpointCall) -> AsyncIterator[None]:
        self._record(call.action)
        yield

    def _record(self, action: str) -> None:
        self.actions.append(action)
        if self._refusing:
            raise Refused("The operator does not allow it.")
