"""Other hardware an endpoint could move to: of the same vendor and region, which no update can change."""

from collections.abc import Callable

from inference_endpoints.deploy.engines import family
from inference_endpoints.deploy.hardware import Offer, alternatives
from inference_endpoints.deploy.specs import EndpointChange
from inference_endpoints.diagnosis.facts import Facts
from inference_endpoints.diagnosis.finding import Act, Fix, Step

_SPREAD_BY_THEMSELVES = frozenset({"tgi"})


def onto(offer: Offer) -> EndpointChange:
    hardware = offer.hardware
    return EndpointChange(
        accelerator=hardware.accelerator,
        instance_type=hardware.instance_type,
        instance_size=hardware.instance_size,
    )


def other_hardware(facts: Facts) -> EndpointChange | None:
    """A move to the cheapest hardware of the same kind that can be had in the same place."""
    if facts.offer is None:
        return None
    found = alternatives(facts.offers or (), facts.offer, limit=1)
    return onto(found[0]) if found and found[0].place == facts.offer.place else None


def more_accelerator_memory(facts: Facts) -> EndpointChange | None:
    """A move to the cheapest hardware with more memory that the engine will use without being told more.

    Only engines that spread a model by themselves may get another number of accelerators.
    """
    spreads = family(facts.endpoint.model) in _SPREAD_BY_THEMSELVES

    def fits(offer: Offer) -> bool:
        return spreads or offer.instance.num_accelerators == facts.accelerators

    return _cheapest_with_more(facts, lambda offer: (offer.instance.gpu_memory_gb or 0.0) if fits(offer) else 0.0)


def more_host_memory(facts: Facts) -> EndpointChange | None:
    return _cheapest_with_more(facts, lambda offer: offer.instance.memory_gb or 0.0)


def larger(facts: Facts, change: EndpointChange | None, otherwise: str) -> Fix:
    """The fix that moves an endpoint to larger hardware, or says what is left if there is none."""
    if change is None:
        words = f"No larger hardware can be had in its place. {otherwise}"
        return Fix(words, (Step(Act.LIST_HARDWARE),))
    return Fix(f"Move it to hardware with more memory. {otherwise}", (Step(Act.UPDATE, change), Step(Act.WAIT)))


def _cheapest_with_more(facts: Facts, memory: Callable[[Offer], float]) -> EndpointChange | None:
    now = facts.offer
    if now is None:
        return None
    better = [
        offer
        for offer in facts.offers or ()
        if offer.place == now.place
        and offer.instance.accelerator == now.instance.accelerator
        and offer.available
        and memory(offer) > memory(now)
    ]
    priced = [offer for offer in better if offer.price is not None]
    return onto(min(priced, key=lambda offer: (offer.price or 0.0, offer.id))) if priced else None
