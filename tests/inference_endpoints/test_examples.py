"""Every public name has an example in its docstring, and all of them run against a plane on simulated hardware."""

import asyncio
import doctest
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.driver import TOKEN, Driver, PlaneOf
from tests.support.examples import ExampleRunner

import inference_endpoints
from inference_endpoints import aio
from inference_endpoints_mcp.manifests.python_api import PublicName, public_names

pytestmark = pytest.mark.anyio

NAMES = {name.path: name for name in public_names()}
EXAMPLES = {path: name for path, name in NAMES.items() if doctest.DocTestParser().get_examples(name.docstring)}
L4 = {"accelerator": "gpu", "instanceType": "nvidia-l4"}
MODEL = {"repository": "org/chat-7B", "task": "text-generation", "image": {"vLLM": {"url": "vllm/vllm-openai:v0.11.0"}}}


@pytest.fixture
async def plane(plane_of: PlaneOf, monkeypatch: pytest.MonkeyPatch, anyio_backend: str) -> AsyncIterator[Driver]:
    """The endpoints `chat`, which runs, and `broken`, which failed to start. Starts take half a second."""
    async with plane_of(simulated_speed=300) as driver:
        monkeypatch.setenv("INFERENCE_ENDPOINTS_URL", driver.url)
        monkeypatch.setenv("INFERENCE_ENDPOINTS_TOKEN", TOKEN)
        await driver.create("broken", compute=L4, model={**MODEL, "env": {"SIMULATED_FAULT": "out_of_memory"}})
        for _ in range(4):
            await driver.advance(3_600)
        await driver.create("chat", compute=L4, model=MODEL)
        await driver.advance(400)
        yield driver


@pytest.mark.parametrize("path", EXAMPLES)
async def test_an_example_prints_what_it_shows(path: str, plane: Driver) -> None:
    owner = NAMES[path.rpartition(".")[0] or path]
    await asyncio.to_thread(run, EXAMPLES[path], owner)


def run(name: PublicName, owner: PublicName) -> None:
    """The example of a method follows the one of its class."""
    runner = ExampleRunner(names_of(owner))
    try:
        if owner is not name:
            runner.run(owner.docstring)
        assert runner.run(name.docstring)
    finally:
        runner.close()


def names_of(owner: PublicName) -> dict[str, Any]:
    """What a reader has imported: the public names, those of `aio` for its own functions."""
    public = {name: getattr(inference_endpoints, name) for name in inference_endpoints.__all__}
    return public | (vars(aio) if owner.value is aio else {})
