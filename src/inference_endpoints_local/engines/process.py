"""An engine that runs each replica as a worker process of this machine."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from inference_endpoints_local.engines.child_process import end_leftovers
from inference_endpoints_local.engines.engine import LaunchRequest, ReplicaStage, new_replica_id
from inference_endpoints_local.engines.process_replica import ProcessReplica
from inference_endpoints_local.engines.programs import ProgramResolver, find_in_time
from inference_endpoints_local.models.catalogue import cores_of_replica
from inference_endpoints_local.state.clock import Clock
from inference_endpoints_local.state.log_store import LogStore
from inference_endpoints_local.state.record import EngineName, Spec
from inference_endpoints_local.state.store import NotSaved, Store

logger = logging.getLogger(__name__)


class ProcessEngine:
    """Runs replicas on this machine's `cores`. A replica has as many threads as the size of its instance.
    Threads of llama.cpp wait for each other by spinning: with fewer free cores such a replica is many times as slow.

    Those of light models share a core: they work for milliseconds at a time.
    """

    name: EngineName = "process"
    capacity_check_interval_s = None

    def __init__(
        self,
        *,
        clock: Clock,
        logs: LogStore,
        ledger: Store,
        programs: ProgramResolver,
        cache_dir: Path,
        cores: int,
    ) -> None:
        self.clock = clock
        self._logs = logs
        self._ledger = ledger
        self._programs = programs
        self._cache_dir = cache_dir
        self._cores = cores
        self._replicas: dict[asyncio.Task[None], ProcessReplica] = {}

    async def resolve_task(self, spec: Spec) -> str | None:
        return (await find_in_time(self._programs, spec)).task

    def measures_requests(self, spec: Spec) -> bool:
        return bool(spec["model"]["task"] == "text-generation")  # of the workers, the one with llama.cpp does

    def free_replicas(self, spec: Spec) -> int:
        running = (replica for replica in self._replicas.values() if replica.observe().stage is not ReplicaStage.EXITED)
        used = sum(cores_of_replica(replica.request.spec) for replica in running)
        return int(max(0, self._cores - used) / cores_of_replica(spec))

    def no_capacity_reason(self, spec: Spec) -> str:
        del spec
        return "no core is free"

    def launch(self, request: LaunchRequest, changed: Callable[[], None]) -> ProcessReplica:
        replica_id = new_replica_id(request)
        replica = ProcessReplica(
            id=replica_id,
            request=request,
            programs=self._programs,
            clock=self.clock,
            log=self._logs.open(request.endpoint_id, replica_id),
            ledger=self._ledger,
            cache_dir=self._cache_dir,
            changed=changed,
        )
        task = asyncio.get_running_loop().create_task(replica.run(), name=f"replica {replica_id}")
        self._replicas[task] = replica
        task.add_done_callback(self._replicas.pop)
        return replica

    async def start(self) -> None:
        leftovers = self._ledger.processes()
        await asyncio.to_thread(end_leftovers, leftovers)
        for pid in leftovers:
            try:
                self._ledger.process_ended(pid)
            except NotSaved as error:
                # The identity is stored with the number: the next start finds no such process and retries this.
                logger.warning("%s", error)

    async def close(self) -> None:
        for replica in self._replicas.values():
            replica.stop(drain=False)
        if self._replicas:
            await asyncio.wait(set(self._replicas))
