"""What a change would bring about, told from the request that is about to be sent."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from inference_endpoints.deploy.plan import fewest_replicas, hardware_after, hardware_id, most_replicas
from inference_endpoints.models import Endpoint
from inference_endpoints.transport import operations
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.operations import Request

STARTS = frozenset({operations.CREATE.name, operations.UPDATE.name, operations.RESUME.name})
"""The operations after which replicas may run that did not before."""


@dataclass(frozen=True)
class Intent:
    """An endpoint as it would be. `current` is the endpoint as it is, None for a new one."""

    namespace: str
    name: str
    hardware: str
    accelerator: str
    repository: str
    type: str
    fewest: int
    most: int
    current: Endpoint | None = None
    wakes: bool = False

    @property
    def costs_no_more(self) -> bool:
        """Whether it runs already and could not cost more than it may now."""
        now = self.current
        if now is None or not now.state.billed or self.wakes:
            return False
        return self.hardware == now.hardware and self.most <= most_replicas({}, now)


def file_of(repository: str) -> Path | None:
    """The file of this machine a repository names, as an absolute path or a file:// address; None for the Hub's."""
    address = urlsplit(repository)
    path = Path(url2pathname(address.path)) if address.scheme == "file" else Path(repository)
    return path if path.is_absolute() else None


def names_file(request: Request) -> bool:
    """Whether a create or update body asks for a file of this machine."""
    return file_of(str(((request.body or {}).get("model") or {}).get("repository") or "")) is not None


def of_create(request: Request) -> Intent:
    body = request.body or {}
    provider, compute, model = (body.get(part) or {} for part in ("provider", "compute", "model"))
    return Intent(
        namespace=request.arguments["namespace"],
        name=str(body.get("name", "")),
        hardware=hardware_id(provider.get("vendor", ""), provider.get("region", ""), compute),
        accelerator=str(compute.get("accelerator", "")),
        repository=str(model.get("repository", "")),
        type=str(body.get("type", "")),
        fewest=fewest_replicas(body),
        most=most_replicas(body),
    )


def of_change(request: Request, current: Endpoint) -> Intent:
    """An update or a resume of an endpoint."""
    return _after(request.arguments["namespace"], current, request.body or {})


def of_wake(call: EndpointCall) -> Intent:
    """A call of an endpoint that is scaled to zero starts a replica, and more may follow."""
    return replace(_after(call.namespace, call.endpoint, {}), wakes=True)


def _after(namespace: str, current: Endpoint, body: dict[str, Any]) -> Intent:
    compute, model = (body.get(part) or {} for part in ("compute", "model"))
    return Intent(
        namespace=namespace,
        name=current.name,
        hardware=hardware_after(body, current),
        accelerator=str(compute.get("accelerator", current.compute.accelerator)),
        repository=str(model.get("repository", current.model.repository)),
        type=str(body.get("type", current.type.value)),
        fewest=fewest_replicas(body, current),
        most=most_replicas(body, current),
        current=current,
    )
