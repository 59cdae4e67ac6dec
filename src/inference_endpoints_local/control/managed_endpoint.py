"""An endpoint, its replicas, and their measurements."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from inference_endpoints.models import InferenceEndpointStatus as State
from inference_endpoints_local.control.endpoint_metrics import EndpointMetrics
from inference_endpoints_local.control.load import Load
from inference_endpoints_local.control.measured_starts import MeasuredStarts
from inference_endpoints_local.control.reconcile import ObservedReplica, ObservedState, ReportedStatus
from inference_endpoints_local.engines.engine import NOT_SCHEDULED, Engine, EngineReplica, ReplicaStage
from inference_endpoints_local.state.clock import wall_ns, wall_s
from inference_endpoints_local.state.log_store import MAX_REPLICAS
from inference_endpoints_local.state.record import EndpointRecord


@dataclass(frozen=True)
class EndedReplica:
    """What is known of a replica after its end. Times are nanoseconds since 1970."""

    id: str
    generation: int
    launched_ns: int
    ended_ns: int
    exit_code: int | None


@dataclass
class ManagedEndpoint:
    """An endpoint and everything the executor knows about it. Times are seconds of its engine's clock.

    `last_used_ns` is nanoseconds since 1970. `simulated_requests` is the number of requests in flight that a simulation
    adds. `lacks_capacity`: there is no capacity for a wanted replica. `agent_message` is the last diagnosis, if any.
    """

    record: EndpointRecord
    engine: Engine
    status: ReportedStatus = field(default_factory=lambda: ReportedStatus(State.PENDING, NOT_SCHEDULED))
    replicas: list[EngineReplica] = field(default_factory=list)
    ended: deque[EndedReplica] = field(default_factory=lambda: deque(maxlen=MAX_REPLICAS))
    load: Load = field(default_factory=Load)
    measured_starts: MeasuredStarts = field(default_factory=MeasuredStarts)
    metrics: EndpointMetrics = field(default_factory=lambda: EndpointMetrics(wall_s()))
    simulated_requests: int = 0
    attempts: int = 0
    failed_at: float = 0.0
    last_request_at: float = 0.0
    last_used_ns: int | None = None
    recheck_at: float | None = None
    lacks_capacity: bool = False
    agent_message: str = ""
    waiters: list["asyncio.Future[None]"] = field(default_factory=list)

    @property
    def ready(self) -> list[EngineReplica]:
        return [replica for replica in self.replicas if replica.observe().stage is ReplicaStage.READY]

    def reap(self, replica_id: str) -> None:
        """Remove a replica that has ended, and remember how."""
        for replica in self.replicas:
            if replica.id == replica_id:
                code = replica.observe().exit_code
                self.ended.append(EndedReplica(replica.id, replica.generation, replica.launched_ns, wall_ns(), code))
        self.replicas = [replica for replica in self.replicas if replica.id != replica_id]

    def measure(self) -> None:
        """Measure its replicas and its requests in flight now."""
        now = wall_s()
        self.metrics.count_pending(now)
        self.metrics.record_replicas(self.replicas, self.status.target, now)
        self.metrics.record_usage(self.ready, now)
        if self.simulated_requests:
            self.spread_simulated_requests()

    def spread_simulated_requests(self) -> None:
        """Let each ready replica have an equal part of the simulated requests in flight."""
        ready = self.ready
        for number, replica in enumerate(ready):
            replica.in_flight = (self.simulated_requests + number) // len(ready)

    def observe(self) -> ObservedState:
        version = self.record.version
        free = self.engine.free_replicas(version.spec) if version else 0
        return ObservedState(
            replicas=tuple(
                ObservedReplica(replica.id, replica.generation, replica.observe()) for replica in self.replicas
            ),
            free_replicas=free,
            no_capacity_reason=self.engine.no_capacity_reason(version.spec) if version and free <= 0 else "",
            replicas_for_load=self.load.scale.replicas,
            attempts=self.attempts,
            failed_at=self.failed_at,
            requests=self.load.requests,
            last_request_at=self.last_request_at,
        )
