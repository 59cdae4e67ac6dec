"""The engine for a Ray cluster, assembled from the operator's choices."""

from dataclasses import dataclass
from pathlib import Path

from inference_endpoints_local.engines.engine import WorkerAddress
from inference_endpoints_local.engines.programs import ProgramResolver
from inference_endpoints_local.engines.ray.applications import DEFAULT_PORT
from inference_endpoints_local.engines.ray.cluster_hardware import ClusterHardware, ClusterPrices
from inference_endpoints_local.engines.ray.ownership import PlaneKey
from inference_endpoints_local.engines.ray.ray_engine import ClusterRefused, RayEngine
from inference_endpoints_local.engines.ray.rest_client import RayRestClient
from inference_endpoints_local.state.clock import Clock
from inference_endpoints_local.state.log_store import LogStore
from inference_endpoints_local.state.record import EngineName
from inference_endpoints_local.state.store import Store

KEY_FILE = "cluster-key"


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster: the address of its REST API with the token, and the port of a Serve that is started there."""

    api: WorkerAddress
    prices: ClusterPrices
    serve_port: int = DEFAULT_PORT
    allow_open: bool = False


def ray_engine(
    cluster: Cluster, data_dir: Path, clock: Clock, logs: LogStore, programs: ProgramResolver
) -> tuple[RayEngine, ClusterHardware]:
    """The engine, and the hardware that it keeps up to date."""
    hardware = ClusterHardware(cluster.prices)
    engine = RayEngine(
        clock=clock,
        logs=logs,
        client=RayRestClient(cluster.api),
        hardware=hardware,
        key=PlaneKey(data_dir / KEY_FILE),
        programs=programs,
        serve_port=cluster.serve_port,
        allow_open=cluster.allow_open,
    )
    return engine, hardware


def check_engines(store: Store, own_engine: EngineName) -> None:
    """Raises ClusterRefused if endpoints of the folder run real models with another engine."""
    known = (own_engine, "simulated")
    others = {record.engine: record.name for record in store.load() if record.engine not in known}
    for engine, name in others.items():
        what = "Start it with --engine ray" if engine == "ray" else "Start it without --engine ray"
        raise ClusterRefused(
            f"The data folder has endpoints that run with the engine {engine}, such as {name}. {what}, or choose "
            "another --data-dir."
        )
