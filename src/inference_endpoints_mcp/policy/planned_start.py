"""A planned start of replicas: the endpoint as a request that is about to be sent would configure it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from inference_endpoints.deploy.offers import Offer
from inference_endpoints.deploy.plan import may_cost_more
from inference_endpoints.deploy.preflight import check_hardware_id
from inference_endpoints.models import MAX_SCALE_TO_ZERO_TIMEOUT_MIN, Endpoint, EndpointConfiguration, UpdateRequest
from inference_endpoints.transport import operations
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.operations import Request

START_OPERATIONS = frozenset({operations.CREATE.name, operations.UPDATE.name, operations.RESUME.name})
"""The operations after which replicas may run that did not before."""


@dataclass(frozen=True)
class PlannedStart:
    """An endpoint as it would be configured. `current` is the endpoint as it is, None for a new one; `change` is the
    body of the request, None for a call; `offers` is the hardware listed at this moment, empty where it was not read.
    """

    namespace: str
    after: EndpointConfiguration
    current: Endpoint | None = None
    wakes: bool = False
    change: UpdateRequest | None = None
    offers: Sequence[Offer] = ()

    @classmethod
    def of_request(cls, request: Request, current: Endpoint | None) -> "PlannedStart":
        """That of creating, updating or resuming. Raises `BadRequest` where a request names two kinds of hardware."""
        change = update_of(request)
        check_hardware_id(change, current)
        return cls(request.arguments["namespace"], change.applied_to(current), current, change=change)

    @classmethod
    def of_call(cls, call: EndpointCall) -> "PlannedStart":
        """That of calling an endpoint that is scaled to zero: a replica starts, and more may follow."""
        return cls(call.namespace, call.endpoint, call.endpoint, wakes=True)

    def at_prices_of(self, offers: Sequence[Offer]) -> "PlannedStart":
        """The same, with this listing."""
        return replace(self, offers=offers)

    @property
    def name(self) -> str:
        return self.after.name

    @property
    def most_replicas(self) -> int:
        return self.after.compute.scaling.most_replicas

    @property
    def offer(self) -> Offer | None:
        """Its hardware in the listing, of two that the document names the dearer; None where it is not listed, or the
        listing was not read."""
        named = (offer for offer in self.offers if offer.id in self.after.hardware_ids)
        return max(named, key=lambda offer: math.inf if offer.price is None else offer.price, default=None)

    @property
    def per_hour_at_most(self) -> float | None:
        """USD per hour at the most replicas; None where no price is published."""
        price = self.offer.price if self.offer else None
        return None if price is None else price * self.most_replicas

    @property
    def cannot_cost_more(self) -> bool:
        """Whether it is an update of an endpoint that cannot cost more afterwards than it may now."""
        if self.current is None or self.change is None or not self.change.model_fields_set:
            return False
        return not may_cost_more(self.after, self.current, self.offers)

    @property
    def keeps_replicas(self) -> bool:
        """Whether replicas run even if nobody calls it. Where no time-out was ever set, the service sets one."""
        scaling = self.after.compute.scaling
        if scaling.min_replica > 0:
            return True
        if scaling.scale_to_zero_timeout is not None:
            return scaling.scale_to_zero_timeout > MAX_SCALE_TO_ZERO_TIMEOUT_MIN
        given = self.change.compute.scaling if self.change and self.change.compute else None
        switched_off = given is not None and "scale_to_zero_timeout" in given.model_fields_set
        return switched_off or (self.current is not None and self.current.compute.scaling.min_replica == 0)


def update_of(request: Request) -> UpdateRequest:
    """The change that is requested; resuming has none."""
    return request.body if isinstance(request.body, UpdateRequest) else UpdateRequest()
