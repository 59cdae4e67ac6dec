"""The instances to deploy on: the operator's own, and with the simulation the public clouds with their prices."""

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

from inference_endpoints.models import Instance, format_hardware_id
from inference_endpoints_local.models.catalogue import installed_models
from inference_endpoints_local.models.cloud_capacity import CloudCapacity
from inference_endpoints_local.models.local_model import LocalModel
from inference_endpoints_local.state.record import EngineName
from inference_endpoints_local.wire import responses

LOCAL_VENDOR = "local"
LOCAL_REGION = "machine"

# Regions and labels: huggingface_hub 2.4.0 captures, September 2026.
REGIONS = {
    "aws": {
        "us-east-1": "N. Virginia",
        "us-east-2": "Ohio",
        "us-west-2": "Oregon",
        "eu-west-1": "Ireland",
    },
    "azure": {"eastus": "East US"},
    "gcp": {"us-east4": "N. Virginia"},
}
_NOT_SHOWN = {"vendor", "region", "num_cpus", "quota"}
"""What an instance has and its document has not: CPU instances of the service have no `numCpus`."""
UNAVAILABLE_STATUSES = frozenset({"not_available", "deprecated"})


class OfferedInstance(Instance):
    """An instance in one region of a vendor."""

    vendor: str
    region: str

    @property
    def quota_key(self) -> tuple[str, str]:
        """Quotas are per vendor and instance type (the service's quota document)."""
        return self.vendor, self.instance_type


class OwnHardware(Protocol):
    """The hardware of the operator, of vendor `local`. `engine` runs what is deployed on it."""

    @property
    def engine(self) -> EngineName: ...

    @property
    def region(self) -> str: ...

    @property
    def label(self) -> str:
        """The region for a person."""

    def instances(self) -> Sequence[OfferedInstance]:
        """What it offers now, the smallest first; none while it is not known."""

    @property
    def unavailable_reason(self) -> str:
        """Why it cannot be used now, for a person; empty if it can."""

    def quota(self, instance_type: str) -> int:
        """All that there is of a type: cores, or accelerators."""

    def models(self) -> Sequence[LocalModel]:
        """The models of the catalogue that it runs."""


class ThisMachine:
    """This machine as hardware: sizes x1, x2, x4 … up to its `cores`. A size is the number of a replica's threads."""

    engine: EngineName = "process"
    region = LOCAL_REGION
    label = "This machine"
    unavailable_reason = ""

    def __init__(self, cores: int) -> None:
        self._cores = cores
        memory = _memory_gb()
        self._instances = [
            cpu_instance(
                self.region,
                size,
                memory_gb=round(memory * size / cores, 1) if memory else None,
                price_per_hour=0.0,
                architecture="This machine's CPU",
            )
            for size in sizes(cores)
        ]

    def instances(self) -> Sequence[OfferedInstance]:
        return self._instances

    def quota(self, instance_type: str) -> int:
        return self._cores if instance_type == "cpu" else 0

    def models(self) -> Sequence[LocalModel]:
        return installed_models()


