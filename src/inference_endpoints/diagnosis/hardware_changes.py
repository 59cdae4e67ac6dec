"""Moves to other hardware of the same vendor in the same region: a move elsewhere could change the URL."""

from collections.abc import Callable

from inference_endpoints.deploy.memory_check import cheapest_that_holds
from inference_endpoints.deploy.offers import Offer, comparable_offers
from inference_endpoints.deploy.specs import EndpointChange
from inference_endpoints.diagnosis.evidence import Evidence
from inference_endpoints.diagnosis.finding import LIST_HARDWARE, Remedy, remedy_by_update
from inference_endpoints.engines.engine_settings import engine_name

_SHARDS_BY_ITSELF = frozenset({"tgi"})


def move_to_available(evidence: Evidence) -> EndpointChange | None:
    """A move to the cheapest available hardware of the same kind."""
    if evidence.offer is None:
        return None
    available = comparable_offers(evidence.offers or (), evidence.offer, same_region=True)
    others = [offer for offer in available if offer.id != evidence.offer.id]
    return EndpointChange(**others[0].hardware.instance) if others else None


def cheapest_with_enough_memory(evidence: Evidence) -> Offer | None:
    """The cheapest available hardware in the same region that holds the model with its engine as it is set."""
    if evidence.offer is None:
        return None
    model = evidence.endpoint.model
    offers = evidence.offers or ()
    return cheapest_that_holds(evidence.known_model, model, offers, like=evidence.offer, same_place=True)


def move_to_more_accelerator_memory(evidence: Evidence) -> EndpointChange | None:
    """A move to the cheapest hardware with more memory that the engine uses without other settings.

    Only for an engine that shards a model by itself may the number of accelerators change.
    """
    shards_by_itself = engine_name(evidence.endpoint.model) in _SHARDS_BY_ITSELF

    def usable_memory(offer: Offer) -> float:
        usable = shards_by_itself or offer.instance.num_accelerators == evidence.accelerators
        return (offer.instance.gpu_memory_gb or 0.0) if usable else 0.0

    return _move_to_cheapest_with_more(evidence, usable_memory)


def move_to_more_host_memory(evidence: Evidence) -> EndpointChange | None:
    return _move_to_cheapest_with_more(evidence, lambda offer: offer.instance.memory_gb or 0.0)


def remedy_by_move(change: EndpointChange | None, otherwise: str) -> Remedy:
    """The remedy that moves an endpoint to hardware with more memory, or what is left if there is none."""
    if change is None:
        return Remedy(f"No hardware with more memory is available in its region. {otherwise}", (LIST_HARDWARE,))
    return remedy_by_update(change, f"Move it to hardware with more memory. {otherwise}")


def _move_to_cheapest_with_more(evidence: Evidence, memory: Callable[[Offer], float]) -> EndpointChange | None:
    current = evidence.offer
    if current is None:
        return None
    larger = [
        offer
        for offer in comparable_offers(evidence.offers or (), current, same_region=True)
        if offer.price is not None and memory(offer) > memory(current)
    ]
    return EndpointChange(**larger[0].hardware.instance) if larger else None
