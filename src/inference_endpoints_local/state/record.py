"""The wanted state of one endpoint, and how requests change it. Pure: a record is replaced, never changed."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

EngineName = Literal["process", "ray", "simulated"]
"""What runs the replicas of an endpoint. The names are stored, so they stay as they are."""
Spec = dict[str, Any]
"""The endpoint document as requested, without its status, with secrets in clear text."""


class PowerState(StrEnum):
    """Whether replicas are wanted. The values are stored, so they stay as they are."""

    ON = "on"
    WOKEN = "woken"  # on again, started by a call
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
    """A generation that was given up, and its error."""

    generation: int
    message: str


@dataclass(frozen=True)
class EndpointRecord:
    """One endpoint: its configuration and its wanted power state. Times are nanoseconds since 1970.

    `good` is the version that served last. A failed update falls back to it.
    """

    id: str
    namespace: str
    name: str
    engine: EngineName
    spec: Spec
    created_ns: int
    updated_ns: int
    power: PowerState = PowerState.ON
    generation: int = 1
    good: SpecVersion | None = None
    failure: VersionFailure | None = None

    @property
    def version(self) -> SpecVersion | None:
        """What runs while it is on; None if every version failed."""
        if self.failure is None:
            return SpecVersion(self.generation, self.spec)
        if self.good and self.failure.generation != self.good.generation:
            return self.good
        return None

    @property
    def live_generation(self) -> int:
        """The generation that serves, or that is to serve first."""
        return self.good.generation if self.good else self.generation

    @property
    def is_on(self) -> bool:
        return self.power in (PowerState.ON, PowerState.WOKEN)

    @property
    def wants_replicas(self) -> bool:
        """Whether replicas should run now."""
        return self.is_on and self.version is not None

    @property
    def update_failed(self) -> bool:
        """Whether the last update was given up, so that the version before it runs."""
        return self.failure is not None and self.version is not None

    @property
    def min_replicas(self) -> int:
        """Replicas it has while it is on, whatever the load: `minReplica`, but at least one."""
        return max(1, int(self.spec["compute"]["scaling"]["minReplica"]))

    @property
    def max_replicas(self) -> int:
        """Replicas it may have at the highest load."""
        return int(self.spec["compute"]["scaling"]["maxReplica"])

    @property
    def idle_timeout_s(self) -> float | None:
        """Seconds without a request after which it scales to zero; None: never by itself.

        Validation ensures that only an endpoint with `minReplica` 0 has a time-out.
        """
        minutes = self.spec["compute"]["scaling"]["scaleToZeroTimeout"]
        return 60.0 * minutes if minutes else None

    def updated(self, spec: Spec, now_ns: int) -> "EndpointRecord":
        """With a new configuration, and a new generation if its replicas have to be replaced."""
        changed = replace(self, spec=spec, updated_ns=now_ns)
        if replica_spec(spec) == replica_spec(self.spec) and self.failure is None:
            return changed
        # A version that is not running now cannot be the fallback.
        good = self.good if self.wants_replicas else None
        return replace(changed, generation=self.generation + 1, failure=None, good=good)

    def resumed(self, now_ns: int) -> "EndpointRecord":
        """On, with the latest configuration and no failure."""
        good = self.good if self.good and self.good.generation == self.generation else None
        return replace(self, power=PowerState.ON, failure=None, good=good, updated_ns=now_ns)

    def with_power(self, power: PowerState, now_ns: int) -> "EndpointRecord":
        return replace(self, power=power, updated_ns=now_ns)

    def with_served_version(self) -> "EndpointRecord":
        """With the current version as the one that served last."""
        return replace(self, good=self.version)

    def failed(self, generation: int, message: str) -> "EndpointRecord":
        return replace(self, failure=VersionFailure(generation, message))


def instance_size(spec: Spec) -> int:
    """Accelerators of the instance; threads on this machine."""
    return int(spec["compute"]["instanceSize"].removeprefix("x"))


def without_secret_values(spec: Spec) -> Spec:
    """A configuration with the names of its secrets alone, and without the credentials of its registry.

    The service redacts both keys of credentials, even where only one was set.
    """
    model = spec["model"]
    image = {
        engine: settings | {"credentials": {"username": "", "password": None}}
        if settings.get("credentials")
        else settings
        for engine, settings in model["image"].items()
    }
    return spec | {"model": model | {"image": image, "secrets": dict.fromkeys(model["secrets"])}}


def replica_spec(spec: Spec) -> tuple[Any, ...]:
    """The part of a configuration that replicas are started with: all but scaling, tags and access."""
    compute = {key: value for key, value in spec["compute"].items() if key != "scaling"}
    return spec["provider"], compute, spec["model"]
