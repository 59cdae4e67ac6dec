"""The embedded control plane, assembled from its parts."""

import asyncio
import getpass
import os
import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from starlette.types import ASGIApp

from inference_endpoints_local.api import handlers
from inference_endpoints_local.api.gateway import Gateway
from inference_endpoints_local.api.simulation_handlers import SimulationHandlers
from inference_endpoints_local.control.endpoint_metrics import INTERVAL_S
from inference_endpoints_local.control.executor import Executor
from inference_endpoints_local.control.lifecycle import Lifecycle
from inference_endpoints_local.daemon.cluster.cluster_engine import Cluster, check_engines, ray_engine
from inference_endpoints_local.daemon.start_options import StartOptions
from inference_endpoints_local.engines.engine import Engine
from inference_endpoints_local.engines.process import ProcessEngine
from inference_endpoints_local.engines.programs import ProgramResolver, for_a_node, from_catalogue
from inference_endpoints_local.engines.serving_engines.commands import with_serving_engines
from inference_endpoints_local.engines.simulated import SimulatedEngine
from inference_endpoints_local.models import weights
from inference_endpoints_local.models.cloud_capacity import CloudCapacity
from inference_endpoints_local.models.instances import InstanceCatalogue, OwnHardware, ThisMachine
from inference_endpoints_local.models.model_files import ModelFolders
from inference_endpoints_local.state.clock import Clock, ControllableClock, SystemClock
from inference_endpoints_local.state.faults import Faults
from inference_endpoints_local.state.log_store import LogStore
from inference_endpoints_local.state.store import Store


def default_namespace() -> str:
    """The name of this machine's user in the form of a namespace; `local` if there is none."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = ""
    return re.sub(r"[^a-z0-9]+", "-", user.lower()).strip("-")[:32].strip("-") or "local"


def available_cores() -> int:
    """The number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@dataclass(frozen=True)
class PlaneOptions:
    """`clock` times process endpoints. Simulated ones have a clock of their own, which runs `simulated_speed` times as
    fast as real time (0: only when it is advanced). `cloud_quota` is in accelerators per vendor and instance type; it
    is 0 without a `payment_method`, as on the service. Model files may be in `model_folders` alone; empty: anywhere.
    `programs` returns the program that serves a model. With a `cluster`, replicas run there and not on this machine."""

    data_dir: Path
    token: str = field(repr=False)
    namespace: str = field(default_factory=default_namespace)
    simulated: bool = False
    simulated_speed: float = 1.0
    cloud_quota: int = StartOptions.cloud_quota
    payment_method: bool = True
    cores: int = field(default_factory=available_cores)
    weights_cache: Path = field(default_factory=weights.default_cache_dir)
    clock: Clock = field(default_factory=SystemClock)
    model_folders: tuple[str, ...] = ()
    programs: ProgramResolver | None = None
    cluster: Cluster | None = None


