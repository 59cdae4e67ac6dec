"""Workers with GGUF files of each kind."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import InferenceClient
from tests.inference_endpoints_local.workers.conftest import WorkerProcess, start_worker
from tests.support.planes import gguf_files

from inference_endpoints_local.models import catalogue

CHAT = "HuggingFaceTB/SmolLM2-135M-Instruct"


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Where the files are. They are large: they go with the tests."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def serving(path: Path, **files: Path) -> Iterator[WorkerProcess]:
    """The worker of a file, by what its header says it is."""
    found = catalogue.resolve_model(str(path))
    task = "image-text-to-text" if "mmproj" in files else found.task
    with tempfile.TemporaryDirectory() as own:
        named = {"gguf": str(path)} | {role: str(file) for role, file in files.items()}
        command = ["-m", found.model.worker.module]
        worker = start_worker(command, Path(own), model="own", task=task, files=named)
        try:
            yield worker.ready()
        finally:
            worker.stop()


@pytest.fixture(scope="session")
def embedding(folder: Path) -> Iterator[WorkerProcess]:
    yield from serving(gguf_files.embeddings(folder / "embed.gguf"))


@pytest.fixture(scope="session")
def ranking(folder: Path) -> Iterator[WorkerProcess]:
    yield from serving(gguf_files.reranker(folder / "rank.gguf"))


@pytest.fixture(scope="session")
def seeing(folder: Path) -> Iterator[WorkerProcess]:
    projector = gguf_files.projector(folder / "mmproj.gguf")
    yield from serving(gguf_files.shipped_file(CHAT, "gguf"), mmproj=projector)


@pytest.fixture(scope="session")
def hub(chat_worker: Any) -> InferenceClient:
    return InferenceClient(model=chat_worker.url, token=chat_worker.secret)
