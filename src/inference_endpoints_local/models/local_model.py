"""A model that runs on this machine: what it serves, which worker runs it, and what that worker needs."""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from inference_endpoints_local.models import weights
from inference_endpoints_local.models.artifacts import Artifact, OnProgress, WeightsError
from inference_endpoints_local.models.model_files import ModelFile


class WorkerKind(StrEnum):
    """The kind of worker that runs a model. Each is a module of `workers`."""

    CHAT = "chat"
    EMBED_GGUF = "embed-gguf"
    RANK_GGUF = "rank-gguf"
    EMBED = "embed"
    CLASSIFY = "classify"
    TRANSCRIBE = "transcribe"
    SPEAK = "speak"
    NAME_IMAGES = "name-images"

    @property
    def module(self) -> str:
        """The module to run."""
        return f"inference_endpoints_local.workers.{_MODULES.get(self) or _MEDIA_MODULES.get(self) or self}"

    @property
    def extra(self) -> str:
        """The extra with its packages."""
        return "local-media" if self in _MEDIA_MODULES else "local"


_MODULES: Mapping[WorkerKind, str] = {
    WorkerKind.CHAT: "llamacpp.chat",
    WorkerKind.EMBED_GGUF: "llamacpp.embed",
    WorkerKind.RANK_GGUF: "llamacpp.rank",
}
_MEDIA_MODULES: Mapping[WorkerKind, str] = {
    WorkerKind.TRANSCRIBE: "speech.transcribe",
    WorkerKind.SPEAK: "speech.speak",
    WorkerKind.NAME_IMAGES: "vision.name_images",
}

# The packages of its extra that each worker imports: module name to package name.
WORKER_PACKAGES: Mapping[WorkerKind, Mapping[str, str]] = {
    WorkerKind.CHAT: {"xllamacpp": "xllamacpp"},
    WorkerKind.EMBED_GGUF: {"xllamacpp": "xllamacpp", "numpy": "numpy"},
    WorkerKind.RANK_GGUF: {"xllamacpp": "xllamacpp"},
    WorkerKind.EMBED: {"numpy": "numpy", "tokenizers": "tokenizers"},
    WorkerKind.CLASSIFY: {"fasttext": "fasttext-predict"},
    WorkerKind.TRANSCRIBE: {
        "numpy": "numpy",
        "tokenizers": "tokenizers",
        "ctranslate2": "ctranslate2",
        "miniaudio": "miniaudio",
    },
    WorkerKind.SPEAK: {"numpy": "numpy", "onnxruntime": "onnxruntime"},
    WorkerKind.NAME_IMAGES: {"numpy": "numpy", "PIL": "pillow"},
}

WORKER_VARIABLES: Mapping[WorkerKind, frozenset[str]] = {
    # Threads and context come from the configuration. What llama.cpp itself reads loads libraries or is for debugging.
    WorkerKind.CHAT: frozenset(),
    WorkerKind.EMBED_GGUF: frozenset(),
    WorkerKind.RANK_GGUF: frozenset(),
    # Documented by tokenizers: whether it splits a batch among threads.
    WorkerKind.EMBED: frozenset({"TOKENIZERS_PARALLELISM"}),
    WorkerKind.CLASSIFY: frozenset(),
    WorkerKind.TRANSCRIBE: frozenset(),
    WorkerKind.SPEAK: frozenset(),
    WorkerKind.NAME_IMAGES: frozenset(),
}
"""The variables of an endpoint's environment that each worker is documented to read."""


WorkerFiles = Mapping[str, Path | ModelFile]
"""The files of a worker by role. An open one is the worker's own: whoever gets it closes it once the worker runs."""


class NotRunnable(ValueError):
    """This machine cannot run the requested model. The message lists those that it can run."""


@dataclass(frozen=True)
class LocalModel:
    """One model that runs on this machine. The first task is the default. `license` is that of the weights.

    `core_share` is how much of each of its threads' cores it takes: light models share them.
    """

    repository: str
    title: str
    tasks: tuple[str, ...]
    worker: WorkerKind
    license: str
    memory_gb: float
    library: str
    core_share: float = 1.0
    artifacts: tuple[Artifact, ...] = ()

    @property
    def gguf_file(self) -> str | None:
        """The name of the GGUF file that it is in; None if it is in another format."""
        if self.library != "llamacpp":
            return None
        return self.artifacts[0].files[0].name if self.artifacts else self.repository.rpartition("/")[2]


@dataclass(frozen=True)
class RunnableModel:
    """A model, and the task that it serves. `open_files` opens the files of one that is not shipped, by their role."""

    model: LocalModel
    task: str
    open_files: Callable[[], Mapping[str, ModelFile]] | None = None

    def files(self, cache_dir: Path, on_progress: OnProgress = lambda _: None) -> WorkerFiles:
        """The weight files by role, fetched if they are missing. Blocks. Raises WeightsError."""
        if self.open_files:
            try:
                return self.open_files()
            except NotRunnable as error:
                raise WeightsError(str(error)) from error
        files: dict[str, Path | ModelFile] = {}
        for artifact in self.model.artifacts:
            files |= weights.fetch_if_missing(artifact, cache_dir, on_progress)
        return files


def missing_package(worker: WorkerKind) -> str | None:
    """The package of its extra that this worker needs and that is not installed; None if none is missing."""
    for module, package in WORKER_PACKAGES[worker].items():
        if importlib.util.find_spec(module) is None:
            return package
    return None
