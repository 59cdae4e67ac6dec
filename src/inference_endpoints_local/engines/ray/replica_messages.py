"""What the plane and a replica on a node tell each other, as JSON over the replica's own routes.

The order holds the endpoint's secrets. It goes to the replica itself, so that nothing secret is in what Ray stores.
"""

from dataclasses import dataclass

from pydantic import TypeAdapter

from inference_endpoints_local.engines.engine import LaunchRequest, ReplicaStage
from inference_endpoints_local.engines.engine_counters import EngineCounters

ORDER_PATH = "/.replica/order"
REPORT_PATH = "/.replica/report"


@dataclass(frozen=True)
class PrintedLine:
    timestamp: str
    stream: str
    line: str


@dataclass(frozen=True)
class ReplicaReport:
    """What a replica knows of itself.

    `process` identifies the Ray worker: after a restart it is another, which has no order. `lines` begin after the
    number that was asked for, and `next_line` is the number to ask for next. `ready_s`: how long it has been ready.
    """

    process: str
    has_order: bool
    next_line: int = 0
    lines: tuple[PrintedLine, ...] = ()
    stage: ReplicaStage = ReplicaStage.STARTING
    message: str = ""
    ready_s: float | None = None
    error: str = ""
    fatal: bool = False
    exit_code: int | None = None
    work_s: float | None = None
    memory_bytes: int | None = None
    counters: EngineCounters | None = None


REPORT = TypeAdapter(ReplicaReport)
ORDER = TypeAdapter(LaunchRequest)
