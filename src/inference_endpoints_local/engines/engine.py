"""The interface between the control plane and what runs replicas: this machine's processes, a simulation, a cluster.

All methods except `resolve_task`, `start` and `close` return at once. An engine works in the background and calls
`changed` when the state of a replica changes. The plane then observes, decides and requests the next step.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from inference_endpoints_local.engines.engine_counters import EngineCounters
from inference_endpoints_local.state.clock import Clock
from inference_endpoints_local.state.record import EngineName, Spec


class ReplicaStage(StrEnum):
    """The stage of a replica's life. The values are the service's (its OpenAPI document 2.0.0)."""

    WAITING = "pending"
    DOWNLOADING = "downloading"
    PULLING = "pulling"
    STARTING = "initializing"
    READY = "running"
    STOPPING = "terminating"
    EXITED = "stopped"


LOADING = frozenset({ReplicaStage.DOWNLOADING, ReplicaStage.PULLING, ReplicaStage.STARTING})
"""On its way from its launch to serving."""
NOT_SCHEDULED = "Endpoint waiting to be scheduled"
ALIVE = LOADING | {ReplicaStage.WAITING, ReplicaStage.READY}
"""Neither ending nor ended."""


@dataclass(frozen=True)
class ReplicaState:
    """The observed state of a replica. Times are seconds of the engine's clock.

    `error` is the error of a replica that ended by itself; empty if the plane stopped it. `fatal`: another start would
    fail in the same way. `exit_code` is that of its process, 128 and the number of the signal that killed it; None if
    it runs or never ran. `changes_at`: when the state changes without a call of `changed`.
    """

    stage: ReplicaStage
    message: str = ""
    ready_at: float | None = None
    ended_at: float = 0.0
    error: str = ""
    fatal: bool = False
    exit_code: int | None = None
    changes_at: float | None = None


@dataclass(frozen=True)
class WorkerAddress:
    """Where a replica serves HTTP/1.1, and the bearer token that it requires. `prefix` begins each of its paths.

    `behind_proxy`: a response without REPLICA_HEADER is not the replica's, but of a proxy that did not reach it.
    """

    host: str
    port: int
    secret: str = field(repr=False)
    prefix: str = ""
    behind_proxy: bool = False


REPLICA_HEADER = b"x-inference-endpoints-replica"
"""Of each response of a replica behind a proxy."""


@dataclass(frozen=True)
class LaunchRequest:
    """One replica to start."""

    endpoint_id: str
    endpoint: str
    generation: int
    spec: Spec


def new_replica_id(request: LaunchRequest) -> str:
    return f"{request.endpoint_id[:8]}-{secrets.token_hex(3)[:5]}"


class EngineReplica(Protocol):
    """One copy of an endpoint that starts, runs or ends."""

    in_flight: int
    """The number of its requests in flight, which the gateway counts."""

    @property
    def id(self) -> str: ...

    @property
    def generation(self) -> int: ...

    @property
    def launched_ns(self) -> int:
        """Nanoseconds since 1970."""

    @property
    def address(self) -> WorkerAddress | None:
        """Where to send requests once it is ready. None: no process serves them."""

    def observe(self) -> ReplicaState: ...

    def work_s(self) -> float | None:
        """Seconds in full use so far, of all its threads or accelerators. None: it cannot be measured."""

    def memory_bytes(self) -> int | None:
        """The memory that it uses now. None: it cannot be measured."""

    def accelerator_percent(self) -> Sequence[float]:
        """The use of each of its accelerators now, in percent; empty if it has none."""

    @property
    def engine_counters(self) -> EngineCounters | None:
        """What its inference engine had measured when it was last read. None: it measures nothing."""

    def stop(self, drain: bool) -> None:
        """End it. With `drain` it first finishes its requests, within a time-out."""


class CannotRun(ValueError):
    """The engine can never run this configuration. The message states what to change."""


class UnreadVariable(CannotRun):
    """`env` or `secrets` has a variable that the program does not read. Only those that it reads reach a process here:
    loaders, interpreters and libraries take code and files from others, and a list of those is never complete."""

    def __init__(self, kind: str, name: str, read: Sequence[str]) -> None:
        known = f"It reads {', '.join(read)}" if read else "It reads none"
        super().__init__(
            f"model.{kind}: {name} is no variable that the worker of this model reads on this machine. "
            f"{known}: leave {name} out"
        )


class Engine(Protocol):
    """Runs replicas."""

    name: EngineName
    """Shown as `status.engine`."""
    clock: Clock

    @property
    def capacity_check_interval_s(self) -> float | None:
        """How often to look again for capacity, where others use it too. None: when one of its replicas ends."""

    async def resolve_task(self, spec: Spec) -> str | None:
        """The task that this configuration serves, if it is known. May read files. Raises CannotRun."""

    def measures_requests(self, spec: Spec) -> bool:
        """Whether what runs this configuration measures its own requests (`EngineReplica.engine_counters`)."""

    def free_replicas(self, spec: Spec) -> int:
        """The number of further replicas of this configuration that could start now."""

    def no_capacity_reason(self, spec: Spec) -> str:
        """Why no further replica of this configuration can start now, for a person: "no core is free"."""

    def launch(self, request: LaunchRequest, changed: Callable[[], None]) -> EngineReplica: ...

    async def start(self) -> None:
        """End what an earlier run left behind."""

    async def close(self) -> None:
        """End every replica and wait until it has ended."""
