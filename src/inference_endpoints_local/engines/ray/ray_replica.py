"""One replica on a cluster: an application of Serve, and what its program reports of itself."""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from inference_endpoints_local.engines.engine import (
    NOT_SCHEDULED,
    LaunchRequest,
    ReplicaStage,
    ReplicaState,
    WorkerAddress,
)
from inference_endpoints_local.engines.engine_counters import EngineCounters
from inference_endpoints_local.engines.ray.applications import ApplicationState
from inference_endpoints_local.engines.ray.replica_messages import (
    ORDER,
    ORDER_PATH,
    REPORT,
    REPORT_PATH,
    ReplicaReport,
)
from inference_endpoints_local.engines.ray.resources import Resources
from inference_endpoints_local.engines.worker_proxy import WorkerFailed, exchange
from inference_endpoints_local.state.clock import Clock, wall_ns
from inference_endpoints_local.state.log_store import ReplicaLog

DRAIN_TIMEOUT_S = 30.0
"""How long a replica that is replaced or surplus may finish its requests."""
_LOADING_INTERVAL_S, _READY_INTERVAL_S = 0.3, 2.0
_MAX_UNANSWERED = 2
"""Consecutive reports that do not arrive, each within some seconds, after which a ready replica gets no more calls."""
_LAST_WORDS = 600
_ENDING = (ReplicaStage.STOPPING, ReplicaStage.EXITED)


