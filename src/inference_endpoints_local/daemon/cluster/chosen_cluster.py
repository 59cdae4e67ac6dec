"""The cluster that the operator chose: opened, or started, for as long as the plane runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from inference_endpoints_local.daemon.cluster.cluster_engine import Cluster
from inference_endpoints_local.daemon.cluster.one_node_cluster import OneNodeCluster
from inference_endpoints_local.daemon.cluster.ray_options import RayOptions
from inference_endpoints_local.daemon.plane import available_cores
from inference_endpoints_local.daemon.plane_errors import ClusterUnusable
from inference_endpoints_local.engines.engine import WorkerAddress
from inference_endpoints_local.engines.ray.cluster_hardware import PricesUnusable, read_prices
from inference_endpoints_local.engines.ray.rest_client import parse_address


@asynccontextmanager
async def opened_cluster(options: RayOptions | None, data_dir: Path) -> AsyncIterator[Cluster | None]:
    """The cluster during the block; None without one. Raises ClusterUnusable."""
    if options is None:
        yield None
        return
    try:
        prices = read_prices(Path(options.prices) if options.prices else None)
    except PricesUnusable as error:
        raise ClusterUnusable(f"--ray-prices: {error}.") from error
    if not options.start:
        yield Cluster(_address(options), prices, allow_open=options.allow_open)
        return
    started = OneNodeCluster(data_dir, available_cores())
    try:
        await started.start()
        yield Cluster(started.address, prices, started.serve_port)
    finally:
        await started.stop()


def _address(options: RayOptions) -> WorkerAddress:
    if not options.address:
        raise ClusterUnusable("--engine ray needs --ray-address, or --ray-start for a cluster of one node.")
    try:
        token = Path(options.token_file).read_text(encoding="utf-8").strip() if options.token_file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ClusterUnusable(f"--ray-token-file: {options.token_file} cannot be read.") from error
    try:
        return parse_address(options.address, token)
    except ValueError as error:
        raise ClusterUnusable(f"--ray-address: {error}.") from error
