"""List the hardware an endpoint can run on."""

from collections.abc import Sequence
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
from inference_endpoints.deploy.sizing.known_model import KnownModel
from inference_endpoints.deploy.sizing.recommend import holds
from inference_endpoints.engines.memory import ModelMemory
from inference_endpoints.errors import ADD_PAYMENT_METHOD, BadRequest, NotFound
from inference_endpoints.models import ModelSettings
from inference_endpoints.transport import operations
from inference_endpoints_mcp.privacy.answer_text import Name, Word
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.tools.arguments import AcceleratorKind, Limit, Namespace, Offset
from inference_endpoints_mcp.tools.call_context import Call
from inference_endpoints_mcp.tools.catalog.known_models import gather_known
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
    region: Annotated[str, Field(max_length=64, description="Or its beginning: eu-.")] = "",
    min_memory_gb: Annotated[float, Field(ge=0, description="Of all accelerators together.")] = 0,
    max_price_per_hour: Annotated[float, Field(ge=0, description="USD; 0: any.")] = 0,
    holds_model: Annotated[
        str, Field(max_length=512, description="Only what holds this model: an id on the Hub.")
    ] = "",
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
    known = await gather_known(call, holds_model) if holds_model else None
    listed = [
        offer
        for offer in everything
        if (not vendor or offer.hardware.vendor == vendor)
        and accelerator in ("any", offer.hardware.accelerator)
        and offer.hardware.region.startswith(region)
        and offer.memory_gb >= min_memory_gb
        and (not max_price_per_hour or (offer.price is not None and offer.price <= max_price_per_hour))
        and (known is None or _runs(offer, known))
    ]
    found = cheapest_first(offer for offer in listed if offer.available or not only_available)
    page, following = take_page([_row(offer, call.endpoints.backend.name) for offer in found], offset, limit)
    hidden = len(listed) - len(found)
    now = f"{len(page)} of {len(found)} shown, cheapest first. Prices are per replica and hour, in USD."
    if hidden:
        now += f" {hidden} more are unavailable or over quota (only_available=false shows them)."
    if known is not None:
        now += f" {_need(known, found)}"
    if not listed and region:
        regions = sorted({offer.hardware.region for offer in everything})
        now += f" Regions: {clean_line(', '.join(regions), 300)}."
    if lack_payment_method(cloud_quotas(everything)):
        now += f" {QUOTAS_WITHOUT_PAYMENT_METHOD} {ADD_PAYMENT_METHOD}"
    return HardwareOutput(
        namespace=namespace,
        hardware=page,
        total=len(found),
        next_offset=following,
        now=now,
    )


def _runs(offer: Offer, known: KnownModel) -> bool:
    """Whether a model runs on hardware: on this machine, what is suggested for it; elsewhere, what it fits."""
    if offer.is_this_machine:
        return bool(known.suggestion and known.suggestion.suggested_compute == offer.id)
    return holds(offer, known, known.task)


def _need(known: KnownModel, found: Sequence[Offer]) -> str:
    """What the model needs on the cheapest hardware found. Raises `NotFound` where that is not known."""
    memory = known.memory(ModelSettings(task=known.task), found[0].accelerators if found else 1)
    if isinstance(memory, ModelMemory):
        return f"The model needs {memory.need()}."
    if found:
        return "Its list of models names this machine for it."
    near = f" Similar names on the Hub: {', '.join(known.hub.near)}." if known.hub.near else ""
    raise NotFound(f"What this model needs is not known: {memory.reason}.", hint=near.strip())


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
