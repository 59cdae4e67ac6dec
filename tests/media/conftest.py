"""A real worker of each kind, for all tests."""

from collections.abc import Iterator
from typing import Any

import pytest
from huggingface_hub import InferenceClient
from tests.inference_endpoints_local.workers.conftest import WorkerProcess, start_model


@pytest.fixture(scope="session")
def hearing() -> Iterator[WorkerProcess]:
    yield from start_model("Systran/faster-whisper-tiny.en", "automatic-speech-recognition", confined=True, threads=2)


@pytest.fixture(scope="session")
def speaking() -> Iterator[WorkerProcess]:
    yield from start_model("hexgrad/Kokoro-82M", "custom", confined=True, threads=2)


@pytest.fixture(scope="session")
def naming() -> Iterator[WorkerProcess]:
    yield from start_model("google/efficientnet-lite0", "image-classification", confined=True)


@pytest.fixture(scope="session")
def speech(speaking: WorkerProcess) -> bytes:
    """A WAV file with a sentence."""
    spoken: Any = InferenceClient(model=speaking.url, token=speaking.secret).text_to_speech(
        "The weather is nice today."
    )
    return bytes(spoken)