@dataclass
class RayReplica:
    """One replica. The engine tells it what Ray says of its application, and ends that; it reads its reports itself.

    `control` is where it reports: the address of Serve, which is known once Serve runs.
    """

    id: str
    request: LaunchRequest
    name: str
    resources: Resources
    clock: Clock
    log: ReplicaLog
    changed: Callable[[], None]
    call_secret: str = field(repr=False)
    control_secret: str = field(repr=False)
    least_interval_s: Callable[[], float]
    """How long to wait between two reports at least: there may be many replicas."""
    launched_ns: int = field(default_factory=wall_ns)
    in_flight: int = 0
    application: ApplicationState | None = None
    wanted: bool = True
    """Whether its application is to be on the cluster."""
    _state: ReplicaState = field(default_factory=lambda: ReplicaState(ReplicaStage.WAITING, NOT_SCHEDULED))
    _control: WorkerAddress | None = None
    _report: ReplicaReport | None = None
    _unanswered: int = 0
    _leaving: "asyncio.Task[None] | None" = None

    @property
    def generation(self) -> int:
        return self.request.generation

    @property
    def address(self) -> WorkerAddress | None:
        return replace(self._control, secret=self.call_secret, behind_proxy=True) if self._control else None

    @property
    def engine_counters(self) -> EngineCounters | None:
        return self._report.counters if self._report else None

    def observe(self) -> ReplicaState:
        return self._state

    def work_s(self) -> float | None:
        return self._report.work_s if self._report else None

    def memory_bytes(self) -> int | None:
        return self._report.memory_bytes if self._report else None

    def accelerator_percent(self) -> Sequence[float]:
        return ()

    @property
    def settled(self) -> bool:
        """Whether nothing is expected to change soon."""
        return self._state.stage in (ReplicaStage.READY, ReplicaStage.EXITED)

    def stop(self, drain: bool) -> None:
        if self._state.stage not in _ENDING:
            self._set(replace(self._state, stage=ReplicaStage.STOPPING, message="Stopping"))
            self._leaving = asyncio.get_running_loop().create_task(self._leave(drain), name=f"ending of {self.id}")

    async def _leave(self, drain: bool) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                # The gateway counts in_flight and signals nothing.
                while drain and self.in_flight:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        self.wanted = False
        self.changed()

    def update_from_cluster(self, application: ApplicationState | None, host: str, port: int, removed: bool) -> None:
        """What Ray says of its application now. `removed`: it was there, and someone else ended it."""
        self.application = application
        self._control = WorkerAddress(host, port, self.control_secret, f"/{self.name}")
        if self._state.stage is ReplicaStage.STOPPING and not self.wanted and application is None:
            self._end("", fatal=False)
        elif self._state.stage in _ENDING:
            return
        elif removed:
            self._start_over(
                ReplicaStage.WAITING,
                "Another program ended it on the cluster, and it is put there again. Let this control plane alone "
                "change Serve's applications there, or give the other program a cluster of its own",
            )
        elif application is not None and application.status == "DEPLOY_FAILED":
            self._fail_to_deploy(application.message)
        elif application is None or application.node is None:
            place = f"a node with {self.resources}"
            self._start_over(ReplicaStage.WAITING, f"{NOT_SCHEDULED}: Ray looks for {place}")
        elif application.status != "RUNNING" and self._state.stage is not ReplicaStage.READY:
            self._start_over(ReplicaStage.STARTING, f"Starting on node {application.node_ip}")

    def mark_unreachable(self, reason: str) -> None:
        """The cluster cannot be asked. A replica that still answers goes on serving."""
        if self._state.stage is not ReplicaStage.READY and self._state.stage not in _ENDING:
            self._start_over(self._state.stage, reason)

    def _fail_to_deploy(self, message: str) -> None:
        last = message.strip()[-_LAST_WORDS:]
        self.log.add(last)
        hint = "Every node needs this version of inference-endpoints-mcp with the extra ray-node."
        self._end(f"Ray could not start the replica. {hint}\n{last}", fatal=True)

    def detach(self) -> None:
        """The plane ends: nothing of this replica goes on here."""
        if self._leaving is not None:
            self._leaving.cancel()

    async def watch(self) -> None:
        """Read its reports until it ends, and give it its order where it has none."""
        while self._state.stage is not ReplicaStage.EXITED:
            if self.application is not None and self.application.node is not None and self._control is not None:
                await self._read_report(self._control)
            ready = self._state.stage is ReplicaStage.READY
            interval = max(_READY_INTERVAL_S if ready else _LOADING_INTERVAL_S, self.least_interval_s())
            await asyncio.sleep(interval * random.uniform(0.75, 1.25))  # noqa: S311 - so that they spread

    async def _read_report(self, control: WorkerAddress) -> None:
        known = self._report
        query = f"?process={known.process}&after={known.next_line}" if known else ""
        try:
            status, content = await exchange(control, "GET", f"{REPORT_PATH}{query}")
            if status != 200:
                raise WorkerFailed(f"its report has status {status}")
            report = REPORT.validate_json(content)
            if not report.has_order and self._state.stage not in _ENDING:
                await exchange(control, "PUT", ORDER_PATH, json.dumps(ORDER.dump_python(self.request)).encode())
        except (WorkerFailed, ValidationError):
            self._unanswered += 1
            if self._unanswered >= _MAX_UNANSWERED and self._state.stage is ReplicaStage.READY:
                self._start_over(ReplicaStage.STARTING, "It does not answer. Ray starts it again if it is lost")
            return
        self._unanswered = 0
        self._apply(report)

    def _apply(self, report: ReplicaReport) -> None:
        for line in report.lines:
            self.log.add(line.line, line.stream, line.timestamp)
        if self._report and self._report.process != report.process:
            self.log.add("Ray has started this replica again")
        self._report = report
        if self._state.stage in _ENDING:
            return
        if not report.has_order:
            self._start_over(ReplicaStage.STARTING, "The node gets the configuration")
            return
        if report.stage is ReplicaStage.EXITED:
            self._end(report.error or "The worker has ended.", report.fatal, report.exit_code)
            return
        ready_at = None
        if report.ready_s is not None:
            ready_at = self._state.ready_at or self.clock.now() - report.ready_s
        self._set(ReplicaState(report.stage, report.message, ready_at=ready_at))

    def _start_over(self, stage: ReplicaStage, message: str) -> None:
        self._set(ReplicaState(stage, message))

    def _end(self, error: str, fatal: bool, exit_code: int | None = None) -> None:
        self.wanted = False
        ended = replace(self._state, stage=ReplicaStage.EXITED, ended_at=self.clock.now(), exit_code=exit_code)
        self._set(replace(ended, error=error, fatal=fatal))

    def _set(self, state: ReplicaState) -> None:
        if state != self._state:
            self._state = state
            self.changed()
