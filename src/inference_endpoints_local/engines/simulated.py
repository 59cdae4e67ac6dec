"""An engine that runs no process: replicas follow a script, on a clock that can be sped up and advanced.

For many endpoints, long waits, and failures that are hard to cause otherwise. It is never used silently: it simulates
what is deployed on cloud hardware, and every document of such an endpoint states that.
"""

import sys
from collections.abc import Callable
from dataclasses import replace

from inference_endpoints_local.engines.engine import LaunchRequest, ReplicaStage, ReplicaState, new_replica_id
from inference_endpoints_local.engines.simulated_startup import startup_script
from inference_endpoints_local.state.clock import Clock, wall_ns
from inference_endpoints_local.state.log_store import LogStore, ReplicaLog
from inference_endpoints_local.state.record import Spec


class SimulatedReplica:
    """One replica, whose state follows from its script and the time alone."""

    address = None

    def __init__(self, replica_id: str, request: LaunchRequest, clock: Clock, log: ReplicaLog) -> None:
        self.id = replica_id
        self.generation = request.generation
        self.in_flight = 0
        self._clock = clock
        self._log = log
        self.launched_ns = wall_ns()
        self._launched_at = clock.now()
        self._script = startup_script(request.spec)
        self._printed = 0
        self._stopped_at: float | None = None

    def observe(self) -> ReplicaState:
        if self._stopped_at is not None:
            return ReplicaState(ReplicaStage.EXITED, ended_at=self._stopped_at, exit_code=0)
        age = self._clock.now() - self._launched_at
        index = next(index for index, phase in enumerate(self._script) if age < phase.until)
        for phase in self._script[self._printed : index + 1]:
            self._print(phase.log)
        self._printed = max(self._printed, index + 1)
        began = self._launched_at + (self._script[index - 1].until if index else 0.0)
        phase = self._script[index]
        last = phase.until == float("inf")
        return replace(
            phase.state,
            ready_at=began if phase.state.stage is ReplicaStage.READY else None,
            ended_at=began,
            changes_at=None if last else self._launched_at + phase.until,
        )

    def work_s(self) -> float | None:
        return None  # no process: the load follows from simulated requests alone

    def memory_bytes(self) -> int | None:
        return None

    def stop(self, drain: bool) -> None:
        del drain  # it has no requests to finish
        if self._stopped_at is None:
            self._stopped_at = self._clock.now()
            self._print("Received SIGTERM, shutting down")

    def _print(self, text: str) -> None:
        for line in text.splitlines():
            self._log.add(f"Simulated: {line}")


class SimulatedEngine:
    """Has room for every replica, and starts no process."""

    name = "simulated"

    def __init__(self, clock: Clock, logs: LogStore) -> None:
        self.clock = clock
        self._logs = logs

    def resolve_task(self, spec: Spec) -> str | None:
        """The usual task of the container's engine. The service reads it from the model's repository.

        Never None: the service always returns a task, and refuses null in an update.
        """
        engine = next(iter(spec["model"]["image"]))
        if engine in {"tgi", "tgiNeuron", "vLLM", "vLLMNeuron", "vLLMOmni", "sGLang", "llamacpp"}:
            return "text-generation"
        return "feature-extraction" if engine == "tei" else "custom"

    def free_replicas(self, spec: Spec) -> int:
        del spec
        return sys.maxsize

    def launch(self, request: LaunchRequest, changed: Callable[[], None]) -> SimulatedReplica:
        del changed  # only time changes the state
        replica_id = new_replica_id(request)
        return SimulatedReplica(replica_id, request, self.clock, self._logs.open(request.endpoint_id, replica_id))

    async def start(self) -> None:
        return

    async def close(self) -> None:
        return
