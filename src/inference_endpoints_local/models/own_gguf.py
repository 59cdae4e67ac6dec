"""A GGUF file on this machine's disk as a model: what it can do is in its header (`gguf_kind.py`)."""

from collections.abc import Callable, Mapping
from pathlib import Path

from inference_endpoints_local.models import gguf
from inference_endpoints_local.models.gguf_kind import GgufHeader, GgufKind, InvalidGguf
from inference_endpoints_local.models.local_model import LocalModel, NotRunnable, WorkerKind
from inference_endpoints_local.models.model_files import ModelFile, ModelFolders, NoModelFile

SEEING = "image-text-to-text"
_GB = 1_000_000_000
_SERVED = {
    GgufKind.TEXT: (WorkerKind.CHAT, ("text-generation",)),
    GgufKind.EMBEDDINGS: (WorkerKind.EMBED_GGUF, ("feature-extraction", "sentence-similarity")),
    GgufKind.RANKS: (WorkerKind.RANK_GGUF, ("text-ranking",)),
}

OpenFiles = Callable[[], Mapping[str, ModelFile]]


def find(
    repository: str, path: Path, folders: ModelFolders, projector: str | None = None
) -> tuple[LocalModel, OpenFiles]:
    """The model in that file, and what opens its files by their role. Raises NotRunnable.

    A model that writes text also sees where `projector`, or a projector by a usual name, is beside it.
    """
    file, header = _open(path, folders)
    with file:
        size = file.size
    if header.kind is GgufKind.PROJECTOR:
        raise NotRunnable(
            f"{path} is the part of a model that sees images, and no model by itself. Deploy the model it belongs to, "
            f"with this file beside it.{how_to_see(None)}"
        )
    worker, tasks = _SERVED[header.kind]
    files = {"gguf": path}
    if seeing := _projector(path, header, folders, projector):
        files["mmproj"], projector_size = seeing
        size += projector_size
        tasks = (SEEING, *tasks)
    model = LocalModel(
        repository=repository,
        title=path.stem,
        tasks=tasks,
        worker=worker,
        license="unknown",
        # The mapped files, with 0.4 GB and a tenth for context and buffers.
        memory_gb=round(size / _GB * 1.1 + 0.4, 1),
        library="llamacpp",
    )
    return model, lambda: _open_all(files, folders)


def how_to_see(model: Path | None) -> str:
    """A sentence on where the projector of that model is looked for."""
    name = f"mmproj-{model.stem}.gguf" if model else "mmproj-<name of the model>.gguf"
    return (
        f" A model sees images with its projector beside it, named {name} or mmproj.gguf, or as "
        "model.image.llamacpp.mmprojModelPath."
    )


def _projector(model: Path, header: GgufHeader, folders: ModelFolders, named: str | None) -> tuple[Path, int] | None:
    """The path and size of the projector of a model. One that is not named must be for a model of this width."""
    if named is not None:
        if header.kind is not GgufKind.TEXT:
            raise NotRunnable(f"{model} writes no text, so that a projector is of no use to it.")
        path = model.parent / named
        file, found = _open(path, folders)
        with file:
            if found.kind is not GgufKind.PROJECTOR:
                raise NotRunnable(f"{path} is no projector: no part of a model that sees images.")
            return path, file.size
    if header.kind is not GgufKind.TEXT:
        return None
    # As ggml-org, unsloth and others name them.
    for name in (f"mmproj-{model.stem}", "mmproj", "mmproj-F16", "mmproj-BF16", "mmproj-F32", "mmproj-model-f16"):
        path = model.parent / f"{name}.gguf"
        try:
            with folders.open(path) as file:
                found = gguf.read_header(file)
                if found.kind is GgufKind.PROJECTOR and found.width == header.width:
                    return path, file.size
        except (NoModelFile, OSError, InvalidGguf):
            continue
    return None


def _open(path: Path, folders: ModelFolders) -> tuple[ModelFile, GgufHeader]:
    """A whole GGUF file, open, and its header. Raises NotRunnable."""
    try:
        file = folders.open(path)
        try:
            return file, gguf.read_header(file)
        except BaseException:
            file.close()
            raise
    except (NoModelFile, OSError) as error:
        raise NotRunnable(
            f"{path} is no model file that can be opened here. It must be a regular GGUF file in {folders}, given by "
            "its absolute path without links, and readable by you."
        ) from error
    except InvalidGguf as error:
        raise NotRunnable(
            f"{path} {error}. Only whole GGUF models for text, embeddings or ranking can be deployed from this "
            "machine's disk."
        ) from error


def _open_all(files: Mapping[str, Path], folders: ModelFolders) -> dict[str, ModelFile]:
    """Raises NotRunnable; then none is open."""
    opened: dict[str, ModelFile] = {}
    try:
        for role, path in files.items():
            opened[role], _ = _open(path, folders)
    except NotRunnable:
        for file in opened.values():
            file.close()
        raise
    return opened
