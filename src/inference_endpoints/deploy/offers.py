"""Pure: which hardware is offered and available, and which to choose. Prices are in USD per hour."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inference_endpoints.deploy.request_validation import similar
from inference_endpoints.deploy.specs import Hardware
from inference_endpoints.errors import ADD_PAYMENT_METHOD, BadRequest, NoCapacity, PaymentRequired
from inference_endpoints.models import HardwareListing, Instance, Quota
from inference_endpoints.transport.backend import LOCAL

MAX_ALTERNATIVES = 2
"""Offers that are named beside the chosen or wanted one."""
QUOTAS_WITHOUT_PAYMENT_METHOD = "Your quota reads 0 because no payment method is set for Inference Endpoints."
_UNAVAILABLE = frozenset({"deprecated", "not_available"})


def is_this_machine(hardware_id: str) -> bool:
    """Whether this hardware id is of this machine, or of the operator's cluster. A local backend simulates all other
    hardware."""
    return hardware_id.startswith(f"{LOCAL}-")


def own_place(hardware_id: str) -> str:
    """What own hardware with this id is, for a sentence.

    >>> own_place("local-machine-cpu-x1"), own_place("local-rack-cpu-x1")
    ('this machine', 'your cluster')
    """
    return "this machine" if hardware_id.startswith(f"{LOCAL}-machine-") else "your cluster"


@dataclass(frozen=True)
class Offer:
    """An instance in a region, as the control plane offers it now."""

    hardware: Hardware
    instance: Instance

    @property
    def id(self) -> str:
        return self.instance.id

    @property
    def price(self) -> float | None:
        """USD per hour and replica."""
        return self.instance.price_per_hour

    @property
    def memory_gb(self) -> float:
        """GB of memory for a model: of all accelerators of a replica, or of the machine where it has none."""
        return self.instance.gpu_memory_gb or self.instance.memory_gb or 0.0

    @property
    def accelerators(self) -> int:
        """Accelerators of one replica; 1 for a CPU, whose cores the service counts as accelerators."""
        return 1 if self.instance.accelerator == "cpu" else self.instance.num_accelerators

    @property
    def place(self) -> tuple[str, str]:
        return self.hardware.vendor, self.hardware.region

    @property
    def instance_kind(self) -> tuple[str, str]:
        """Instance type and size, in whatever region."""
        return self.hardware.instance_type, self.hardware.instance_size

    @property
    def is_this_machine(self) -> bool:
        """Whether it is this machine, or the operator's cluster. A local backend simulates all other hardware."""
        return self.hardware.vendor == LOCAL

    @property
    def available(self) -> bool:
        """Whether one replica can be created now: offered, and within quota.

        The service's own interface and huggingface_hub's command line have the same rule.
        """
        quota = self.instance.quota
        within = quota is None or quota.left >= self.instance.num_accelerators
        return self.instance.status not in _UNAVAILABLE and within


def list_offers(listing: HardwareListing) -> list[Offer]:
    return [
        Offer(Hardware.of(vendor.name, region.name, instance), instance)
        for vendor, region, instance in listing.instances()
    ]


def find_offer(offers: Iterable[Offer], hardware_id: str) -> Offer | None:
    """The offer with this id; None if it is not listed."""
    return next((offer for offer in offers if offer.id == hardware_id), None)


def count_accelerators(hardware_id: str, listing: HardwareListing) -> int:
    """Accelerators of one replica; 1 where the hardware is not listed."""
    offer = find_offer(list_offers(listing), hardware_id)
    return offer.accelerators if offer else 1


def require_offer(offers: Sequence[Offer], hardware_id: str) -> Offer:
    """The offer with this id. Raises `BadRequest` with the nearest ids if it is not listed."""
    if (offer := find_offer(offers, hardware_id)) is not None:
        return offer
    near = [find_offer(offers, one) for one in similar(hardware_id, [offer.id for offer in offers])]
    listed = ", ".join(_priced(offer) for offer in near if offer is not None)
    raise BadRequest(
        "There is no such hardware.", hint=f"Nearest: {listed}." if listed else "get_vendors lists all hardware."
    )


def _priced(offer: Offer) -> str:
    """The id, the price and what keeps it from being used, for a list."""
    price = "no price" if offer.price is None else f"${offer.price:g}/h"
    return f"{offer.id} ({price}{'' if offer.available else ', not available now'})"


def choose_default_hardware(available: Sequence[Offer]) -> Offer:
    """The default hardware: this machine where the backend is local, else the cheapest GPU.

    Raises `NoCapacity` if none is available, `PaymentRequired` if that is the reason. A full machine is never replaced
    by simulated hardware.
    """
    local = any(offer.is_this_machine for offer in available)
    fitting = [
        offer for offer in available if (offer.is_this_machine if local else offer.instance.accelerator == "gpu")
    ]
    free = [offer for offer in fitting if offer.available and (local or offer.price is not None)]
    if not free:
        if not local:
            check_payment_method(available)
        where = f"on {own_place(fitting[0].id)}" if local else "within quota"
        raise NoCapacity(f"No hardware is available {where}.", hint="get_vendors shows why.")
    return cheapest_first(free)[0]


def check_payment_method(offers: Iterable[Offer]) -> None:
    """Raises `PaymentRequired` if the quotas of a namespace, in all its offers, are those of one that cannot pay."""
    if lack_payment_method(cloud_quotas(offers)):
        raise PaymentRequired(QUOTAS_WITHOUT_PAYMENT_METHOD, hint=ADD_PAYMENT_METHOD)


def cloud_quotas(offers: Iterable[Offer]) -> list[Quota]:
    """The quotas of all offers except this machine, where they are known."""
    return [offer.instance.quota for offer in offers if offer.instance.quota and not offer.is_this_machine]


def lack_payment_method(quotas: Iterable[Quota]) -> bool:
    """Whether these are the quotas of a namespace without a payment method: each of them is 0 (measured 2026-10)."""
    limits = [quota.max_accelerators for quota in quotas]
    return bool(limits) and not any(limits)


def find_alternatives(available: Sequence[Offer], wanted: Offer, *, same_region: bool = False) -> list[Offer]:
    """Other available hardware: first the cheapest in the same region, then the same instance in another region, then
    the cheapest.
    """
    others = [offer for offer in comparable_offers(available, wanted, same_region=same_region) if offer.id != wanted.id]
    near = [offer for offer in others if offer.place == wanted.place]
    same = [offer for offer in others if offer.instance_kind == wanted.instance_kind]
    each = {offer.id: offer for offer in [*near[:1], *same[:1], *near, *others]}
    return list(each.values())[:MAX_ALTERNATIVES]


def comparable_offers(offers: Iterable[Offer], wanted: Offer, *, same_region: bool = False) -> list[Offer]:
    """The available offers with `wanted`'s kind of accelerator, cheapest first; `wanted` itself is one of them.

    This machine is never comparable with simulated hardware.
    """
    kind = (wanted.is_this_machine, wanted.instance.accelerator)
    return cheapest_first(
        offer
        for offer in offers
        if offer.available
        and (offer.is_this_machine, offer.instance.accelerator) == kind
        and (not same_region or offer.place == wanted.place)
    )


def cheapest_first(offers: Iterable[Offer]) -> list[Offer]:
    """Offers without a price come last."""
    return sorted(
        offers,
        key=lambda one: (one.price if one.price is not None else float("inf"), one.instance.num_accelerators, one.id),
    )
