"""The lifecycle requests: in which states they are refused, and which wanted state they set."""

import secrets
import string
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from inference_endpoints.models import PARALLELISM_SETTINGS
from inference_endpoints.models import InferenceEndpointStatus as State
from inference_endpoints_local.control import validation
from inference_endpoints_local.control.executor import Executor
from inference_endpoints_local.control.managed_endpoint import ManagedEndpoint
from inference_endpoints_local.engines.engine import CannotRun, Engine
from inference_endpoints_local.models.instances import (
    LOCAL_VENDOR,
    UNAVAILABLE_STATUSES,
    InstanceCatalogue,
    OfferedInstance,
)
from inference_endpoints_local.state.audit_event import Actor, AuditAction, audit_event, changed_settings
from inference_endpoints_local.state.clock import wall_ns
from inference_endpoints_local.state.log_store import LogStore
from inference_endpoints_local.state.record import EndpointRecord, PowerState, Spec, instance_size, replica_spec

_ALPHABET = string.ascii_lowercase + string.digits


class RequestRefused(Exception):
    """A request is refused. `status` is the HTTP status, the message is the error text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Lifecycle:
    """The endpoints of one namespace. Raises RequestRefused, InvalidRequest or NotSaved; then nothing was changed."""

    def __init__(
        self,
        executor: Executor,
        engines: Mapping[str, Engine],
        instances: InstanceCatalogue,
        logs: LogStore,
        namespace: str,
    ) -> None:
        self._executor = executor
        self._engines = engines
        self.instances = instances
        self.logs = logs
        self.namespace = namespace

    def endpoints(self) -> Iterator[ManagedEndpoint]:
        return (endpoint for endpoint in self._executor if endpoint.record.namespace == self.namespace)

    def find(self, name: str) -> ManagedEndpoint:
        endpoint = self._executor.find(self.namespace, name)
        if endpoint is None:
            raise RequestRefused(404, f"Not Found: endpoint {name}")
        return endpoint

    def create(self, body: dict[str, Any], by: Actor) -> ManagedEndpoint:
        spec = validation.validate_create(body)
        if self._executor.find(self.namespace, spec["name"]):
            raise RequestRefused(409, f"Conflict: an endpoint named {spec['name']} already exists")
        spec, instance = self._resolve_instance_and_task(spec)
        now = wall_ns()
        record = EndpointRecord(
            id="".join(secrets.choice(_ALPHABET) for _ in range(16)),
            namespace=self.namespace,
            name=spec["name"],
            engine=_engine_for(instance),
            spec=spec,
            created_ns=now,
            updated_ns=now,
        )
        self._check_quota(record, None)
        return self._executor.add(record, audit_event(record, AuditAction.CREATED, by))

    def update(self, endpoint: ManagedEndpoint, body: dict[str, Any], by: Actor) -> ManagedEndpoint:
        current = endpoint.record
        spec = validation.validate_update(current.spec, body)
        if replica_spec(spec) != replica_spec(current.spec):
            if spec["model"]["repository"] != current.spec["model"]["repository"] and "task" not in body["model"]:
                spec["model"]["task"] = None  # it is the old model's task; the new model has its own default
            spec, _ = self._resolve_instance_and_task(spec)
        record = current.updated(spec, wall_ns())
        self._check_quota(record, endpoint)
        self._executor.change(
            endpoint, record, audit_event(record, AuditAction.UPDATED, by, changed_settings(current.spec, spec))
        )
        return endpoint

    def delete(self, endpoint: ManagedEndpoint, by: Actor) -> None:
        self._executor.remove(endpoint, audit_event(endpoint.record, AuditAction.DELETED, by))

    def pause(self, endpoint: ManagedEndpoint, by: Actor) -> ManagedEndpoint:
        """Allowed in every state. Pausing a paused endpoint succeeds and changes nothing."""
        if endpoint.record.power is not PowerState.PAUSED:
            paused = endpoint.record.with_power(PowerState.PAUSED, wall_ns())
            self._executor.change(endpoint, paused, audit_event(paused, AuditAction.PAUSED, by))
        return endpoint

    def resume(self, endpoint: ManagedEndpoint, by: Actor) -> ManagedEndpoint:
        """Start a paused, scaled-to-zero or failed endpoint. Resuming a starting one succeeds and changes nothing."""
        if endpoint.status.state in (State.RUNNING, State.UPDATING, State.UPDATE_FAILED):
            # huggingface_hub searches the body of a 400 for the last two words.
            raise RequestRefused(400, "Bad Request: the endpoint is already running")
        if endpoint.status.state in (State.PAUSED, State.SCALED_TO_ZERO, State.FAILED):
            record = endpoint.record.resumed(wall_ns())
            self._check_quota(record, endpoint)
            self._executor.change(endpoint, record, audit_event(record, AuditAction.RESUMED, by))
        return endpoint

    def scale_to_zero(self, endpoint: ManagedEndpoint, by: Actor) -> ManagedEndpoint:
        """Allowed for every `minReplica`: the next request starts that many. Repeating it succeeds."""
        if endpoint.status.state in (State.PAUSED, State.FAILED):
            raise RequestRefused(
                400, f"Bad Request: the endpoint is {endpoint.status.state} and cannot be scaled to zero"
            )
        if endpoint.record.power is not PowerState.SCALED_TO_ZERO:
            scaled = endpoint.record.with_power(PowerState.SCALED_TO_ZERO, wall_ns())
            self._executor.change(endpoint, scaled, audit_event(scaled, AuditAction.SCALED_TO_ZERO, by))
        return endpoint

    def quota_usage(self) -> Counter[tuple[str, str]]:
        """The use of each quota, by vendor and instance type: accelerators, on this machine cores."""
        quota_usage: Counter[tuple[str, str]] = Counter()
        for endpoint in self.endpoints():
            quota_usage[_quota_key(endpoint.record.spec)] += _quota_use(endpoint.record, endpoint.status.target)
        return quota_usage

    def _resolve_instance_and_task(self, spec: Spec) -> tuple[Spec, OfferedInstance]:
        """The configuration with its instance and task, checked that it can run. Raises RequestRefused."""
        instance = self._instance(spec)
        if instance.status in UNAVAILABLE_STATUSES:
            raise RequestRefused(400, "Bad Request: Compute instance not available yet")
        if instance.vendor != LOCAL_VENDOR and not self.instances.simulated:
            raise RequestRefused(
                400,
                f"Bad Request: {instance.id} is cloud hardware, and this control plane has one machine. Deploy on "
                "vendor local, region machine, instance type cpu; or start with the simulation (--simulated), which "
                "offers cloud hardware and runs no model",
            )
        compute = spec["compute"]
        if compute["accelerator"] != instance.accelerator:
            raise validation.InvalidRequest(
                f"VALIDATION_FAILED: compute.accelerator: {instance.id} is {instance.accelerator}"
            )
        if instance.vendor == LOCAL_VENDOR:
            validation.check_environment(spec)
        self._check_parallelism(spec, instance)
        try:
            task = self._engines[_engine_for(instance)].resolve_task(spec)
        except CannotRun as reason:
            raise RequestRefused(400, f"Bad Request: {reason}") from reason
        model = spec["model"] | {"task": spec["model"]["task"] or task}
        return spec | {"compute": compute | {"id": instance.id}, "model": model}, instance

    def _instance(self, spec: Spec) -> OfferedInstance:
        provider, compute = spec["provider"], spec["compute"]
        found = self.instances.find(
            provider["vendor"], provider["region"], compute["instanceType"], compute["instanceSize"]
        )
        if found is None:
            offered = sorted(
                {
                    f"{each.instance_type} {each.instance_size}"
                    for each in self.instances.offered()
                    if _is_in(each, spec)
                }
            )
            raise validation.InvalidRequest(
                f"VALIDATION_FAILED: compute: no {compute['instanceType']} {compute['instanceSize']} in "
                f"{provider['vendor']} {provider['region']}; there is {', '.join(offered) or 'nothing'}"
            )
        return found

    def _check_parallelism(self, spec: Spec, instance: OfferedInstance) -> None:
        """The service's rule since 2026: these engines would use one accelerator, and all of them are billed."""
        engine, settings = next(iter(spec["model"]["image"].items()))
        names = PARALLELISM_SETTINGS.get(engine, ())
        unset = not any(settings.get(name) for name in names)
        if names and instance.accelerator == "gpu" and instance.num_accelerators > 1 and unset:
            raise validation.InvalidRequest(
                f"VALIDATION_FAILED: model.image.{engine}: set {' or '.join(names)} on an instance "
                f"with {instance.num_accelerators} accelerators"
            )

    def _check_quota(self, record: EndpointRecord, endpoint: ManagedEndpoint | None) -> None:
        """Raises RequestRefused if the endpoint requests more than it uses now, and more than the quota."""
        key, requested_use, current_use = _quota_key(record.spec), _quota_use(record, record.min_replicas), 0
        if endpoint and _quota_key(endpoint.record.spec) == key:
            current_use = _quota_use(endpoint.record, endpoint.status.target)
        if requested_use > current_use and self.quota_usage()[key] - current_use + requested_use > self.instances.quota(
            self._instance(record.spec)
        ):
            raise RequestRefused(409, "Conflict: Quota exceeded")


def _quota_key(spec: Spec) -> tuple[str, str]:
    return spec["provider"]["vendor"], spec["compute"]["instanceType"]


def _quota_use(record: EndpointRecord, replicas: int) -> int:
    """Accelerators, on this machine cores, that count against the quota while so many replicas run.

    On this machine running replicas count. In the clouds every endpoint that is not paused counts, scaled to zero or
    not, with its maximum of replicas (the service's documentation).
    """
    size = instance_size(record.spec)
    if _quota_key(record.spec)[0] == LOCAL_VENDOR:
        return size * replicas if record.wants_replicas else 0
    return 0 if record.power is PowerState.PAUSED else size * record.max_replicas


def _engine_for(instance: OfferedInstance) -> str:
    return "process" if instance.vendor == LOCAL_VENDOR else "simulated"


def _is_in(instance: OfferedInstance, spec: Spec) -> bool:
    return bool(spec["provider"] == {"vendor": instance.vendor, "region": instance.region})
