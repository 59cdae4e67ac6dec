"""A planned start of replicas: the endpoint as a request that is about to be sent would configure it."""

from dataclasses import dataclass

from inference_endpoints.models import Endpoint, EndpointConfiguration, UpdateRequest
from inference_endpoints.transport import operations
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.operations import Request

START_OPERATIONS = frozenset({operations.CREATE.name, operations.UPDATE.name, operations.RESUME.name})
"""The operations after which replicas may run that did not before."""


@dataclass(frozen=True)
class PlannedStart:
    """An endpoint as it would be configured. `current` is the endpoint as it is, None for a new one."""

    namespace: str
    after: EndpointConfiguration
    current: Endpoint | None = None
    wakes: bool = False

    @classmethod
    def of_request(cls, request: Request, current: Endpoint | None) -> "PlannedStart":
        """That of creating, updating or resuming."""
        return cls(request.arguments["namespace"], update_of(request).applied_to(current), current)

    @classmethod
    def of_call(cls, call: EndpointCall) -> "PlannedStart":
        """That of calling an endpoint that is scaled to zero: a replica starts, and more may follow."""
        return cls(call.namespace, call.endpoint, call.endpoint, wakes=True)

    @property
    def name(self) -> str:
        return self.after.name

    @property
    def most_replicas(self) -> int:
        return self.after.compute.scaling.most_replicas

    @property
    def cannot_cost_more(self) -> bool:
        """Whether the endpoint runs already and cannot cost more than it may now."""
        now = self.current
        if now is None or not now.state.billed or self.wakes:
            return False
        return self.after.hardware_id == now.hardware_id and self.most_replicas <= now.compute.scaling.most_replicas


def update_of(request: Request) -> UpdateRequest:
    """The change that is requested; resuming has none."""
    return request.body if isinstance(request.body, UpdateRequest) else UpdateRequest()
