"""Our client and huggingface_hub's, driven alike."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from unittest.mock import patch

from huggingface_hub import HfApi, constants

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.deploy.specs import EndpointChange, EndpointSpec, Hardware
from inference_endpoints.transport import backend
from inference_endpoints.transport.http import httpx
from inference_endpoints_local.daemon.connect import RunningPlane

HARDWARE = Hardware(vendor="aws", region="us-east-1", accelerator="cpu", instance_type="intel-spr", instance_size="x1")
REPOSITORY = "gpt2"

Answer = TypeVar("Answer")


class Client(Protocol):
    """What both can do: each lifecycle call, the list, and many reads at once."""

    def create(self, name: str) -> object: ...
    def get(self, name: str) -> object: ...
    def update(self, name: str) -> object: ...
    def pause(self, name: str) -> object: ...
    def resume(self, name: str) -> object: ...
    def scale_to_zero(self, name: str) -> object: ...
    def delete(self, name: str) -> None: ...
    def list(self) -> int: ...
    def get_often(self, name: str, times: int, at_once: int) -> None: ...


class Ours:
    """`AsyncEndpointsClient`, on an event loop of its own."""

    def __init__(self, plane: RunningPlane) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncEndpointsClient(backend.local(plane.url, plane.token), namespace=plane.namespace)

    def create(self, name: str) -> object:
        return self._run(self._client.create(EndpointSpec(name=name, repository=REPOSITORY, hardware=HARDWARE)))

    def get(self, name: str) -> object:
        return self._run(self._client.get(name))

    def update(self, name: str) -> object:
        return self._run(self._client.update(name, EndpointChange(scale_to_zero_timeout=30)))

    def pause(self, name: str) -> object:
        return self._run(self._client.pause(name))

    def resume(self, name: str) -> object:
        return self._run(self._client.resume(name))

    def scale_to_zero(self, name: str) -> object:
        return self._run(self._client.scale_to_zero(name))

    def delete(self, name: str) -> None:
        self._run(self._client.delete(name))

    def list(self) -> int:
        return len(self._run(self._client.list()))

    def get_often(self, name: str, times: int, at_once: int) -> None:
        left = iter(range(times))

        async def take_turns() -> None:
            for _ in left:
                await self._client.get(name)

        async def all_of_them() -> None:
            await asyncio.gather(*(take_turns() for _ in range(at_once)))

        self._run(all_of_them())

    def close(self) -> None:
        self._run(self._client.aclose())
        self._runner.close()

    def _run(self, coroutine: Coroutine[None, None, Answer]) -> Answer:
        # Not `Runner.run`: that installs a signal handler each time, which is no part of a call.
        return self._runner.get_loop().run_until_complete(coroutine)


class Hub:
    """`HfApi`, with only its base addresses set."""

    def __init__(self, plane: RunningPlane) -> None:
        constants.INFERENCE_ENDPOINTS_ENDPOINT = f"{plane.url}/v2"
        self._api = HfApi(endpoint=plane.url, token=plane.token)
        self._namespace = plane.namespace

    def create(self, name: str) -> object:
        hardware = HARDWARE.model_dump()
        return self._api.create_inference_endpoint(
            name, repository=REPOSITORY, framework="pytorch", min_replica=0, namespace=self._namespace, **hardware
        )

    def get(self, name: str) -> object:
        return self._api.get_inference_endpoint(name, namespace=self._namespace)

    def wait(self, name: str) -> object:
        # It keeps no token of its own: without one named here, waiting would ask without any.
        return self._api.get_inference_endpoint(name, namespace=self._namespace, token=self._api.token).wait()

    def update(self, name: str) -> object:
        return self._api.update_inference_endpoint(name, scale_to_zero_timeout=30, namespace=self._namespace)

    def pause(self, name: str) -> object:
        return self._api.pause_inference_endpoint(name, namespace=self._namespace)

    def resume(self, name: str) -> object:
        return self._api.resume_inference_endpoint(name, namespace=self._namespace)

    def scale_to_zero(self, name: str) -> object:
        return self._api.scale_to_zero_inference_endpoint(name, namespace=self._namespace)

    def delete(self, name: str) -> None:
        self._api.delete_inference_endpoint(name, namespace=self._namespace)

    def documents(self) -> Sequence[dict[str, Any]]:
        """What a list gives to read, as it came."""
        return [endpoint.raw for endpoint in self._api.list_inference_endpoints(namespace=self._namespace)]

    def list(self) -> int:
        return len(self._api.list_inference_endpoints(namespace=self._namespace))

    def get_often(self, name: str, times: int, at_once: int) -> None:
        with ThreadPoolExecutor(at_once) as threads:
            for _ in threads.map(self.get, [name] * times):
                pass


@contextmanager
def both_clients(plane: RunningPlane) -> Iterator[tuple[Client, Client]]:
    """Ours, and huggingface_hub's."""
    ours, hub = Ours(plane), Hub(plane)
    try:
        yield ours, hub
    finally:
        ours.close()


@dataclass
class Requests:
    """What was sent, by whoever sent it, and what came back."""

    answers: list[httpx.Response] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return len(self.answers)

    @property
    def bytes_received(self) -> int:
        """Of the bodies, as they came over the wire."""
        return sum(answer.num_bytes_downloaded for answer in self.answers)


@contextmanager
def counted_requests() -> Iterator[Requests]:
    """Count what passes httpx2, which both clients stand on."""
    requests = Requests()
    blocking, asynchronous = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request

    def handle(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        requests.answers.append(blocking(transport, request))
        return requests.answers[-1]

    async def handle_async(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        answer = await asynchronous(transport, request)
        requests.answers.append(answer)
        return answer

    with (
        patch.object(httpx.HTTPTransport, "handle_request", handle),
        patch.object(httpx.AsyncHTTPTransport, "handle_async_request", handle_async),
    ):
        yield requests
