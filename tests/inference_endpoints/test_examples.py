"""Every public name has an example. All of them, and those of the README, run against a plane on simulated hardware."""

import asyncio
import doctest
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.manifests.python_api import PublicName, public_names
from tests.support.examples import ExampleRunner
from tests.support.planes.plane_driver import TOKEN, Driver, PlaneOf

import inference_endpoints
from inference_endpoints import aio

pytestmark = pytest.mark.anyio

NAMES = {name.path: name for name in public_names()}
EXAMPLES = {path: name for path, name in NAMES.items() if doctest.DocTestParser().get_examples(name.docstring)}
CALLING = {"AsyncInference", "AsyncInferenceClient", "InferenceClient", "Label", "README", "InferenceResponse"}
L4 = {"accelerator": "gpu", "instanceType": "nvidia-l4"}
MODEL = {"repository": "org/chat-7B", "task": "text-generation", "image": {"vLLM": {"url": "vllm/vllm-openai:v0.11.0"}}}

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
"""An image that Pillow can read, where it is installed."""

ANSWERS: dict[str, Any] = {
    "chat": {"choices": [{"message": {"content": "Hello!"}, "finish_reason": "stop"}]},
    "feature_extraction": [[0.1, 0.2]],
    "sentence_similarity": [0.9, 0.1],
    "stream_text": {"generated_text": "Once upon a time"},
    "tabular_classification": ["setosa", "versicolor"],
    "audio_to_audio": [{"label": "speech", "blob": "ZkxhQw==", "content-type": "audio/flac"}],
    "visual_question_answering": [{"answer": "cat", "score": 0.9}],
    "document_question_answering": [{"answer": "42", "score": 0.9}],
    "zero_shot_image_classification": [{"label": "cat", "score": 0.9}],
    "text_generation": [{"generated_text": "Once upon a time"}],
    "summarization": [{"summary_text": "It rains."}],
    "translation": [{"translation_text": "Es regnet."}],
    "automatic_speech_recognition": {"text": "It rains."},
    "image_to_text": [{"generated_text": "a cat on a sofa"}],
    "fill_mask": [{"token_str": "rains", "score": 0.8}],
    "token_classification": [{"word": "Paris", "entity_group": "LOC"}],
    "question_answering": {"answer": "Paris", "score": 0.9},
    "table_question_answering": {"answer": "42", "cells": ["42"]},
    "image_segmentation": [{"label": "cat", "mask": PIXEL}],
    "object_detection": [{"label": "cat", "box": {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}}],
    "zero_shot_classification": [{"label": "weather", "score": 0.9}, {"label": "sport", "score": 0.1}],
    "audio_classification": [{"label": "rain", "score": 0.9}],
    "image_classification": [{"label": "cat", "score": 0.9}],
}
"""What the model of `chat` answers, by the method of which it is an example; labels where none is named."""
LABELS = [{"label": "POSITIVE", "score": 0.9}]


README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def path() -> str:
    """The name whose example runs, where a test has no parameter of that name."""
    return "README"


@pytest.fixture
async def plane(path: str, plane_of: PlaneOf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Driver]:
    """A plane with the endpoint `chat`, which runs, and `broken`, which failed to start.

    Simulated starts take half a second. For examples that call the model, `chat` is a process that answers.
    """
    monkeypatch.chdir(tmp_path)  # where examples write files
    async with plane_of(simulated_speed=1_000) as driver:
        monkeypatch.setenv("INFERENCE_ENDPOINTS_URL", driver.url)
        monkeypatch.setenv("INFERENCE_ENDPOINTS_TOKEN", TOKEN)
        scaling = {"scaling": {"minReplica": 0, "scaleToZeroTimeout": 2_880}}
        if path.partition(".")[0] in CALLING:
            method = "chat" if "chat" in path or path == "README" else path.rpartition(".")[2]
            answer = ANSWERS.get(method, LABELS)
            await driver.create_local("chat", compute=scaling, model={"env": {"TINY_ANSWERS": json.dumps(answer)}})
        else:
            await driver.create("chat", compute=L4 | scaling, model=MODEL)
        await driver.create("broken", compute=L4, model={**MODEL, "env": {"SIMULATED_FAULT": "out_of_memory"}})
        while await driver.state("broken") != "failed":
            await driver.advance(3_600)
        await driver.reach("chat", "running")
        yield driver


@pytest.mark.parametrize("path", NAMES)
def test_a_public_name_has_a_docstring_and_an_example(path: str) -> None:
    """A property is shown with its class."""
    assert NAMES[path].docstring, "there is no docstring"
    assert path in EXAMPLES or isinstance(NAMES[path].value, property), "there is no example"


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


async def test_the_readmes_examples_run_one_after_the_other(plane: Driver) -> None:
    section = README.read_text("utf-8").partition("\n## From Python\n")[2].partition("\n## ")[0]
    programs = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)

    def run_all() -> list[str]:
        runner = ExampleRunner({})
        try:
            return [runner.execute(program) for program in programs]
        finally:
            runner.close()

    chat, watch, plan, costs, diagnosis = await asyncio.to_thread(run_all)
    assert chat == "Hello!\nHello!"
    assert watch.startswith("running 1/1")
    assert plan == "0.8 USD/h 14 []\n"
    assert any(line.startswith("broken 0.0 USD/h") for line in costs.splitlines())
    assert diagnosis.startswith("out_of_accelerator_memory The model does not fit")
