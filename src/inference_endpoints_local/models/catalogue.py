"""The models that run on this machine: those shipped as pinned artifacts, and any local GGUF file."""

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pydantic import TypeAdapter

from inference_endpoints_local.models import own_gguf
from inference_endpoints_local.models.local_model import (
    LocalModel,
    NotRunnable,
    RunnableModel,
    WorkerKind,
    missing_package,
)
from inference_endpoints_local.models.model_files import ANYWHERE, ModelFolders
from inference_endpoints_local.state.record import Spec, instance_size

CREATED_AT = "2026-11-22T00:00:00.000Z"  # when the models entered this catalogue


@cache
def shipped_models() -> tuple[LocalModel, ...]:
    """The models whose weights are pinned, the smallest chat model first."""
    listed = tomllib.loads((files("inference_endpoints_local") / "data" / "local_models.toml").read_text("utf-8"))
    return TypeAdapter(tuple[LocalModel, ...]).validate_python(listed["models"])


def resolve_model(
    repository: str, task: str | None = None, folders: ModelFolders = ANYWHERE, projector: str | None = None
) -> RunnableModel:
    """The model of that repository or GGUF file (absolute path or file:// URL), for that task or its default one.

    `projector` is the file beside a GGUF file that lets it see. Reads the header of a file: call it where that may take
    its time. Raises NotRunnable.
    """
    if path := _local_path(repository):
        model, open_files = own_gguf.find(repository, path, folders, projector)
    else:
        model, open_files = _shipped(repository), None
        if projector:
            raise NotRunnable(f"{model.repository} has no projector {projector}.")
    if task is not None and task not in model.tasks:
        hint = own_gguf.how_to_see(path) if path and task == own_gguf.SEEING and model.worker is WorkerKind.CHAT else ""
        raise NotRunnable(f"{model.repository} does not serve {task!r} here; it serves {', '.join(model.tasks)}.{hint}")
    return RunnableModel(model, task or model.tasks[0], open_files)


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


def names_a_file(repository: str) -> bool:
    """Whether it is an absolute path or a file:// URL, rather than a model's name."""
    return _local_path(repository) is not None


def _shipped(repository: str) -> LocalModel:
    model = shipped_model(repository)
    if model is not None:
        return model
    known = "; ".join(f"{model.repository} ({', '.join(model.tasks)})" for model in shipped_models())
    raise NotRunnable(
        f"{repository} cannot run on this machine. These can: {known}; and any GGUF file, by its absolute path."
    )


def _local_path(repository: str) -> Path | None:
    try:
        address = urlsplit(repository)
    except ValueError:
        return None
    path = Path(url2pathname(address.path) if address.scheme == "file" else repository)
    return path if path.is_absolute() else None
