"""The seam between the control plane and whatever runs replicas: this machine's processes, a simulation, a cluster.

Everything here returns at once. An engine does its work in the background and calls `changed` when there is
something new to see; the plane looks, decides and gives the next request.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from inference_endpoints_local.state.clock import Clock
from inference_endpoints_local.state.record import Spec


class ReplicaStage(StrEnum):
    """Where a replica stands."""

    WAITING = "pending"
    STARTING = "initializing"
    READY = "running"
    STOPPING = "stopping"
    EXITED = "exited"


LIVE = frozenset({ReplicaStage.WAITING, ReplicaStage.STARTING, ReplicaStage.READY})


@dataclass(frozen=True)
class ReplicaState:
    """What an engine sees of a replica. Times are seconds of the engine's clock.

    `error` are the last words of one that ended by itself; empty if it was told to. `fatal`: starting it again
    would end the same way. `changes_at`: when it will look different without `changed` being called.
    """

    stage: ReplicaStage
    message: str = ""
    ready_at: float | None = None
    ended_at: float = 0.0
    error: str = ""
    fatal: bool = False
    changes_at: float | None = None


@dataclass(frozen=True)
class WorkerAddress:
    """Where a replica answers HTTP/1.1, and the bearer token it wants."""

    host: str
    port: int
    secret: str


@dataclass(frozen=True)
class LaunchRequest:
    """One replica to be started."""

    endpoint_id: str
    endpoint: str
    generation: int
    spec: Spec


class EngineReplica(Protocol):
    """One running copy of an endpoint, or one on its way there or away."""

    in_flight: int
    """Requests it is answering; kept by the gateway."""

    @property
    def id(self) -> str: ...

    @property
    def generation(self) -> int: ...

    @property
    def address(self) -> WorkerAddress | None:
        """Where to send requests once it is ready; None: nothing runs there that could answer."""

    def observe(self) -> ReplicaState: ...

    def work_s(self) -> float | None:
        """Seconds in full use so far: with all its threads or accelerators. None: that cannot be measured."""

    def memory_bytes(self) -> int | None:
        """Memory it holds now. None: that cannot be measured."""

    def stop(self, drain: bool) -> None:
        """End it; with `drain` after letting it finish its requests, within reason."""


class CannotRun(ValueError):
    """The engine can never run this configuration; the message says what to change."""


class Engine(Protocol):
    """Runs replicas. `name` is shown as `status.engine`."""

    name: str
    clock: Clock

    def admit(self, spec: Spec) -> str | None:
        """The task this configuration will serve, if that is known. Raises CannotRun."""

    def room(self, spec: Spec) -> int:
        """How many further replicas of this configuration could start now."""

    def launch(self, request: LaunchRequest, changed: Callable[[], None]) -> EngineReplica: ...

    async def start(self) -> None:
        """Clear away what an earlier run may have left behind."""

    async def close(self) -> None:
        """End every replica and wait for it."""
