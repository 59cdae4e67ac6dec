"""Moves to other hardware of the same vendor in the same region: a move elsewhere could change the URL."""

from collections.abc import Callable

from inference_endpoints.deploy.offers import Offer, comparable_offers
from inference_endpoints.deploy.sizing.memory_check import cheapest_that_holds
from inference_endpoints.deploy.specs import EndpointChange
from inference_endpoints.diagnosis.evidence import Evidence
from inference_endpoints.diagnosis.finding import LIST_HARDWARE, Remedy, remedy_by_update
from inference_endpoints.engines.engine_settings import engine_name

_SHARDS_BY_ITSELF = frozenset({"tgi"})


def cheapest_available(evidence: Evidence) -> Offer | None:
    """The cheapest other hardware of the same kind that is available, and holds the model as far as that is known."""
    if evidence.offer is None:
        return None
    if evidence.memory_check is not None:
        return cheapest_with_enough_memory(evidence)
    available = comparable_offers(evidence.offers or (), evidence.offer, same_region=True)
    return next((offer for offer in available if offer.id != evidence.offer.id), None)


def cheapest_with_enough_memory(evidence: Evidence) -> Offer | None:
    """The cheapest other available hardware that holds the model with its engine as it is set."""
    if evidence.offer is None:
        return None
    others = [offer for offer in evidence.offers or () if offer.id != evidence.offer.id]
    model = evidence.endpoint.model
    return cheapest_that_holds(evidence.known_model, model, others, like=evidence.offer, same_place=True)


def more_accelerator_memory(evidence: Evidence) -> Offer | None:
    """The cheapest hardware with more memory that the engine uses without other settings.

    Only for an engine that shards a model by itself may the number of accelerators change.
    """
    shards_by_itself = engine_name(evidence.endpoint.model) in _SHARDS_BY_ITSELF

    def usable_memory(offer: Offer) -> float:
        usable = shards_by_itself or offer.instance.num_accelerators == evidence.accelerators
        return (offer.instance.gpu_memory_gb or 0.0) if usable else 0.0

    return _cheapest_with_more(evidence, usable_memory)


def more_host_memory(evidence: Evidence) -> Offer | None:
    return _cheapest_with_more(evidence, lambda offer: offer.instance.memory_gb or 0.0)


def remedy_by_move(evidence: Evidence, offer: Offer | None, why: str, otherwise: str) -> Remedy:
    """The remedy that moves an endpoint to hardware, with the price before and after; or what is left if there is
    none. `why` follows the name of the hardware."""
    if offer is None:
        return Remedy(f"No hardware that would help is available in its region. {otherwise}", (LIST_HARDWARE,))
    now = evidence.offer.price if evidence.offer else None
    before = f", now ${now:g}/h" if now is not None else ""
    there = f"{offer.id} ({offer.memory_gb:g} GB, ${offer.price or 0:g}/h for each replica{before})"
    return remedy_by_update(EndpointChange(**offer.hardware.instance), f"Move it to {there}{why}. {otherwise}")


def _cheapest_with_more(evidence: Evidence, memory: Callable[[Offer], float]) -> Offer | None:
    current = evidence.offer
    if current is None:
        return None
    available = comparable_offers(evidence.offers or (), current, same_region=True)
    return next((one for one in available if one.price is not None and memory(one) > memory(current)), None)
