"""Offers to choose from."""

from typing import Any

from inference_endpoints.deploy.offers import Offer, list_offers
from inference_endpoints.models import HardwareListing


def instance(type_: str, price: float | None, size: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "instanceType": type_,
        "instanceSize": f"x{size}",
        "accelerator": "cpu" if type_ in {"cpu", "intel"} else "gpu",
        "numAccelerators": size,
        "pricePerHour": price,
        **more,
    }


def offers_at(**places: list[dict[str, Any]]) -> list[Offer]:
    """Offers by place, `aws_east=[…]`."""
    vendors = []
    for place, computes in places.items():
        vendor, _, region = place.partition("_")
        named = [{"id": f"{vendor}-{region}-{c['instanceType']}-{c['instanceSize']}", **c} for c in computes]
        vendors.append({"name": vendor, "regions": [{"name": region, "computes": named}]})
    return list_offers(HardwareListing.model_validate({"vendors": vendors}))
