"""The models that run on this machine: those shipped as pinned artifacts, and any local GGUF file."""

import importlib.util
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pydantic import TypeAdapter

from inference_endpoints_local.models import gguf, weights
from inference_endpoints_local.models.artifacts import Artifact, OnProgress, WeightsError
from inference_endpoints_local.models.model_files import ANYWHERE, ModelFile, ModelFolders, NoModelFile
from inference_endpoints_local.state.record import Spec, instance_size

GB = 1_000_000_000
CREATED_AT = "2026-11-22T00:00:00.000Z"  # when the models entered this catalogue


class WorkerKind(StrEnum):
    """The kind of worker that runs a model. Each is a module of `workers`."""

    CHAT = "chat"
    EMBED = "embed"
    CLASSIFY = "classify"
    TRANSCRIBE = "transcribe"
    SPEAK = "speak"
    NAME_IMAGES = "name-images"

    @property
    def module(self) -> str:
        """The module to run."""
        return f"inference_endpoints_local.workers.{_MEDIA_MODULES.get(self, self)}"

    @property
    def extra(self) -> str:
        """The extra with its packages."""
        return "local-media" if self in _MEDIA_MODULES else "local"


_MEDIA_MODULES: Mapping[WorkerKind, str] = {
    WorkerKind.TRANSCRIBE: "speech.transcribe",
    WorkerKind.SPEAK: "speech.speak",
    WorkerKind.NAME_IMAGES: "vision.name_images",
}

# The packages of its extra that each worker imports: module name to package name.
WORKER_PACKAGES: Mapping[WorkerKind, Mapping[str, str]] = {
    WorkerKind.CHAT: {"xllamacpp": "xllamacpp"},
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
        if self.worker is not WorkerKind.CHAT:
            return None
        return self.artifacts[0].files[0].name if self.artifacts else self.repository.rpartition("/")[2]


@dataclass(frozen=True)
class RunnableModel:
    """A model, and the task that it serves. `open_gguf` opens the file of one that is not shipped."""

    model: LocalModel
    task: str
    open_gguf: Callable[[], ModelFile] | None = None

    def files(self, cache_dir: Path, on_progress: OnProgress = lambda _: None) -> WorkerFiles:
        """The weight files by role, fetched if they are missing. Blocks. Raises WeightsError."""
        if self.open_gguf:
            try:
                return {"gguf": self.open_gguf()}
            except NotRunnable as error:
                raise WeightsError(str(error)) from error
        files: dict[str, Path | ModelFile] = {}
        for artifact in self.model.artifacts:
            files |= weights.fetch_if_missing(artifact, cache_dir, on_progress)
        return files


@cache
def shipped_models() -> tuple[LocalModel, ...]:
    """The models whose weights are pinned, the smallest chat model first."""
    listed = tomllib.loads((files("inference_endpoints_local") / "data" / "local_models.toml").read_text("utf-8"))
    return TypeAdapter(tuple[LocalModel, ...]).validate_python(listed["models"])


def resolve_model(repository: str, task: str | None = None, folders: ModelFolders = ANYWHERE) -> RunnableModel:
    """The model of that repository or GGUF file (absolute path or file:// URL), for that task or its default one.

    Reads the header of a file: call it where that may take its time. Raises NotRunnable.
    """
    path = _local_path(repository)
    open_gguf = partial(_open_gguf, path, folders) if path else None
    model = _gguf(repository, path, open_gguf) if path and open_gguf else _shipped(repository)
    if task is not None and task not in model.tasks:
        raise NotRunnable(f"{model.repository} does not serve {task!r} here; it serves {', '.join(model.tasks)}.")
    return RunnableModel(model, task or model.tasks[0], open_gguf)


def missing_package(worker: WorkerKind) -> str | None:
    """The package of its extra that this worker needs and that is not installed; None if none is missing."""
    for module, package in WORKER_PACKAGES[worker].items():
        if importlib.util.find_spec(module) is None:
            return package
    return None


def installed_models() -> list[LocalModel]:
    """The shipped models whose packages are installed."""
    return [model for model in shipped_models() if missing_package(model.worker) is None]


def shipped_model(repository: str) -> LocalModel | None:
    """The shipped model with this repository, compared without case; None if there is none."""
    return next((model for model in shipped_models() if model.repository.lower() == repository.lower()), None)


def cores_of_replica(spec: Spec) -> float:
    """The cores of this machine that a replica takes."""
    model = shipped_model(spec["model"]["repository"])
    return instance_size(spec) * (model.core_share if model else 1.0)


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
    try:
        address = urlsplit(repository)
    except ValueError:
        return None
    path = Path(url2pathname(address.path) if address.scheme == "file" else repository)
    return path if path.is_absolute() else None


def _open_gguf(path: Path, folders: ModelFolders) -> ModelFile:
    """The file, open, if it is a whole model. Raises NotRunnable."""
    try:
        file = folders.open(path)
        try:
            gguf.check(file)
        except BaseException:
            file.close()
            raise
    except (NoModelFile, OSError) as error:
        raise NotRunnable(
            f"{path} is no model file that can be opened here. It must be a regular GGUF file in {folders}, given by "
            "its absolute path without links, and readable by you."
        ) from error
    except gguf.InvalidGguf as error:
        raise NotRunnable(
            f"{path} {error}. Only whole GGUF models that generate text can be deployed from this machine's disk."
        ) from error
    return file


def _gguf(repository: str, path: Path, open_gguf: Callable[[], ModelFile]) -> LocalModel:
    with open_gguf() as file:
        size = file.size
    return LocalModel(
        repository=repository,
        title=path.stem,
        tasks=("text-generation",),
        worker=WorkerKind.CHAT,
        license="unknown",
        # The mapped file, with 0.4 GB and a tenth for context and buffers.
        memory_gb=round(size / GB * 1.1 + 0.4, 1),
        library="llamacpp",
    )
