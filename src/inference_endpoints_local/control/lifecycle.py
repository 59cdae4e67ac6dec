"""The lifecycle requests: in which states they are refused, and which wanted state they set."""

import secrets
import string
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from inference_endpoints.models import InferenceEndpointStatus as State
from inference_endpoints_local.control import validation
from inference_endpoints_local.control.executor import Executor
from inference_endpoints_local.control.managed_endpoint import ManagedEndpoint
from inference_endpoints_local.control.placement import Placement
from inference_endpoints_local.control.quota import exceeds_quota, quota_usage
from inference_endpoints_local.control.request_refused import RequestRefused
from inference_endpoints_local.engines.engine import Engine
from inference_endpoints_local.models.instances import LOCAL_VENDOR, InstanceCatalogue
from inference_endpoints_local.state import audit_event
from inference_endpoints_local.state.audit_event import Actor
from inference_endpoints_local.state.clock import wall_ns
from inference_endpoints_local.state.log_store import LogStore
from inference_endpoints_local.state.record import EndpointRecord, PowerState, Spec, replica_spec

_ALPHABET = string.ascii_lowercase + string.digits


class Lifecycle:
    """The endpoints of one namespace. Raises RequestRefused, InvalidRequest or NotSaved; then nothing was changed."""

    def __init__(
        self,
        executor: Executor,
        engines: Mapping[str, Engine],
        instances: InstanceCatalogue,
        logs: LogStore,
        namespace: str,
        *,
        payment_method: bool,
    ) -> None:
        self._executor = executor
        self._placement = Placement(instances, engines)
        self.instances = instances
        self.logs = logs
        self.namespace = namespace
        self.payment_method = payment_method

    def endpoints(self) -> Iterator[ManagedEndpoint]:
        return (endpoint for endpoint in self._executor if endpoint.record.namespace == self.namespace)

    def find(self, name: str) -> ManagedEndpoint:
        endpoint = self._executor.find(self.namespace, name)
        if endpoint is None:
            raise RequestRefused(404, f"Not Found: endpoint {name}")
        return endpoint

    async def create(self, body: dict[str, Any], by: Actor) -> ManagedEndpoint:
        spec = validation.validate_create(body)
        self._check_name(spec["name"])
        spec, instance = await self._placement.place(spec)
        self._check_name(spec["name"])  # again: it could be taken meanwhile
        if instance.vendor != LOCAL_VENDOR and not self.payment_method:
            raise RequestRefused(403, f"Forbidden: Payment method required for namespace: {self.namespace}")
        now = wall_ns()
        record = EndpointRecord(
            id="".join(secrets.choice(_ALPHABET) for _ in range(16)),
            namespace=self.namespace,
            name=spec["name"],
            engine=self.instances.engine(instance),
            spec=spec,
            created_ns=now,
            updated_ns=now,
        )
        self._check_quota(record, None)
        return self._executor.add(record, audit_event.created(record, by))

    async def update(self, name: str, body: dict[str, Any], by: Actor) -> ManagedEndpoint:
        while True:
            current = self.find(name).record.spec
            spec = await self._updated(current, body)
            endpoint = self.find(name)
            if endpoint.record.spec is current:
                break  # else another request changed it meanwhile
        record = endpoint.record.updated(spec, wall_ns())
        self._check_quota(record, endpoint)
        self._executor.change(endpoint, record, *audit_event.updated(current, record, by))
        return endpoint

    async def _updated(self, current: Spec, body: dict[str, Any]) -> Spec:
        spec = validation.validate_update(current, body)
        if replica_spec(spec) == replica_spec(current):
            return spec
        if spec["model"]["repository"] != current["model"]["repository"] and "task" not in body["model"]:
            spec["model"]["task"] = None  # it is the old model's task; the new model has its own default
        if len({each["provider"]["vendor"] == LOCAL_VENDOR for each in (spec, current)}) > 1:
            raise RequestRefused(
                400,
                "Bad Request: an endpoint cannot move between this machine and the simulated cloud; create another one "
                "there, then delete this one",
            )
        spec, _ = await self._placement.place(spec)
        return spec

    def delete(self, endpoint: ManagedEndpoint, by: Actor) -> None:
        self._executor.remove(endpoint, audit_event.deleted(endpoint.record, by))

    def pause(self, endpoint: ManagedEndpoint, by: Actor) -> ManagedEndpoint:
        """Allowed in every state. Pausing a paused endpoint succeeds and changes nothing."""
        if endpoint.record.power is not PowerState.PAUSED:
            paused = endpoint.record.with_power(PowerState.PAUSED, wall_ns())
            self._executor.change(endpoint, paused, audit_event.paused(paused, by))
        return endpoint

    def resume(self, endpoint: ManagedEndpoint, by: Actor) -> ManagedEndpoint:
        """Start a paused, scaled-to-zero or failed endpoint. Resuming a starting one succeeds and changes nothing."""
        if endpoint.status.state in (State.RUNNING, State.UPDATING, State.UPDATE_FAILED):
            # huggingface_hub searches the body of a 400 for the last two words.
            raise RequestRefused(400, "Bad Request: Endpoint is already running")
        if endpoint.status.state in (State.PAUSED, State.SCALED_TO_ZERO, State.FAILED):
            record = endpoint.record.resumed(wall_ns())
            self._check_quota(record, endpoint)
            self._executor.change(endpoint, record, audit_event.resumed(record, by))
        return endpoint

    def scale_to_zero(self, endpoint: ManagedEndpoint, by: Actor) -> ManagedEndpoint:
        """Allowed in every state where the endpoint has a time-out for it (the service's OpenAPI document 2.0.0)."""
        if endpoint.record.idle_timeout_s is None:
            raise RequestRefused(400, "Bad Request: workload cannot be scaled to zero")
        if endpoint.record.power is not PowerState.SCALED_TO_ZERO:
            scaled = endpoint.record.with_power(PowerState.SCALED_TO_ZERO, wall_ns())
            self._executor.change(endpoint, scaled, audit_event.scaled_to_zero(scaled, by))
        return endpoint

    def quota_usage(self) -> Counter[tuple[str, str]]:
        """The use of each quota, by vendor and instance type: accelerators, on this machine cores."""
        return quota_usage(self.endpoints())

    def _check_name(self, name: str) -> None:
        if self._executor.find(self.namespace, name):
            raise RequestRefused(409, f"Conflict: an endpoint named {name} already exists")

    def _check_quota(self, record: EndpointRecord, endpoint: ManagedEndpoint | None) -> None:
        """Raises RequestRefused if the endpoint requests more than it uses now, and more than the quota."""
        if exceeds_quota(record, endpoint, self.endpoints(), self._quota_of):
            raise RequestRefused(409, "Conflict: Quota exceeded")

    def _quota_of(self, spec: Spec) -> int:
        return self.instances.quota(self._placement.instance(spec))
