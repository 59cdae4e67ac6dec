"""The models that run on this machine: those shipped as pinned artifacts, and any local GGUF file."""

import importlib.util
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pydantic import TypeAdapter

from inference_endpoints_local.models import gguf, weights
from inference_endpoints_local.models.artifacts import Artifact, OnProgress

GB = 1_000_000_000
CREATED_AT = "2026-11-22T00:00:00.000Z"  # when the models entered this catalogue


class WorkerKind(StrEnum):
    """The kind of worker that runs a model. Each is a module of `workers`."""

    CHAT = "chat"
    EMBED = "embed"
    CLASSIFY = "classify"

    @property
    def module(self) -> str:
        """The module to run with `python -m`."""
        return f"inference_endpoints_local.workers.{self}"


# The packages of the `local` extra that each worker imports: module name to package name.
WORKER_PACKAGES: Mapping[WorkerKind, Mapping[str, str]] = {
    WorkerKind.CHAT: {"xllamacpp": "xllamacpp"},
    WorkerKind.EMBED: {"numpy": "numpy", "tokenizers": "tokenizers"},
    WorkerKind.CLASSIFY: {"fasttext": "fasttext-predict"},
}


class NotRunnable(ValueError):
    """This machine cannot run the requested model. The message lists those that it can run."""


@dataclass(frozen=True)
class LocalModel:
    """One model that runs on this machine. The first task is the default. `license` is that of the weights."""

    repository: str
    title: str
    tasks: tuple[str, ...]
    worker: WorkerKind
    license: str
    memory_gb: float
    library: str
    artifact: Artifact | None = None
    local_files: Mapping[str, Path] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class RunnableModel:
    """A model, and the task that it serves."""

    model: LocalModel
    task: str

    def files(self, cache_dir: Path, on_progress: OnProgress = lambda _: None) -> dict[str, Path]:
        """The weight files by role, fetched if they are missing. Blocks. Raises WeightsError."""
        if self.model.artifact is None:
            return dict(self.model.local_files)
        return weights.fetch_if_missing(self.model.artifact, cache_dir, on_progress)


@cache
def shipped_models() -> tuple[LocalModel, ...]:
    """The models whose weights are pinned, the smallest chat model first."""
    listed = tomllib.loads((files("inference_endpoints_local") / "data" / "local_models.toml").read_text("utf-8"))
    return TypeAdapter(tuple[LocalModel, ...]).validate_python(listed["models"])


def resolve_model(repository: str, task: str | None = None) -> RunnableModel:
    """The model of that repository or GGUF file (absolute path or file:// URL), for that task or its default one.

    Raises NotRunnable.
    """
    path = _local_path(repository)
    model = _gguf(repository, path) if path else _shipped(repository)
    if task is not None and task not in model.tasks:
        raise NotRunnable(f"{model.repository} does not serve {task!r} here; it serves {', '.join(model.tasks)}.")
    return RunnableModel(model, task or model.tasks[0])


def missing_package(worker: WorkerKind) -> str | None:
    """The package of the `local` extra that this worker needs and that is not installed; None if none is missing."""
    for module, package in WORKER_PACKAGES[worker].items():
        if importlib.util.find_spec(module) is None:
            return package
    return None


def shipped_model(repository: str) -> LocalModel | None:
    """The shipped model with this repository, compared without case; None if there is none."""
    return next((model for model in shipped_models() if model.repository.lower() == repository.lower()), None)


def _shipped(repository: str) -> LocalModel:
    model = shipped_model(repository)
    if model is not None:
        return model
    known = "; ".join(f"{model.repository} ({', '.join(model.tasks)})" for model in shipped_models())
    raise NotRunnable(
        f"{repository} cannot run on this machine. These can: {known}; "
        "and any GGUF file, by its absolute path (text-generation)."
    )


def _local_path(repository: str) -> Path | None:
    address = urlsplit(repository)
    if address.scheme == "file":
        return Path(url2pathname(address.path))
    path = Path(repository)
    return path if path.is_absolute() else None


def _gguf(repository: str, path: Path) -> LocalModel:
    try:
        gguf.check(path)
    except FileNotFoundError as error:
        raise NotRunnable(f"There is no file {path} on this machine. Give the absolute path of a GGUF file.") from error
    except OSError as error:
        raise NotRunnable(f"{path} cannot be read ({error.strerror}).") from error
    except gguf.InvalidGguf as error:
        raise NotRunnable(
            f"{path} {error}. Only whole GGUF models can be deployed from this machine's disk."
        ) from error
    return LocalModel(
        repository=repository,
        title=path.stem,
        tasks=("text-generation",),
        worker=WorkerKind.CHAT,
        license="unknown",
        # The mapped file, with 0.4 GB and a tenth for context and buffers.
        memory_gb=round(path.stat().st_size / GB * 1.1 + 0.4, 1),
        library="llamacpp",
        local_files=MappingProxyType({"gguf": path}),
    )
