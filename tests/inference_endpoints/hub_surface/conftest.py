"""The functions and handles of huggingface_hub, blocking and awaited, against a plane in this process."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import aclosing
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.service.scripted_upstream import TOKEN as UPSTREAM_TOKEN
from tests.support.service.scripted_upstream import Upstream

from inference_endpoints import AsyncInferenceEndpoint, InferenceEndpoint, aio, sync

LOCAL: dict[str, Any] = {
    "framework": "pytorch",
    "accelerator": "cpu",
    "vendor": "local",
    "region": "machine",
    "instance_type": "cpu",
    "instance_size": "x1",
}
CLOUD: dict[str, Any] = LOCAL | {"vendor": "aws", "region": "us-east-1", "instance_type": "intel-spr"}
READY_S = 160.0
"""Seconds after which a simulated endpoint runs."""


@dataclass(frozen=True)
class CallStyle:
    """One way to call: blocking in another thread than the plane's, or awaited."""

    functions: ModuleType
    handle: type[InferenceEndpoint] | type[AsyncInferenceEndpoint]
    run: Callable[..., Awaitable[Any]]

    async def __call__(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        return await self.run(function, *arguments, **options)

    async def function(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Call one of the eight functions by its name."""
        return await self(getattr(self.functions, name), *arguments, **options)


async def awaited(function: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any) -> Any:
    return await function(*arguments, **options)


CALL_STYLES = {
    "blocking": CallStyle(sync, InferenceEndpoint, asyncio.to_thread),
    "awaited": CallStyle(aio, AsyncInferenceEndpoint, awaited),
}


@pytest.fixture(params=list(CALL_STYLES))
def call(request: pytest.FixtureRequest) -> CallStyle:
    return CALL_STYLES[request.param]


@pytest.fixture
def default_driver(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """The plane is the default control plane."""
    set_default_control_plane(monkeypatch, driver.plane.url, TOKEN)
    return driver


@pytest.fixture
def default_upstream(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> Upstream:
    """The scripted upstream is the default control plane."""
    set_default_control_plane(monkeypatch, upstream.url, UPSTREAM_TOKEN)
    return upstream


def set_default_control_plane(monkeypatch: pytest.MonkeyPatch, url: str, token: str) -> None:
    monkeypatch.setenv("INFERENCE_ENDPOINTS_URL", url)
    monkeypatch.setenv("INFERENCE_ENDPOINTS_TOKEN", token)
    monkeypatch.setenv("HF_TOKEN", "hf_of_another_service")


def client_of(call: CallStyle, upstream: Upstream, state: str = "running", engine: str = "") -> Any:
    """The client of acme/chat in this state, without a request."""
    document = upstream.endpoint(state)
    if engine:
        document["model"]["image"] = {engine: {"url": "registry.example/engine:1"}}
    endpoint = call.handle.from_raw(document, "acme")
    return endpoint.client if call.run is asyncio.to_thread else endpoint.async_client


async def collected(stream: Any) -> list[Any]:
    """All parts of a stream of either kind."""
    if isinstance(stream, Generator):
        return await asyncio.to_thread(list, stream)
    async with aclosing(stream) as parts:
        return [part async for part in parts]
