"""Chooses the settings of a new endpoint that its caller does not give."""

from dataclasses import dataclass, field
from typing import Any

from inference_endpoints.deploy.hardware import choose_default_hardware, offers, require_offer
from inference_endpoints.deploy.recommend import KnownModel, recommend
from inference_endpoints.deploy.specs import Hardware
from inference_endpoints.models import Endpoint, Vendors
from inference_endpoints_mcp.tools.call_context import CallContext
from inference_endpoints_mcp.tools.catalog.get_recommended_config import gather_known
from inference_endpoints_mcp.tools.lifecycle.hardware_checks import count_accelerators


@dataclass(frozen=True)
class GivenSettings:
    """Settings from the caller; empty where not given. `own_engine`: `config` has its own image or framework."""

    repository: str
    hardware: str = ""
    task: str = ""
    framework: str = ""
    own_engine: bool = False


@dataclass(frozen=True)
class ChosenSettings:
    """The settings to create with. `why` has a sentence for each choice; the service chooses where one is None."""

    hardware: Hardware
    accelerators: int
    task: str | None = None
    framework: str | None = None
    image: dict[str, Any] | None = None
    why: list[str] = field(default_factory=list)


async def choose_settings(
    call: CallContext, namespace: str, given: GivenSettings, current: Endpoint | None
) -> ChosenSettings:
    """Choose the settings that are not given. An existing endpoint keeps its own, even where they are sold out.

    Raises `BadRequest` for unknown hardware, `NoCapacity` where no hardware that fits is available.
    """
    vendors = await call.hardware.vendors(namespace)
    if current and given.hardware in {"", current.hardware}:
        return _settings_of(current, given, vendors)
    available = offers(vendors)
    offer = require_offer(available, given.hardware) if given.hardware else None
    if offer is None and any(one.is_this_machine for one in available):
        offer = choose_default_hardware(available)  # simulated hardware is used only where it is named
    if offer is not None and offer.is_this_machine:
        why = [] if given.hardware else [f"Hardware: {offer.id}, this machine."]
        return ChosenSettings(offer.hardware, 1, given.task or None, given.framework or None, why=why)
    engine = given.framework or ("custom" if given.own_engine else "")
    nothing_open = given.hardware and given.task and engine
    known = KnownModel(given.repository) if nothing_open else await gather_known(call.endpoints, given.repository)
    found = recommend(known, available, offer=offer, task=given.task, framework=engine)
    return ChosenSettings(
        hardware=found.offer.hardware,
        accelerators=found.offer.accelerators,
        task=found.task,
        framework=given.framework or (None if given.own_engine else found.framework),
        image=found.image,
        why=[*found.why],
    )


def names_engine(config: dict[str, Any]) -> bool:
    """Whether the nested settings name what runs the model."""
    model = config.get("model")
    return isinstance(model, dict) and bool({"image", "framework"} & model.keys())


def _settings_of(endpoint: Endpoint, given: GivenSettings, vendors: Vendors) -> ChosenSettings:
    provider, compute, model = endpoint.provider, endpoint.compute, endpoint.model
    hardware = Hardware(
        vendor=provider.vendor,
        region=provider.region,
        accelerator=compute.accelerator,
        instance_type=compute.instance_type,
        instance_size=compute.instance_size,
    )
    own = given.framework or given.own_engine
    image = None if own or model.image is None else model.image.root
    framework = given.framework or (None if given.own_engine else model.framework)
    return ChosenSettings(
        hardware, count_accelerators(endpoint.hardware, vendors), given.task or None, framework, image
    )
