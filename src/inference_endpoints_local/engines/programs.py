"""The program that serves a configuration on this machine: from an endpoint's document to a worker."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inference_endpoints_local.engines.engine import CannotRun
from inference_endpoints_local.models import catalogue
from inference_endpoints_local.models.artifacts import OnProgress
from inference_endpoints_local.state.record import Spec

# Containers do not run on this machine. These two engines need none.
SUPPORTED_IMAGE_KEYS = frozenset({"huggingface", "llamacpp"})


@dataclass(frozen=True)
class Program:
    """A command that serves one task. `files` returns the weights by role. It blocks, and raises WeightsError."""

    command: tuple[str, ...]
    task: str
    files: Callable[[Path, OnProgress], dict[str, Path]]


ProgramResolver = Callable[[Spec], Program]
"""Returns the program for a configuration. Raises CannotRun with what to change."""


def from_catalogue(spec: Spec) -> Program:
    """The worker for a model of the catalogue, or for a GGUF file on this machine."""
    model = spec["model"]
    engine = next(iter(model["image"]))
    if engine not in SUPPORTED_IMAGE_KEYS:
        raise CannotRun(
            f'model.image.{engine}: no container runs on this machine. Use {{"huggingface": {{}}}} '
            "with a model of the catalogue or a GGUF file."
        )
    try:
        runnable = catalogue.resolve_model(model["repository"], model.get("task"))
    except catalogue.NotRunnable as error:
        raise CannotRun(str(error)) from error
    worker = runnable.model.worker
    if package := catalogue.missing_package(worker):
        raise CannotRun(
            f"{model['repository']} needs {package}, which is not installed. "
            "Install it with: pip install 'inference-endpoints-mcp[local]'"
        )
    return Program((sys.executable, "-m", worker.module), runnable.task, runnable.files)
