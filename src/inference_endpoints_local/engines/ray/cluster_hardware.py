"""What a cluster has: its nodes, what is free on them, and the operator's names and prices."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inference_endpoints_local.engines.ray.resources import Resources
from inference_endpoints_local.models.catalogue import cores_of_replica, shipped_models
from inference_endpoints_local.models.instances import (
    LOCAL_REGION,
    OfferedInstance,
    accelerator_instance,
    cpu_instance,
    sizes,
)
from inference_endpoints_local.models.local_model import LocalModel
from inference_endpoints_local.state.record import EngineName, Spec, instance_size

DEFAULT_REGION = "cluster"
MAX_PRICE = 10_000.0
MAX_MEMORY_GB = 10_000.0
CPUS_PER_ACCELERATOR = 1.0
"""Of a replica: engines have a process for each."""


class AcceleratorFacts(BaseModel):
    """USD per hour for one accelerator of a type, and its memory in GB, which Ray does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_hour: Annotated[float | None, Field(ge=0, le=MAX_PRICE)] = None
    memory_gb: Annotated[float | None, Field(gt=0, le=MAX_MEMORY_GB)] = None


class ClusterPrices(BaseModel):
    """The operator's file: how the hardware is named, and USD per hour. Without a price the price is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=32)] = DEFAULT_REGION
    label: Annotated[str, Field(min_length=1, max_length=64)] = "Ray cluster"
    cpu_per_hour: Annotated[float | None, Field(ge=0, le=MAX_PRICE)] = None
    accelerators: dict[str, AcceleratorFacts] = Field(default_factory=dict)
    """By Ray's name of the type, such as A100."""


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
    """One node that is alive. `used` is what anyone took of all that it has."""

    id: str
    ip: str
    has: Resources
    used: Resources
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
            has=Resources.read(node["resources_total"]),
            used=Resources.read(
                {name: amounts[0] for name, amounts in (used_by_node.get(node["node_id"]) or {}).items()}
            ),
            memory_bytes=float(node["resources_total"].get("memory", 0.0)),
        )
        for node in sorted(listed, key=lambda node: str(node["node_id"]))
        if node.get("state") == "ALIVE"
    )


class ClusterHardware:
    """A cluster as hardware: its CPUs, and its accelerators by type, in the sizes that fit the largest node of each.

    `nodes` is what it had when last seen, and `unavailable_reason` why it cannot be used now.
    """

    engine: EngineName = "ray"

    def __init__(self, prices: ClusterPrices) -> None:
        self._prices = prices
        self.region = prices.region
        self.label = prices.label
        self.nodes: tuple[Node, ...] = ()
        self.unavailable_reason = ""

    def instances(self) -> Sequence[OfferedInstance]:
        kinds = sorted({node.has.kind for node in self.nodes if node.has.accelerators})
        return [*self._cpus(), *(offered for kind in kinds for offered in self._accelerators(kind))]

    def _cpus(self) -> Iterator[OfferedInstance]:
        largest = max(self.nodes, key=lambda node: node.has.cpus, default=None)
        for size in sizes(int(largest.has.cpus)) if largest else ():
            yield cpu_instance(
                self.region,
                size,
                memory_gb=_memory_gb(largest, size / largest.has.cpus) if largest else None,
                price_per_hour=_price(self._prices.cpu_per_hour, size),
                architecture="CPU of the cluster",
            )

    def _accelerators(self, kind: str) -> Iterator[OfferedInstance]:
        largest = max(
            (node for node in self.nodes if node.has.accelerators and node.has.kind == kind),
            key=lambda node: node.has.accelerators,
        )
        known = self._prices.accelerators.get(kind, AcceleratorFacts())
        for size in sizes(int(largest.has.accelerators)):
            yield accelerator_instance(
                self.region,
                instance_type(kind),
                size,
                num_cpus=CPUS_PER_ACCELERATOR * size,
                memory_gb=_memory_gb(largest, size / largest.has.accelerators),
                gpu_memory_gb=known.memory_gb * size if known.memory_gb else None,
                price_per_hour=_price(known.per_hour, size),
                architecture=kind or "Accelerator of the cluster",
            )

    def quota(self, instance_type_: str) -> int:
        """All that the cluster has of it: CPUs, or accelerators of that type."""
        if instance_type_ == "cpu":
            return int(sum(node.has.cpus for node in self.nodes))
        return int(sum(node.has.accelerators for node in self.nodes if instance_type(node.has.kind) == instance_type_))

    def needed(self, spec: Spec) -> Resources | None:
        """What a replica takes. None: the cluster has no node now with the accelerators that it needs."""
        compute = spec["compute"]
        if compute["accelerator"] == "cpu":
            return Resources(cores_of_replica(spec))
        count = instance_size(spec)
        having = (node.has for node in self.nodes if node.has.accelerators)
        kinds = [has.kind for has in having if instance_type(has.kind) == compute["instanceType"]]
        return Resources(CPUS_PER_ACCELERATOR * count, count, kinds[0]) if kinds else None

    def models(self) -> Sequence[LocalModel]:
        """Those that every node with the extra `ray-node` can run."""
        return [model for model in shipped_models() if model.worker.extra == "local"]


def instance_type(kind: str) -> str:
    """The name of an accelerator's type in documents, from Ray's."""
    return re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-") or "gpu"


def _price(per_hour: float | None, size: int) -> float | None:
    return None if per_hour is None else round(per_hour * size, 6)


def _memory_gb(node: Node, share: float) -> float | None:
    return round(node.memory_bytes / 1e9 * share, 1) or None