class Plane:
    """The embedded control plane. To run it: set `url` once the port is bound, `await start()`, serve `app`, `await
    stop()`.

    Its parts are public for whoever embeds or tests it: `lifecycle` has the endpoints, `executor` brings them to their
    wanted state, `store` keeps them, `simulated_clock`, `cloud_capacity` and `faults` control the simulation. `token`
    may be replaced.

    Raises StoreDamaged or StoreFull if the data folder's store cannot be opened; then nothing was changed. Raises
    ClusterRefused if its endpoints are of another engine, and from `start` if the cluster must not be used.
    """

    def __init__(self, options: PlaneOptions) -> None:
        if not options.token:
            raise ValueError("a control plane needs a token")
        self.options = options
        self.url = ""
        self.token = options.token
        self.simulated_clock = ControllableClock(options.simulated_speed)
        self.faults = Faults()
        self.cloud_capacity = CloudCapacity()
        self.store = Store(options.data_dir / "plane.sqlite3")
        self._logs = logs = LogStore(options.data_dir / "logs")
        folders = ModelFolders.of(options.model_folders)
        try:
            check_engines(self.store, own_engine="ray" if options.cluster else "process")
        except BaseException:
            self.store.close()
            raise
        own, hardware = self._own_engine(folders)
        self._engines: dict[str, Engine] = {
            own.name: own,
            SimulatedEngine.name: SimulatedEngine(self.simulated_clock, logs, self.cloud_capacity),
        }
        self.executor = Executor(self.store, self._engines, logs)
        self.simulated_clock.next_due = lambda: self.executor.next_due(self.simulated_clock)
        self.simulated_clock.on_move = self.executor.step
        cloud_quota = options.cloud_quota if options.payment_method else 0
        instances = InstanceCatalogue(hardware, options.simulated, cloud_quota, self.cloud_capacity)
        self.lifecycle = Lifecycle(
            self.executor,
            self._engines,
            instances,
            logs,
            options.namespace,
            payment_method=options.payment_method,
        )
        simulation = SimulationHandlers(self.lifecycle, self.executor, self.simulated_clock, self.faults, instances)
        self._handlers = handlers.ApiHandlers(
            self.lifecycle,
            self.executor,
            self.store,
            self.faults,
            token=lambda: self.token,
            url=lambda: self.url,
            folders=folders,
            simulation=simulation if options.simulated else None,
        )
        self.routes = handlers.all_routes(self._handlers, Gateway(self.executor, self.faults, lambda: self.token))
        self.app: ASGIApp = handlers.build_app(self.routes)
        self._running: list[asyncio.Task[None]] = []

    def _own_engine(self, folders: ModelFolders) -> tuple[Engine, OwnHardware]:
        """The engine that runs models, and what it runs them on."""
        options = self.options
        if (cluster := options.cluster) is not None:
            programs = options.programs or with_serving_engines(for_a_node)
            return ray_engine(cluster, options.data_dir, options.clock, self._logs, programs)
        engine = ProcessEngine(
            clock=options.clock,
            logs=self._logs,
            ledger=self.store,
            programs=options.programs or partial(from_catalogue, folders=folders),
            cache_dir=options.weights_cache,
            cores=options.cores,
        )
        return engine, ThisMachine(options.cores)

    @property
    def busy(self) -> bool:
        """Whether any worker runs, starts or ends."""
        return any(self.executor.is_active(engine) for engine in self._engines if engine != SimulatedEngine.name)

    @property
    def simulating(self) -> bool:
        """Whether simulated replicas run. If the plane ends, the next one starts them again."""
        return self.executor.is_active(SimulatedEngine.name)

    async def start(self) -> None:
        """End the leftovers of an earlier run, and bring every endpoint to its wanted state."""
        try:
            for engine in self._engines.values():
                await engine.start()
        except BaseException:
            self.store.close()
            raise
        self._logs.retain({endpoint.record.id for endpoint in self.executor})
        self._running = [
            asyncio.create_task(self.executor.run(), name="control plane"),
            asyncio.create_task(self._measure(), name="measurements"),
        ]

    @property
    def open_streams(self) -> int:
        """The number of open streams of status events."""
        return self._handlers.events.open_streams

    def close_streams(self) -> None:
        """End the streams of status events and logs. The server waits for them before it ends."""
        self._handlers.events.close()
        self._logs.close_followers()

    async def stop(self) -> None:
        """End every replica. The wanted states stay, for the next start."""
        self.close_streams()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        for engine in self._engines.values():
            await engine.close()
        self.store.close()

    async def settle(self) -> None:
        """Do what is due now, without waiting for time or processes."""
        self.executor.step()
        await asyncio.sleep(0)

    async def _measure(self) -> None:
        """Measure once per interval what is in use. The gateway counts the requests."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            for endpoint in self.executor:
                simulated = endpoint.engine.name == SimulatedEngine.name
                if endpoint.replicas and (not simulated or endpoint.simulated_requests):
                    endpoint.measure()
