"""The listings of hardware, with prices, and of quotas."""

import math
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from inference_endpoints.models.api_model import ApiModel, ApiModelWithRaw


class Quota(ApiModel):
    """Accelerators of one kind a namespace may use (CPU instances count their own)."""

    max_accelerators: int = 0
    used_accelerators: int = 0

    @property
    def left(self) -> int:
        return max(0, self.max_accelerators - self.used_accelerators)


def _positive_price(price: float | None) -> float | None:
    return price if price is not None and 0 <= price < math.inf else None


class Instance(ApiModel):
    """One instance type and size in one region. Memory in GB, prices in USD per hour and replica; a price below zero or
    without end is none."""

    id: str
    accelerator: str = ""
    num_accelerators: int = 1
    num_cpus: float | None = None
    memory_gb: Annotated[float | None, AfterValidator(lambda known: known or None)] = None
    gpu_memory_gb: float | None = None
    instance_type: str = ""
    instance_size: str = ""
    architecture: str = ""
    status: str = "available"
    price_per_hour: Annotated[float | None, AfterValidator(_positive_price)] = None
    quota: Quota | None = None


class Region(ApiModel):
    name: str
    label: str | None = None
    status: str = "available"
    computes: list[Instance] = Field(default_factory=list)


class Vendor(ApiModel):
    name: str
    status: str = "available"
    regions: list[Region] = Field(default_factory=list)


class HardwareListing(ApiModelWithRaw):
    """The answer of `GET /v2/provider[/{namespace}]`."""

    vendors: list[Vendor] = Field(default_factory=list)

    def instances(self) -> Iterator[tuple[Vendor, Region, Instance]]:
        """Every instance with its vendor and region, in the order of the response."""
        for vendor in self.vendors:
            for region in vendor.regions:
                for instance in region.computes:
                    yield vendor, region, instance


class InstanceTypeQuota(Quota):
    """The quota for one instance type of a vendor, whatever the size and region."""

    instance_type: str = ""
    architecture: str = ""


class VendorQuotas(ApiModel):
    name: str
    quotas: list[InstanceTypeQuota] = Field(default_factory=list)


class QuotaListing(ApiModelWithRaw):
    """The answer of `GET /v2/provider/quotas/{namespace}`."""

    vendors: list[VendorQuotas] = Field(default_factory=list)

    def each(self) -> Iterator[tuple[str, InstanceTypeQuota]]:
        """Every quota with the name of its vendor, in the order of the response."""
        for vendor in self.vendors:
            for quota in vendor.quotas:
                yield vendor.name, quota
