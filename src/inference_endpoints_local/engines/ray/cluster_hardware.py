"""What a cluster has: its nodes, what is free on them, and the operator's names and prices."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inference_endpoints_local.models.catalogue import shipped_models
from inference_endpoints_local.models.instances import LOCAL_REGION, OfferedInstance, cpu_instance, cpu_sizes
from inference_endpoints_local.models.local_model import LocalModel
from inference_endpoints_local.state.record import EngineName

DEFAULT_REGION = "cluster"
MAX_PRICE = 10_000.0


class ClusterPrices(BaseModel):
    """The operator's file: how the hardware is named, and USD per hour. Without a price the price is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=32)] = DEFAULT_REGION
    label: Annotated[str, Field(min_length=1, max_length=64)] = "Ray cluster"
    cpu_per_hour: Annotated[float | None, Field(ge=0, le=MAX_PRICE)] = None


class PricesUnusable(ValueError):
    """The file of prices cannot be used. The message states why."""


def read_prices(path: Path | None) -> ClusterPrices:
    """The names and prices of a TOML file; the defaults without one. Raises PricesUnusable."""
    if path is None:
        return ClusterPrices()
    try:
        prices = ClusterPrices.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PricesUnusable(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        where = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise PricesUnusable(f"{path} is no file of prices: {where}") from error
    if prices.region == LOCAL_REGION:
        raise PricesUnusable(f"{path}: region: {LOCAL_REGION} is the name of the plane's own machine")
    return prices


@dataclass(frozen=True)
class Node:
    """One node that is alive. `used` CPUs are those that anyone took."""

    id: str
    ip: str
    cpus: float
    used: float
    memory_bytes: float


def read_nodes(nodes: Mapping[str, Any], usage: Mapping[str, Any]) -> tuple[Node, ...]:
    """From Ray's answers. Its usage is some seconds old, and is missing on a cluster without its monitor."""
    listed = ((nodes.get("data") or {}).get("result") or {}).get("result") or ()
    status = (usage.get("data") or {}).get("clusterStatus") or {}
    used_by_node = (status.get("loadMetricsReport") or {}).get("usageByNode") or {}
    return tuple(
        Node(
            id=node["node_id"],
            ip=node.get("node_ip") or "",
            cpus=float(node["resources_total"].get("CPU", 0.0)),
            used=float((used_by_node.get(node["node_id"]) or {}).get("CPU", (0.0,))[0]),
            memory_bytes=float(node["resources_total"].get("memory", 0.0)),
        )
        for node in sorted(listed, key=lambda node: str(node["node_id"]))
        if node.get("state") == "ALIVE"
    )


def count_room(free: Iterable[float], waiting: Iterable[float], cores: float) -> int:
    """How many further replicas of so many CPUs fit on nodes with so many free ones, after those that wait."""
    left = sorted(free, reverse=True)
    for needed in sorted(waiting, reverse=True):
        for index, available in enumerate(left):
            if available >= needed:
                left[index] -= needed
                break
    return sum(int(available / cores + 1e-9) for available in left)


class ClusterHardware:
    """A cluster's CPUs as hardware, in the sizes that fit its largest node. `nodes` is what it had when last seen, and
    `lack` why it cannot be used now."""

    engine: EngineName = "ray"

    def __init__(self, prices: ClusterPrices) -> None:
        self._prices = prices
        self.region = prices.region
        self.label = prices.label
        self.nodes: tuple[Node, ...] = ()
        self.lack = ""

    def instances(self) -> Sequence[OfferedInstance]:
        largest = max(self.nodes, key=lambda node: node.cpus, default=None)
        if largest is None:
            return ()
        price = self._prices.cpu_per_hour
        return [
            cpu_instance(
                self.region,
                size,
                memory_gb=round(largest.memory_bytes / 1e9 * size / largest.cpus, 1) or None,
                price_per_hour=None if price is None else round(price * size, 6),
                architecture="CPU of the cluster",
            )
            for size in cpu_sizes(int(largest.cpus))
        ]

    def cores(self) -> int:
        return int(sum(node.cpus for node in self.nodes))

    def models(self) -> Sequence[LocalModel]:
        """Those that every node with the extra `ray-node` can run."""
        return [model for model in shipped_models() if model.worker.extra == "local"]
