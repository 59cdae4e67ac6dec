"""What an endpoint is created with where its caller left that open."""

from dataclasses import dataclass, field
from typing import Any

from inference_endpoints.deploy.hardware import choose, find, offers
from inference_endpoints.deploy.recommend import Known, recommend
from inference_endpoints.deploy.specs import Hardware
from inference_endpoints.models import Endpoint, Vendors
from inference_endpoints_mcp.tools.catalog.get_recommended_config import known_of
from inference_endpoints_mcp.tools.context import CallScope
from inference_endpoints_mcp.tools.lifecycle.hardware_checks import accelerators_of


@dataclass(frozen=True)
class Asked:
    """What the caller said; empty where he did not. `own_engine`: his config has an image or framework of its own."""

    repository: str
    hardware: str = ""
    task: str = ""
    framework: str = ""
    own_engine: bool = False


@dataclass(frozen=True)
class Filled:
    """What to create with. `why` has a sentence for each choice; None is left to the service."""

    hardware: Hardware
    accelerators: int
    task: str | None = None
    framework: str | None = None
    image: dict[str, Any] | None = None
    why: list[str] = field(default_factory=list)


async def fill_in(call: CallScope, namespace: str, asked: Asked, current: Endpoint | None) -> Filled:
    """Choose what was left open: for an endpoint that exists its own, whether or not more of it could be had now.

    Raises `BadRequest` for hardware there is not, `NoCapacity` where nothing that fits can be had.
    """
    vendors = await call.listing.vendors(namespace)
    if current and asked.hardware in {"", current.hardware}:
        return _as_it_is(current, asked, vendors)
    available = offers(vendors)
    offer = find(available, asked.hardware) if asked.hardware else None
    if offer is None and any(one.here for one in available):
        offer = choose(available)  # simulated hardware is taken by name alone
    if offer is not None and offer.here:
        why = [] if asked.hardware else [f"Hardware: {offer.id}, the machine this backend is."]
        return Filled(offer.hardware, 1, asked.task or None, asked.framework or None, why=why)
    engine = asked.framework or ("custom" if asked.own_engine else "")
    nothing_open = asked.hardware and asked.task and engine
    known = Known(asked.repository) if nothing_open else await known_of(call.endpoints, asked.repository)
    found = recommend(known, available, offer=offer, task=asked.task, framework=engine)
    return Filled(
        hardware=found.offer.hardware,
        accelerators=found.offer.accelerators,
        task=found.task,
        framework=asked.framework or (None if asked.own_engine else found.framework),
        image=found.image,
        why=[*found.why],
    )


def names_engine(config: dict[str, Any]) -> bool:
    """Whether nested settings say what the model is run by."""
    model = config.get("model")
    return isinstance(model, dict) and bool({"image", "framework"} & model.keys())


def _as_it_is(endpoint: Endpoint, asked: Asked, vendors: Vendors) -> Filled:
    provider, compute, model = endpoint.provider, endpoint.compute, endpoint.model
    hardware = Hardware(
        vendor=provider.vendor,
        region=provider.region,
        accelerator=compute.accelerator,
        instance_type=compute.instance_type,
        instance_size=compute.instance_size,
    )
    own = asked.framework or asked.own_engine
    image = None if own or model.image is None else model.image.root
    framework = asked.framework or (None if asked.own_engine else model.framework)
    return Filled(hardware, accelerators_of(endpoint.hardware, vendors), asked.task or None, framework, image)