class InstanceCatalogue:
    """Every instance that this control plane knows."""

    def __init__(self, own: OwnHardware, simulated: bool, cloud_quota: int, capacity: CloudCapacity) -> None:
        self.own = own
        self.capacity = capacity
        self.simulated = simulated
        self._cloud_quota = cloud_quota

    def find(self, vendor: str, region: str, instance_type: str, instance_size: str) -> OfferedInstance | None:
        """Cloud instances are known even without the simulation, for endpoints deployed with it earlier."""
        wanted = format_hardware_id(vendor, region, instance_type, instance_size)
        return next((known for known in (*self.own.instances(), *self._in_clouds()) if known.id == wanted), None)

    def offered(self) -> list[OfferedInstance]:
        return [*self.own.instances(), *(self._in_clouds() if self.simulated else ())]

    def _in_clouds(self) -> Iterator[OfferedInstance]:
        """Those of the clouds, as available as their capacity makes them."""
        for instance in _clouds():
            status = self.capacity.status(instance.id, instance.status)
            yield instance if status == instance.status else instance.model_copy(update={"status": status})

    def engine(self, instance: OfferedInstance) -> EngineName:
        """The engine that runs what is deployed on it."""
        return self.own.engine if instance.vendor == LOCAL_VENDOR else "simulated"

    def quota(self, instance: OfferedInstance) -> int:
        return self.own.quota(instance.instance_type) if instance.vendor == LOCAL_VENDOR else self._cloud_quota

    def document(self, used: Mapping[tuple[str, str], int] | None) -> dict[str, Any]:
        """The document of `GET /v2/provider[/{namespace}]`, with the use of each quota by its key.

        Without `used` it is the public document, in which every quota is 0.
        """
        vendors: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for instance in self.offered():
            quota = {"maxAccelerators": 0, "usedAccelerators": 0}
            if used is not None:
                quota = {"maxAccelerators": self.quota(instance), "usedAccelerators": used.get(instance.quota_key, 0)}
            vendors.setdefault(instance.vendor, {}).setdefault(instance.region, []).append(
                instance.model_dump(by_alias=True, exclude=_NOT_SHOWN)
                | {"memoryGb": instance.memory_gb or 0.0, "quota": quota}
            )
        return {
            "vendors": [
                {
                    "name": vendor,
                    "status": "available",
                    "regions": [
                        {
                            "name": region,
                            "label": REGIONS.get(vendor, {}).get(region, self.own.label),
                            "status": "available",
                            "computes": computes,
                        }
                        for region, computes in regions.items()
                    ],
                }
                for vendor, regions in vendors.items()
            ]
        }

    def quotas(self, used: Mapping[tuple[str, str], int]) -> responses.QuotaListingDocument:
        """The document of `GET /v2/provider/quotas/{namespace}`: each instance type once, whatever its sizes."""
        vendors: dict[str, dict[str, responses.InstanceTypeQuotaDocument]] = {}
        for instance in self.offered():
            vendors.setdefault(instance.vendor, {})[instance.instance_type] = {
                "instanceType": instance.instance_type,
                "architecture": instance.architecture,
                "maxAccelerators": self.quota(instance),
                "usedAccelerators": used.get(instance.quota_key, 0),
            }
        return {"vendors": [{"name": vendor, "quotas": list(types.values())} for vendor, types in vendors.items()]}


def cloud_instance(hardware_id: str) -> OfferedInstance | None:
    """The instance of a public cloud with this id; None for this machine and for what is not known."""
    return next((instance for instance in _clouds() if instance.id == hardware_id), None)


def sizes(largest: int) -> list[int]:
    """Powers of two up to the number of cores, or of accelerators, that the largest machine has."""
    return [size for size in (2**power for power in range(8)) if size <= largest]


def cpu_instance(region: str, cores: int, **facts: Any) -> OfferedInstance:
    """Cores of the operator's own hardware."""
    return _offered(
        LOCAL_VENDOR,
        region,
        accelerator="cpu",
        instance_type="cpu",
        instance_size=f"x{cores}",
        num_accelerators=cores,
        **facts,
    )


def accelerator_instance(region: str, instance_type: str, accelerators: int, **facts: Any) -> OfferedInstance:
    """Accelerators of the operator's own hardware."""
    return _offered(
        LOCAL_VENDOR,
        region,
        accelerator="gpu",
        instance_type=instance_type,
        instance_size=f"x{accelerators}",
        num_accelerators=accelerators,
        **facts,
    )


def _memory_gb() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return None  # this platform does not report it


@cache
def _clouds() -> tuple[OfferedInstance, ...]:
    """The published price list (August 2026), and what users saw of hardware and regions until October 2026.

    Without a list of `regions` a type is offered in all of its vendor: the whole assignment is not published.
    """
    text = (files("inference_endpoints_local") / "data" / "hardware.csv").read_text(encoding="utf-8")
    return tuple(
        _offered(vendor, region, **{name: value or None for name, value in row.items()})
        for row in csv.DictReader(text.splitlines())
        for vendor, regions in [(row.pop("vendor"), row.pop("regions").split())]
        for region in regions or REGIONS[vendor]
    )


def _offered(vendor: str, region: str, **instance: Any) -> OfferedInstance:
    hardware_id = format_hardware_id(vendor, region, instance["instance_type"], instance["instance_size"])
    return OfferedInstance(id=hardware_id, vendor=vendor, region=region, **instance)
