"""List the hardware an endpoint can run on."""

from typing import Annotated

from pydantic import BaseModel, Field

from inference_endpoints.deploy.offers import (
    QUOTAS_WITHOUT_PAYMENT_METHOD,
    Offer,
    cheapest_first,
    cloud_quotas,
    lack_payment_method,
    list_offers,
)
from inference_endpoints.errors import ADD_PAYMENT_METHOD, BadRequest
from inference_endpoints.transport import operations
from inference_endpoints_mcp.privacy.answer_text import Name, Word
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.tools.arguments import AcceleratorKind, Limit, Namespace, Offset
from inference_endpoints_mcp.tools.call_context import Call
from inference_endpoints_mcp.tools.outputs import BackendName, PagedOutput, backend_of_hardware, take_page
from inference_endpoints_mcp.tools.spec import Toolset, tool


class HardwareRow(BaseModel):
    """One instance. Memory is in GB, the price per replica."""

    hardware: Name
    accelerator: Word
    accelerators: int
    accelerator_memory_gb: float | None = None
    cpus: float | None = None
    memory_gb: float | None = None
    price_per_hour_usd: float | None = None
    status: Word
    available: bool = Field(description="Offered now, and within quota.")
    quota_left: int | None = None
    backend: BackendName


class HardwareOutput(PagedOutput):
    namespace: Name
    hardware: list[HardwareRow]


@tool(uses=operations.HARDWARE, toolset=Toolset.CATALOG, title="List hardware and prices")
async def get_vendors(
    call: Call,
    namespace: Namespace = "",
    vendor: Annotated[str, Field(max_length=32, description="E.g. aws.")] = "",
    accelerator: AcceleratorKind = "any",
    only_available: bool = True,
    limit: Limit = 20,
    offset: Offset = 0,
) -> HardwareOutput:
    """List hardware, cheapest first, with price, availability and the quota left. create_endpoint takes its ids."""
    namespace = await call.resolve_namespace(namespace)
    everything = list_offers(await call.hardware_cache.listing(namespace))
    vendors = sorted({offer.hardware.vendor for offer in everything})
    if vendor and vendor not in vendors:
        raise BadRequest("There is no such vendor.", hint=f"Vendors: {clean_line(', '.join(vendors), 200)}.")
    listed = [
        offer
        for offer in everything
        if (not vendor or offer.hardware.vendor == vendor) and accelerator in ("any", offer.hardware.accelerator)
    ]
    found = cheapest_first(offer for offer in listed if offer.available or not only_available)
    page, following = take_page([_row(offer, call.endpoints.backend.name) for offer in found], offset, limit)
    hidden = len(listed) - len(found)
    now = f"{len(page)} of {len(found)} shown, cheapest first. Prices are per replica and hour, in USD."
    if hidden:
        now += f" {hidden} more are unavailable or over quota (only_available=false shows them)."
    if lack_payment_method(cloud_quotas(everything)):
        now += f" {QUOTAS_WITHOUT_PAYMENT_METHOD} {ADD_PAYMENT_METHOD}"
    return HardwareOutput(
        namespace=namespace,
        hardware=page,
        total=len(found),
        next_offset=following,
        now=now,
    )


def _row(offer: Offer, backend: str) -> HardwareRow:
    instance = offer.instance
    return HardwareRow(
        hardware=offer.id,
        accelerator=instance.accelerator,
        accelerators=instance.num_accelerators,
        accelerator_memory_gb=instance.gpu_memory_gb,
        cpus=instance.num_cpus,
        memory_gb=instance.memory_gb,
        price_per_hour_usd=offer.price,
        status=instance.status,
        available=offer.available,
        quota_left=instance.quota.left if instance.quota else None,
        backend=backend_of_hardware(offer.id, backend),
    )
