"""Keeps a cluster at what is wanted: looks at it, replaces its applications where they differ, and tells the replicas.

One loop is the only writer. What it writes is always the whole, made anew from the replicas that are wanted and from
what others have there, so that nothing depends on an earlier change having arrived.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from inference_endpoints_local.engines.engine import LaunchRequest, ReplicaStage
from inference_endpoints_local.engines.programs import ProgramResolver, find_in_time
from inference_endpoints_local.engines.ray.applications import RayApplication, ServeState, read_serve
from inference_endpoints_local.engines.ray.cluster_hardware import ClusterHardware, read_nodes
from inference_endpoints_local.engines.ray.ownership import PlaneKey, ReplicaName
from inference_endpoints_local.engines.ray.ray_replica import RayReplica
from inference_endpoints_local.engines.ray.resources import NOTHING, Resources, count_fitting
from inference_endpoints_local.engines.ray.rest_client import APPLICATIONS, NODES, USAGE, ClusterFailed, RayRestClient
from inference_endpoints_local.state.clock import Clock
from inference_endpoints_local.state.log_store import LogStore
from inference_endpoints_local.state.record import EngineName, Spec

logger = logging.getLogger(__name__)

BUSY_INTERVAL_S, QUIET_INTERVAL_S = 0.5, 3.0
FIRST_LOOK_TIMEOUT_S = 5.0
END_TIMEOUT_S = 1.0
"""How long the end of the plane waits for the cluster. What it cannot end, the next plane of its folder does."""
SETTLE_S = 5.0
"""After the first look, how long the replicas of an earlier run wait for an endpoint that wants them."""


REPORTS_PER_S = 500.0
"""The most reports that are read, of all replicas together. With more replicas, each is asked less often."""
LOST_AFTER_S = 60.0
"""After how long a cluster that does not answer may be lost for good."""


class ClusterRefused(Exception):
    """The cluster must not be used as it is. The message states why and what to do."""


@dataclass(frozen=True)
class _FreeCapacity:
    """What is free on each node, and what is wanted and not placed yet."""

    free: list[Resources]
    waiting: list[Resources]


class RayEngine:
    """Runs replicas on a Ray cluster, and keeps its hardware up to date. `serve_port` is for a Serve that it starts."""

    name: EngineName = "ray"
    capacity_check_interval_s = 2.0

    def __init__(
        self,
        *,
        clock: Clock,
        logs: LogStore,
        client: RayRestClient,
        hardware: ClusterHardware,
        key: PlaneKey,
        programs: ProgramResolver,
        serve_port: int,
        allow_open: bool,
    ) -> None:
        self.clock = clock
        self._logs = logs
        self._client = client
        self._hardware = hardware
        self._key = key
        self._programs = programs
        self._serve_port = serve_port
        self._allow_open = allow_open
        self._replicas: dict[str, RayReplica] = {}
        self._leftovers: dict[str, RayApplication] = {}
        self._serve: ServeState | None = None
        self._settled_at: float | None = None
        self._silent_since: float | None = None
        self._free_capacity: _FreeCapacity | None = None
        self._hardware.unavailable_reason = f"the Ray cluster at {client.place} has not answered yet"
        self._look_again = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def resolve_task(self, spec: Spec) -> str | None:
        return (await find_in_time(self._programs, spec)).task

    def measures_requests(self, spec: Spec) -> bool:
        """Of the workers, the one with llama.cpp does; vLLM and SGLang always do."""
        return bool(spec["model"]["task"] == "text-generation" or spec["compute"]["accelerator"] != "cpu")

    def free_replicas(self, spec: Spec) -> int:
        needed = self._hardware.needed(spec)
        if self._hardware.unavailable_reason or needed is None:
            return 0
        capacity = self._find_capacity()
        return count_fitting(capacity.free, capacity.waiting, needed)

    def no_capacity_reason(self, spec: Spec) -> str:
        if self._hardware.unavailable_reason:
            return self._hardware.unavailable_reason
        needed = self._hardware.needed(spec)
        if needed is None:
            return f"no node of the cluster has accelerators of type {spec['compute']['instanceType']}"
        free = [each for each in self._find_capacity().free if needed.kind in ("", each.kind)]
        nodes = [node.has for node in self._hardware.nodes if needed.kind in ("", node.has.kind)]
        if needed.accelerators:
            there = sum(each.accelerators for each in free), sum(each.accelerators for each in nodes)
        else:
            there = sum(each.cpus for each in free), sum(each.cpus for each in nodes)
        found = f"{there[0]:g} of {there[1]:g} are free, on {len(nodes)} nodes"
        return f"no node of the cluster has {needed} ({found})"

    def _find_capacity(self) -> "_FreeCapacity":
        """Counted once for each look at the cluster: every endpoint asks, and a count reads every replica."""
        if self._free_capacity is None:
            waiting = [
                replica.resources
                for replica in self._replicas.values()
                if replica.wanted and (replica.application is None or replica.application.node is None)
            ]
            self._free_capacity = _FreeCapacity(self._free(), waiting)
        return self._free_capacity

    def _free(self) -> list[Resources]:
        """Of each node. What an earlier run left counts as free: its endpoints take it over, or it ends."""
        here: dict[str, Resources] = {}
        left: dict[str, Resources] = {}
        for name, application in (self._serve.ours if self._serve else {}).items():
            if application.node is not None:
                kind = left if name in self._leftovers else here
                kind[application.node] = kind.get(application.node, NOTHING) + application.resources
        return [
            node.has - ((node.used - left.get(node.id, NOTHING)) | here.get(node.id, NOTHING))
            for node in self._hardware.nodes
        ]

    def launch(self, request: LaunchRequest, changed: Callable[[], None]) -> RayReplica:
        resources = self._hardware.needed(request.spec)
        assert resources is not None, "there was capacity a moment ago"
        name = self._adopted(request) or self._key.new_name(request.endpoint_id, request.generation)

        def notice() -> None:
            if not replica.wanted:
                self._free_capacity = None
            self._look_again.set()
            changed()

        replica = RayReplica(
            id=name.replica_id,
            request=request,
            name=str(name),
            resources=resources,
            clock=self.clock,
            log=self._logs.open(request.endpoint_id, name.replica_id),
            changed=notice,
            call_secret=self._key.call_secret(str(name)),
            control_secret=self._key.control_secret(str(name)),
            least_interval_s=lambda: len(self._replicas) / REPORTS_PER_S,
        )
        self._replicas[replica.name] = replica
        if self._free_capacity is not None:
            self._free_capacity.waiting.append(resources)
        self._spawn(replica.watch(), f"replica {replica.id}")
        self._look_again.set()
        return replica

    def _adopted(self, request: LaunchRequest) -> ReplicaName | None:
        """A replica of an earlier run that is just what is wanted. It goes on serving."""
        for name in self._leftovers:
            parsed = ReplicaName.parse(name)
            if parsed and (parsed.endpoint_id, parsed.generation) == (request.endpoint_id, request.generation):
                del self._leftovers[name]
                self._free_capacity = None
                return parsed
        return None

    async def start(self) -> None:
        """Raises ClusterRefused if the cluster answers and must not be used. One that does not answer may yet come."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK_TIMEOUT_S):
                await self._look_at_cluster()
        self._spawn(self._keep_looking(), "cluster")

    async def close(self) -> None:
        for replica in self._replicas.values():
            replica.detach()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._serve is None:
            return
        with suppress(ClusterFailed, TimeoutError):
            async with asyncio.timeout(END_TIMEOUT_S):
                serve = self._read(await self._client.get(APPLICATIONS))
                if serve.present:
                    await self._client.put(APPLICATIONS, serve.body(()))

    async def _keep_looking(self) -> None:
        while True:
            busy = bool(self._leftovers) or not all(replica.settled for replica in self._replicas.values())
            with suppress(TimeoutError):
                async with asyncio.timeout(QUIET_INTERVAL_S if not busy else BUSY_INTERVAL_S):
                    await self._look_again.wait()
            self._look_again.clear()
            try:
                await self._look_at_cluster()
            except ClusterRefused as refused:
                self._set_problem(str(refused))
            except Exception:
                logger.exception("the Ray cluster at %s", self._client.place)  # the loop must go on

    async def _look_at_cluster(self) -> None:
        try:
            if (
                self._hardware.unavailable_reason
                and not self._allow_open
                and await self._client.answers_without_token()
            ):
                raise ClusterRefused(
                    f"the Ray cluster at {self._client.place} answers without a token, so whoever reaches it can run "
                    "code on it. Start it with RAY_AUTH_MODE=token, or accept that with --ray-allow-open"
                )
            await self._refresh()
        except ClusterFailed as failure:
            self._set_problem(self._describe_outage(failure))
            return
        self._silent_since = None
        if self._hardware.nodes:
            self._hardware.unavailable_reason = ""
        else:  # a head that just began answers before it has any
            self._set_problem(f"the Ray cluster at {self._client.place} has no node yet")

    async def _refresh(self) -> None:
        documents = await asyncio.gather(*(self._client.get(path) for path in (APPLICATIONS, NODES, USAGE)))
        serve = self._read(documents[0])
        self._hardware.nodes = read_nodes(documents[1], documents[2])
        self._adopt_leftovers(serve)
        for replica in list(self._replicas.values()):
            removed = self._was_removed(replica, serve)
            replica.update_from_cluster(serve.ours.get(replica.name), self._client.address.host, serve.port, removed)
            if replica.observe().stage is ReplicaStage.EXITED:
                del self._replicas[replica.name]
        self._serve, self._free_capacity = serve, None
        wanted = self._wanted()
        if {each.name for each in wanted} != serve.present:
            await self._client.put(APPLICATIONS, serve.body(wanted))
            self._look_again.set()

    def _read(self, document: Any) -> ServeState:
        try:
            return read_serve(document, self._key.prefix, self._serve_port)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ClusterFailed("what answers at the address of the Ray cluster is not Ray's REST API") from error

    def _adopt_leftovers(self, serve: ServeState) -> None:
        """At the first look, keep what an earlier run left; some seconds later, let go what nobody took over."""
        now = self.clock.now()
        if self._settled_at is None:
            self._settled_at = now + SETTLE_S
            self._leftovers = {
                name: RayApplication(name, serve.ours[name].resources, self._key.secret_hashes(name))
                for name in serve.present
            }
        elif self._leftovers and now >= self._settled_at:
            self._leftovers = {}

    def _was_removed(self, replica: RayReplica, serve: ServeState) -> bool:
        """Whether its application was there, and is not, though the same Serve runs: nobody but a writer ends one."""
        before = self._serve
        return (
            before is not None
            and before.controller == serve.controller
            and replica.wanted
            and replica.name in before.present
            and replica.name not in serve.present
        )

    def _wanted(self) -> list[RayApplication]:
        running = (
            RayApplication(replica.name, replica.resources, self._key.secret_hashes(replica.name))
            for replica in self._replicas.values()
            if replica.wanted
        )
        return [*running, *self._leftovers.values()]

    def _describe_outage(self, failure: ClusterFailed) -> str:
        """With what is left to do if the cluster does not come back."""
        now = self.clock.now()
        self._silent_since = now if self._silent_since is None else self._silent_since
        if now - self._silent_since < LOST_AFTER_S:
            return str(failure)
        return (
            f"{failure}, since more than a minute. If its head is lost for good, stop this control plane and start it "
            "with --ray-address of another cluster: every endpoint is deployed there again"
        )

    def _set_problem(self, problem: str) -> None:
        if problem != self._hardware.unavailable_reason:
            logger.warning("%s", problem)
        self._hardware.unavailable_reason = problem
        for replica in self._replicas.values():
            replica.mark_unreachable(problem)

    def _spawn(self, work: "asyncio._CoroutineLike[None]", name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
