"""Drives a plane with raw JSON over HTTP, so that tests compare what is on the wire."""

import asyncio
import http.client
import json
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.hang import HANG_TIMEOUT_S

from inference_endpoints_local.api import documents
from inference_endpoints_local.control.managed_endpoint import ManagedEndpoint
from inference_endpoints_local.daemon.plane import Plane
from inference_endpoints_local.engines.engine import CannotRun
from inference_endpoints_local.engines.programs import Program
from inference_endpoints_local.state.record import Spec

TOKEN = "secret-token"
TINY = Path(__file__).with_name("tiny_worker.py")
TINY_VARIABLES = frozenset(
    {
        *("TINY_ANSWERS", "TINY_FAILS", "TINY_HEALTH", "TINY_HOLDS_UNTIL", "TINY_LOADS_UNTIL", "TINY_LOGS"),
        *("TINY_SAYS", "TINY_SERVES", "VERSION", "MINE", "KEY", "A", "CRASH_TEST_FOLDER"),
    }
)
"""What the worker reads, and what tests set to see it arrive or to make another version."""


@dataclass(frozen=True)
class RawResponse:
    status: int
    headers: dict[str, str]
    body: Any


class RawClient:
    """Plain HTTP to a plane at an address. Endpoints are in namespace `acme`."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def call(
        self, method: str, path: str, body: Any = None, *, token: str | None = TOKEN, **headers: str
    ) -> RawResponse:
        """One request; `body` is sent as JSON, or as it is if it is bytes."""
        return await asyncio.to_thread(self._call, method, path, body, token, headers)

    def _call(self, method: str, path: str, body: Any, token: str | None, headers: dict[str, str]) -> RawResponse:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=HANG_TIMEOUT_S)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        is_json = response.headers.get_content_type() == "application/json"
        known = {name.lower(): value for name, value in response.headers.items()}
        return RawResponse(response.status, known, json.loads(content) if is_json else content)

    async def create(self, name: str = "chat", **changes: Any) -> RawResponse:
        return await self.call("POST", "/v2/endpoint/acme", cloud(name, **changes))

    async def create_local(self, name: str = "tiny", **changes: Any) -> RawResponse:
        return await self.call("POST", "/v2/endpoint/acme", local(name, **changes))

    async def do(self, name: str, action: str) -> RawResponse:
        return await self.call("POST", f"/v2/endpoint/acme/{name}/{action}")

    async def put_to_sleep(self, name: str) -> RawResponse:
        """Scale to zero, with the time-out that this requires."""
        scaling = {"compute": {"scaling": {"minReplica": 0}}}
        assert (await self.call("PUT", f"/v2/endpoint/acme/{name}", scaling)).status == 200
        return await self.do(name, "scale-to-zero")

    async def get(self, name: str) -> dict[str, Any]:
        answer = await self.call("GET", f"/v2/endpoint/acme/{name}")
        assert answer.status == 200, answer
        return dict(answer.body)

    async def state(self, name: str) -> str:
        return str((await self.get(name))["status"]["state"])

    async def advance(self, seconds: float) -> None:
        assert (await self.call("POST", "/local/clock", {"advance_s": seconds})).status == 200


class Driver(RawClient):
    """A plane of this process and a raw client of it."""

    def __init__(self, plane: Plane) -> None:
        super().__init__(plane.url)
        self.plane = plane

    def endpoint(self, name: str) -> ManagedEndpoint:
        """The endpoint inside the plane."""
        return self.plane.lifecycle.find(name)

    async def wait_until(self, endpoint: ManagedEndpoint, predicate: Callable[[ManagedEndpoint], bool]) -> None:
        """Wait without polling: the executor evaluates the predicate after each reconciliation."""
        async with asyncio.timeout(HANG_TIMEOUT_S):
            await self.plane.executor.wait_until(endpoint, predicate)

    async def reach(self, name: str, *states: str) -> dict[str, Any]:
        """The document at the moment when the endpoint is in one of these states. A real worker could have left the
        state before the next request."""
        reached: list[dict[str, Any]] = []

        def is_reached(endpoint: ManagedEndpoint) -> bool:
            if endpoint.status.state in states:
                reached.append(dict(documents.endpoint_document(endpoint, self.plane.url)))
            return bool(reached)

        await self.wait_until(self.endpoint(name), is_reached)
        return reached[0]

    async def call_endpoint(
        self, path: str = "", body: Any = None, *, name: str = "tiny", **headers: str
    ) -> RawResponse:
        """One POST to the endpoint's own URL."""
        return await self.call("POST", await self.path_of(name) + path, {} if body is None else body, **headers)

    async def begin_call(self, path: str, name: str = "tiny") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A POST to the endpoint's own URL, whose response has begun."""
        reader, writer = await asyncio.open_connection("127.0.0.1", int(self.url.rpartition(":")[2]))
        target = await self.path_of(name) + path
        writer.write(f"POST {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        return reader, writer

    async def path_of(self, name: str) -> str:
        """The path of the endpoint's own URL, whatever its state."""
        return f"/e/{self.endpoint(name).record.id}"


CAN_SLEEP = {"scaling": {"minReplica": 0, "maxReplica": 1, "scaleToZeroTimeout": 2_880}}
"""The part of `compute` with which an endpoint can be scaled to zero."""


def cloud(name: str, **changes: Any) -> dict[str, Any]:
    """The body huggingface_hub 2.4.0 sends for a minimal create (recorded)."""
    return merged(
        {
            "compute": {
                "accelerator": "cpu",
                "instanceSize": "x1",
                "instanceType": "intel-spr",
                "scaling": {"maxReplica": 1, "minReplica": 1, "scaleToZeroTimeout": None},
            },
            "model": {"framework": "pytorch", "repository": "gpt2", "revision": None, "image": {"huggingface": {}}},
            "name": name,
            "provider": {"region": "us-east-1", "vendor": "aws"},
            "type": "authenticated",
        },
        changes,
    )


def local(name: str, **changes: Any) -> dict[str, Any]:
    """One replica of the tiny worker, on one core of this machine."""
    body = cloud(
        name,
        provider={"region": "machine", "vendor": "local"},
        compute={"instanceType": "cpu"},
        model={"repository": "tiny/echo"},
    )
    return merged(body, changes)


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in changes.items():
        inner = result.get(key)
        whole = key in {"image", "env", "secrets"}
        result[key] = (
            merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) and not whole else value
        )
    return result


def tiny_programs(spec: Spec) -> Program:
    """`tiny/…` models are served by the worker beside this file, which runs no model."""
    if not spec["model"]["repository"].startswith("tiny/"):
        raise CannotRun("only tiny/… runs here")
    return Program((sys.executable, str(TINY)), "text-generation", lambda *_: {}, TINY_VARIABLES)


PlaneOf = Callable[..., AbstractAsyncContextManager[Driver]]
