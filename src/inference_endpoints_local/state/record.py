"""What is wanted of one endpoint, and how a request changes that. Pure: a record never changes, it is replaced."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

Spec = dict[str, Any]
"""The endpoint document as it was asked for, without its status; secrets in clear."""


class PowerState(StrEnum):
    """Whether replicas are wanted."""

    ON = "on"
    WOKEN = "woken"  # on, by a call that found it asleep
    PAUSED = "paused"
    SCALED_TO_ZERO = "zero"
    DELETED = "gone"  # deleted; its replicas may still be ending


@dataclass(frozen=True)
class SpecVersion:
    """One configuration of what runs. A change of model or hardware makes the next `generation`."""

    generation: int
    spec: Spec


@dataclass(frozen=True)
class VersionFailure:
    """A generation that was given up, and its last words."""

    generation: int
    message: str


@dataclass(frozen=True)
class EndpointRecord:
    """One endpoint: its configuration and what was last asked of it. Times are nanoseconds since 1970.

    `good` is the version that served last: what an update that fails falls back to.
    """

    id: str
    namespace: str
    name: str
    engine: str
    spec: Spec
    created_ns: int
    updated_ns: int
    power: PowerState = PowerState.ON
    generation: int = 1
    good: SpecVersion | None = None
    failure: VersionFailure | None = None

    @property
    def version(self) -> SpecVersion | None:
        """What should run when it is on; None if there is nothing left to try."""
        if self.failure is None:
            return SpecVersion(self.generation, self.spec)
        if self.good and self.failure.generation != self.good.generation:
            return self.good
        return None

    @property
    def on(self) -> bool:
        return self.power in (PowerState.ON, PowerState.WOKEN)

    @property
    def runs(self) -> bool:
        """Whether replicas should run now."""
        return self.on and self.version is not None

    @property
    def update_failed(self) -> bool:
        """The last update was given up, and the version before it is what should run."""
        return self.failure is not None and self.version is not None

    @property
    def min_replicas(self) -> int:
        """Replicas wanted while it is on, whatever the load: the minimum, but one at least."""
        return max(1, int(self.spec["compute"]["scaling"]["minReplica"]))

    @property
    def max_replicas(self) -> int:
        """Replicas it may have, however high the load."""
        return int(self.spec["compute"]["scaling"]["maxReplica"])

    @property
    def idle_timeout_s(self) -> float | None:
        """Seconds without a request after which it scales to zero; None: never by itself."""
        scaling = self.spec["compute"]["scaling"]
        minutes = scaling["scaleToZeroTimeout"]
        return None if scaling["minReplica"] or not minutes else 60.0 * minutes

    def updated(self, spec: Spec, now_ns: int) -> "EndpointRecord":
        """With a new configuration; a new generation if what runs changes with it."""
        changed = replace(self, spec=spec, updated_ns=now_ns)
        if replica_spec(spec) == replica_spec(self.spec) and self.failure is None:
            return changed
        # Only a version whose replicas are wanted right now is there to fall back to.
        return replace(changed, generation=self.generation + 1, failure=None, good=self.good if self.runs else None)

    def resumed(self, now_ns: int) -> "EndpointRecord":
        """On, with a fresh set of attempts at the latest configuration."""
        good = self.good if self.good and self.good.generation == self.generation else None
        return replace(self, power=PowerState.ON, failure=None, good=good, updated_ns=now_ns)

    def with_power(self, power: PowerState, now_ns: int) -> "EndpointRecord":
        return replace(self, power=power, updated_ns=now_ns)

    def served(self) -> "EndpointRecord":
        """The version that should run does."""
        return replace(self, good=self.version)

    def failed(self, generation: int, message: str) -> "EndpointRecord":
        return replace(self, failure=VersionFailure(generation, message))


def instance_size(spec: Spec) -> int:
    """Accelerators of its instance; on this machine, threads."""
    return int(spec["compute"]["instanceSize"].removeprefix("x"))


def replica_spec(spec: Spec) -> tuple[Any, ...]:
    """The part of a configuration that replicas are started from: scaling, tags and access are not."""
    compute = {key: value for key, value in spec["compute"].items() if key != "scaling"}
    return spec["provider"], compute, spec["model"]
