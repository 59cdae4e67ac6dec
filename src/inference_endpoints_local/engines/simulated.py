"""An engine that runs no process: replicas follow a script, on a clock that can be sped up and advanced.

For many endpoints, long waits, and failures that are hard to cause otherwise. It is never used silently: it simulates
what is deployed on cloud hardware, and every document of such an endpoint states that.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from inference_endpoints_local.engines.engine import LaunchRequest, ReplicaStage, ReplicaState, new_replica_id
from inference_endpoints_local.engines.engine_counters import NOTHING_COUNTED, EngineCounters
from inference_endpoints_local.engines.simulated_startup import (
    WAKE,
    StartTimes,
    first_start,
    startup_script,
)
from inference_endpoints_local.models.cloud_capacity import CloudCapacity
from inference_endpoints_local.state.clock import Clock, wall_ns
from inference_endpoints_local.state.log_store import LogStore, ReplicaLog
from inference_endpoints_local.state.record import EngineName, Spec, instance_size

MAX_RUNNING = 256
"""Requests that a simulated engine runs at a time; further ones wait. The default of vLLM on smaller GPUs."""
_LANGUAGE_ENGINES = {"tgi", "tgiNeuron", "vLLM", "vLLMNeuron", "vLLMOmni", "sGLang", "llamacpp"}


class SimulatedReplica:
    """One replica. Its state follows from its script and the time alone, its use from the simulated requests."""

    address = None

    def __init__(
        self,
        replica_id: str,
        request: LaunchRequest,
        clock: Clock,
        log: ReplicaLog,
        times: StartTimes,
        capacity: CloudCapacity,
    ) -> None:
        self.id = replica_id
        self._hardware_id = request.spec["compute"]["id"]
        self._capacity: CloudCapacity | None = capacity
        capacity.occupy(self._hardware_id)
        self.generation = request.generation
        self._spec = request.spec
        self._in_flight = 0
        self._counters = NOTHING_COUNTED
        self._counted_at = 0.0
        self._clock = clock
        self._log = log
        self.launched_ns = wall_ns()
        self._launched_at = clock.now()
        self._script = startup_script(request.spec, times)
        self._printed = 0
        self._stopped_at: float | None = None

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @in_flight.setter
    def in_flight(self, requests: int) -> None:
        self._count()
        self._in_flight = requests

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
        if phase.state.stage is ReplicaStage.EXITED:
            self._release()
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

    def accelerator_percent(self) -> Sequence[float]:
        """One request is enough for full use, as where the load of hardware cannot be measured (`control/load.py`)."""
        has_accelerators = self._spec["compute"]["accelerator"] != "cpu"
        return (100.0 * min(1, self._in_flight),) * instance_size(self._spec) if has_accelerators else ()

    @property
    def engine_counters(self) -> EngineCounters | None:
        """Only queue and KV cache are simulated: no tokens are generated."""
        if not _measures_requests(self._spec):
            return None
        self._count()
        return self._counters

    def _count(self) -> None:
        """Add the time since the last count, or since it became ready."""
        if (ready_at := self.observe().ready_at) is None:
            return
        now = self._clock.now()
        seconds, self._counted_at = now - max(self._counted_at, ready_at), now
        running = min(self._in_flight, MAX_RUNNING)
        self._counters += replace(
            NOTHING_COUNTED,
            seconds=seconds,
            waiting_s=seconds * (self._in_flight - running),
            running_s=seconds * running,
            kv_cache_s=seconds * running / MAX_RUNNING,
        )

    def stop(self, drain: bool) -> None:
        del drain  # it has no requests to finish
        if self._stopped_at is None:
            self._stopped_at = self._clock.now()
            self._print("Received SIGTERM, shutting down")
            self._release()

    def _release(self) -> None:
        """Give its hardware back, once."""
        if self._capacity is not None:
            self._capacity.release(self._hardware_id)
            self._capacity = None

    def _print(self, text: str) -> None:
        for line in text.splitlines():
            self._log.add(f"Simulated: {line}")


class SimulatedEngine:
    """Starts no process, and has room for as many replicas as `capacity` says."""

    name: EngineName = "simulated"
    capacity_check_interval_s = None

    def __init__(self, clock: Clock, logs: LogStore, capacity: CloudCapacity) -> None:
        self.clock = clock
        self._capacity = capacity
        self._logs = logs
        self._images_pulled_at: dict[tuple[str, int], float] = {}
        """By endpoint and generation. Later replicas find the image there."""

    async def resolve_task(self, spec: Spec) -> str | None:
        """The usual task of the container's engine. The service reads it from the model's repository.

        Never None: the service always returns a task, and refuses null in an update.
        """
        engine = _image_engine(spec)
        if engine in _LANGUAGE_ENGINES:
            return "text-generation"
        return "feature-extraction" if engine == "tei" else "custom"

    def measures_requests(self, spec: Spec) -> bool:
        return _measures_requests(spec)

    def free_replicas(self, spec: Spec) -> int:
        return self._capacity.free(spec["compute"]["id"])

    def no_capacity_reason(self, spec: Spec) -> str:
        return f"no {spec['compute']['id']} is free"

    def launch(self, request: LaunchRequest, changed: Callable[[], None]) -> SimulatedReplica:
        del changed  # only time changes the state
        replica_id = new_replica_id(request)
        log = self._logs.open(request.endpoint_id, replica_id)
        return SimulatedReplica(replica_id, request, self.clock, log, self._times(request), self._capacity)

    def _times(self, request: LaunchRequest) -> StartTimes:
        version, now = (request.endpoint_id, request.generation), self.clock.now()
        if now >= self._images_pulled_at.get(version, float("inf")):
            return WAKE
        times = first_start(request.spec)
        self._images_pulled_at.setdefault(version, now + times.pulled)
        return times

    async def start(self) -> None:
        return

    async def close(self) -> None:
        return


def _image_engine(spec: Spec) -> str:
    return str(next(iter(spec["model"]["image"])))


def _measures_requests(spec: Spec) -> bool:
    """vLLM, SGLang started with metrics, or a container of one of them (the service's OpenAPI document 2.0.0)."""
    model = spec["model"]
    engine, settings = next(iter(model["image"].items()))
    runs = str(settings.get("url")).lower() if engine == "custom" else engine.lower()
    with_metrics = "--enable-metrics" in (*model.get("command", ()), *model.get("args", ()))
    return "vllm" in runs or ("sglang" in runs and with_metrics)
