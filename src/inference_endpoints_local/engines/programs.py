"""The program that serves a configuration on this machine: from an endpoint's document to a worker."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference_endpoints_local.engines.engine import CannotRun, UnreadVariable
from inference_endpoints_local.engines.meters import EngineMeter, WorkerMeter
from inference_endpoints_local.isolated_python import isolated
from inference_endpoints_local.models import catalogue
from inference_endpoints_local.models.artifacts import OnProgress
from inference_endpoints_local.models.local_model import (
    WORKER_VARIABLES,
    LocalModel,
    NotRunnable,
    WorkerFiles,
    WorkerKind,
    missing_package,
)
from inference_endpoints_local.models.model_files import ANYWHERE, READ_TIMEOUT_S, ModelFolders, read_in_time
from inference_endpoints_local.state.record import Spec

LOAD_TIMEOUT_S = 300.0
"""How long a worker may take from its start until it is healthy."""
# Containers do not run on this machine. These two engines need none.
SUPPORTED_IMAGE_KEYS = frozenset({"huggingface", "llamacpp"})
_MODES = {WorkerKind.EMBED_GGUF: "embeddings", WorkerKind.RANK_GGUF: "reranking"}
"""The service's word for what llama.cpp serves besides text."""


@dataclass(frozen=True)
class Program:
    """A command that serves one task. `files` returns the weights by role. It blocks, and raises WeightsError.

    `variables` are those of an endpoint's environment that the command is documented to read. It gets no other, and of
    this process `node_variables`. `settings` are added to its configuration. It may take `load_timeout_s` until it is
    healthy. `meter` reads what its engine measures. `has_children`: they use memory too.
    """

    command: tuple[str, ...]
    task: str
    files: Callable[[Path, OnProgress], WorkerFiles]
    variables: frozenset[str] = frozenset()
    node_variables: frozenset[str] = frozenset()
    settings: Mapping[str, Any] = field(default_factory=dict)
    load_timeout_s: float = LOAD_TIMEOUT_S
    meter: Callable[[], EngineMeter] = WorkerMeter
    has_children: bool = False


ProgramResolver = Callable[[Spec], Program]
"""Returns the program for a configuration. It may read files, and blocks. Raises CannotRun with what to change."""


def find_program(programs: ProgramResolver, spec: Spec) -> Program:
    """The program for a configuration. Raises CannotRun, also for a variable that the program does not read."""
    program = programs(spec)
    for kind in ("env", "secrets"):
        for name in spec["model"][kind]:
            if name not in program.variables:
                raise UnreadVariable(kind, name, sorted(program.variables))
    return program


async def find_in_time(programs: ProgramResolver, spec: Spec) -> Program:
    """`find_program` in a thread. Raises CannotRun, also where a disk does not answer."""
    try:
        return await read_in_time(find_program, programs, spec)
    except TimeoutError as error:
        raise CannotRun(f"{spec['model']['repository']} could not be read in {READ_TIMEOUT_S:.0f} s") from error


def from_catalogue(spec: Spec, folders: ModelFolders = ANYWHERE) -> Program:
    """The worker for a model of the catalogue, or for a GGUF file in those folders of this machine."""
    program, worker = _find_worker(spec, folders)
    if package := missing_package(worker):
        raise CannotRun(
            f"{spec['model']['repository']} needs {package}, which is not installed. "
            f"Install it with: pip install 'inference-endpoints-mcp[{worker.extra}]'"
        )
    return program


def for_a_node(spec: Spec) -> Program:
    """The worker for a model of the catalogue on some node of a cluster. What is installed there is not known here."""
    model = spec["model"]
    if catalogue.names_a_file(model["repository"]) or next(iter(model["image"].values())).get("mmprojModelPath"):
        raise CannotRun("model: it names a file of one machine. On a cluster, deploy a model of the catalogue")
    return _find_worker(spec, ANYWHERE)[0]


def _find_worker(spec: Spec, folders: ModelFolders) -> tuple[Program, WorkerKind]:
    model = spec["model"]
    engine = next(iter(model["image"]))
    if engine not in SUPPORTED_IMAGE_KEYS:
        raise CannotRun(
            f'model.image.{engine}: no container runs on this machine. Use {{"huggingface": {{}}}} '
            "with a model of the catalogue or a GGUF file."
        )
    settings = model["image"][engine]
    try:
        runnable = catalogue.resolve_model(
            model["repository"], model.get("task"), folders, settings.get("mmprojModelPath")
        )
    except NotRunnable as error:
        raise CannotRun(str(error)) from error
    worker = runnable.model.worker
    if engine == "llamacpp":
        _check_llamacpp(settings, runnable.model)
    return Program(isolated(worker.module), runnable.task, runnable.files, WORKER_VARIABLES[worker]), worker


def _check_llamacpp(settings: Mapping[str, Any], model: LocalModel) -> None:
    """Raises CannotRun for a file that the model has not, and for a mode that is not its own."""
    if settings["modelPath"] != model.gguf_file:
        raise CannotRun(f"model.image.llamacpp.modelPath: {model.repository} has {model.gguf_file or 'no GGUF file'}")
    mode = settings.get("mode")
    own = _MODES.get(model.worker)
    if mode not in (None, own):
        raise CannotRun(
            f"model.image.llamacpp.mode: {model.repository} serves {', '.join(model.tasks)}, and not {mode}. "
            f"Leave it out{f' or set it to {own}' if own else ''}."
        )
