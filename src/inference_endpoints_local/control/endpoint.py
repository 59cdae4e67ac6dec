"""An endpoint and everything the executor knows of it."""

import asyncio
from dataclasses import dataclass, field

from inference_endpoints.models import InferenceEndpointStatus as State
from inference_endpoints_local.control.load import Load
from inference_endpoints_local.control.metrics import Meter
from inference_endpoints_local.control.reconcile import Observed, Seen, Status
from inference_endpoints_local.engines.base import Engine, Replica, Stage
from inference_endpoints_local.state.clock import wall_s
from inference_endpoints_local.state.record import Record


@dataclass
class Entry:
    """An endpoint and everything known of it. Times are seconds of its engine's clock but for `used_ns`.

    `pretended` are requests that are not there, of a simulation's load.
    """

    record: Record
    engine: Engine
    status: Status = field(default_factory=lambda: Status(State.PENDING, "Endpoint waiting to be scheduled"))
    replicas: list[Replica] = field(default_factory=list)
    load: Load = field(default_factory=Load)
    meter: Meter = field(default_factory=lambda: Meter(wall_s()))
    pretended: int = 0
    attempts: int = 0
    failed_at: float = 0.0
    used_at: float = 0.0
    used_ns: int | None = None
    again_at: float | None = None
    starved: bool = False
    watchers: list["asyncio.Future[None]"] = field(default_factory=list)

    @property
    def ready(self) -> list[Replica]:
        return [replica for replica in self.replicas if replica.look().stage is Stage.READY]

    def measure(self) -> None:
        """Measure its replicas now, and what its requests have taken so far."""
        now = wall_s()
        self.meter.count(now)
        self.meter.stand(self.replicas, self.status.target, now)
        self.meter.work(self.ready, now)

    def observed(self) -> Observed:
        version = self.record.version
        return Observed(
            replicas=tuple(Seen(replica.id, replica.generation, replica.look()) for replica in self.replicas),
            room=self.engine.room(version.spec) if version else 0,
            asked=self.load.scale.replicas,
            attempts=self.attempts,
            failed_at=self.failed_at,
            requests=self.load.requests,
            used_at=self.used_at,
        )
