"""Pure: what a change takes from the quota of its hardware, and what it leaves."""

from collections.abc import Sequence

from inference_endpoints.deploy.offers import Offer, find_offer
from inference_endpoints.models import Endpoint, EndpointConfiguration
from inference_endpoints.models.status import InferenceEndpointStatus as State


def quota_left(
    offer: Offer | None, after: EndpointConfiguration, current: Endpoint | None, known: Sequence[Offer]
) -> int | None:
    """Accelerators that a change leaves of the quota of its hardware; None where that is not known."""
    more = quota_taken(offer, after, current, known)
    quota = offer.instance.quota if offer else None
    return None if quota is None or more is None else quota.left - more


def quota_taken(
    offer: Offer | None, after: EndpointConfiguration, current: Endpoint | None, known: Sequence[Offer]
) -> int | None:
    """Accelerators that a change takes from the quota of its hardware: replicas that are replaced count once.

    Every endpoint that is not paused counts with its maximum of replicas (the service's documentation); on this machine
    with those that run.
    """
    if offer is None or offer.instance.quota is None:
        return None
    if current is not None and current.state is State.PAUSED and after is not current:
        return 0  # it stays paused
    wanted = after.compute.scaling.most_replicas * offer.instance.num_accelerators
    before = find_offer(known, current.hardware_id) if current else None
    if current is None or before is None or current.state is State.PAUSED or _quota_of(before) != _quota_of(offer):
        return wanted
    scaling, status = current.compute.scaling, current.status
    current_replicas = status.target_replica if before.is_this_machine else scaling.most_replicas
    return wanted - current_replicas * before.instance.num_accelerators


def _quota_of(offer: Offer) -> tuple[str, str]:
    """A quota is for an instance type of a vendor, whatever the size and region."""
    return offer.hardware.vendor, offer.hardware.instance_type
