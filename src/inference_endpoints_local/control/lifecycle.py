"""What the lifecycle requests mean: which are refused, in what state, and what they leave wanted."""

import secrets
import string
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from inference_endpoints.models import InferenceEndpointStatus as State
from inference_endpoints_local.control import validation
from inference_endpoints_local.control.endpoint import Entry
from inference_endpoints_local.control.executor import Runner
from inference_endpoints_local.engines.base import CannotRun, Engine
from inference_endpoints_local.models.hardware import LOCAL, UNAVAILABLE, Fleet, Instance
from inference_endpoints_local.state.audit_log import Asker, EventKind, changed, event_of
from inference_endpoints_local.state.clock import wall_ns
from inference_endpoints_local.state.logs import LogBook
from inference_endpoints_local.state.record import Power, Record, Spec, size_of, what_runs
from inference_endpoints_local.wire.images import PARALLEL

_ALPHABET = string.ascii_lowercase + string.digits


class Refused(Exception):
    """A request that is not done; `status` is the HTTP status, the message the error text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Lifecycle:
    """The endpoints of one namespace. Raises Refused, BadBody and NotSaved; then nothing was changed."""

    def __init__(
        self, runner: Runner, engines: Mapping[str, Engine], fleet: Fleet, logs: LogBook, namespace: str
    ) -> None:
        self._runner = runner
        self._engines = engines
        self.fleet = fleet
        self.logs = logs
        self.namespace = namespace

    def entries(self) -> Iterator[Entry]:
        return (entry for entry in self._runner if entry.record.namespace == self.namespace)

    def find(self, name: str) -> Entry:
        entry = self._runner.find(self.namespace, name)
        if entry is None:
            raise Refused(404, f"Not Found: endpoint {name}")
        return entry

    def create(self, body: dict[str, Any], by: Asker) -> Entry:
        spec = validation.create(body)
        if self._runner.find(self.namespace, spec["name"]):
            raise Refused(409, f"Conflict: an endpoint named {spec['name']} already exists")
        spec, instance = self._placed(spec)
        now = wall_ns()
        record = Record(
            id="".join(secrets.choice(_ALPHABET) for _ in range(16)),
            namespace=self.namespace,
            name=spec["name"],
            engine=_engine_of(instance),
            spec=spec,
            created_ns=now,
            updated_ns=now,
        )
        self._check_quota(record, None)
        return self._runner.add(record, event_of(record, EventKind.CREATED, by))

    def update(self, entry: Entry, body: dict[str, Any], by: Asker) -> Entry:
        current = entry.record
        spec = validation.update(current.spec, body)
        if what_runs(spec) != what_runs(current.spec):
            if spec["model"]["repository"] != current.spec["model"]["repository"] and "task" not in body["model"]:
                spec["model"]["task"] = None  # that of the old model; the new one brings its own
            spec, _ = self._placed(spec)
        record = current.updated(spec, wall_ns())
        self._check_quota(record, entry)
        self._runner.change(entry, record, event_of(record, EventKind.UPDATED, by, changed(current.spec, spec)))
        return entry

    def delete(self, entry: Entry, by: Asker) -> None:
        self._runner.remove(entry, event_of(entry.record, EventKind.DELETED, by))

    def pause(self, entry: Entry, by: Asker) -> Entry:
        """From any state; pausing what is paused succeeds and changes nothing."""
        if entry.record.power is not Power.PAUSED:
            paused = entry.record.turned(Power.PAUSED, wall_ns())
            self._runner.change(entry, paused, event_of(paused, EventKind.PAUSED, by))
        return entry

    def resume(self, entry: Entry, by: Asker) -> Entry:
        """Start what is paused, asleep or failed. What is on its way succeeds unchanged."""
        if entry.status.state in (State.RUNNING, State.UPDATING, State.UPDATE_FAILED):
            # huggingface_hub looks for these two words in the body of a 400.
            raise Refused(400, "Bad Request: the endpoint is already running")
        if entry.status.state in (State.PAUSED, State.SCALED_TO_ZERO, State.FAILED):
            record = entry.record.resumed(wall_ns())
            self._check_quota(record, entry)
            self._runner.change(entry, record, event_of(record, EventKind.RESUMED, by))
        return entry

    def scale_to_zero(self, entry: Entry, by: Asker) -> Entry:
        """Allowed whatever `minReplica` is: the next request wakes it to that. Asleep already: success."""
        if entry.status.state in (State.PAUSED, State.FAILED):
            raise Refused(400, f"Bad Request: the endpoint is {entry.status.state} and cannot be scaled to zero")
        if entry.record.power is not Power.ZERO:
            asleep = entry.record.turned(Power.ZERO, wall_ns())
            self._runner.change(entry, asleep, event_of(asleep, EventKind.SCALED_TO_ZERO, by))
        return entry

    def used(self) -> Counter[tuple[str, str]]:
        """What counts against each quota: accelerators, or here cores, by vendor and instance type."""
        used: Counter[tuple[str, str]] = Counter()
        for entry in self.entries():
            used[_quota_key(entry.record.spec)] += _counted(entry.record, entry.status.target)
        return used

    def _placed(self, spec: Spec) -> tuple[Spec, Instance]:
        """The configuration with its instance and task, once it is certain that it can run. Raises Refused."""
        instance = self._instance(spec)
        if instance.status in UNAVAILABLE:
            raise Refused(400, "Bad Request: Compute instance not available yet")
        if instance.vendor != LOCAL and not self.fleet.simulated:
            raise Refused(
                400,
                f"Bad Request: {instance.id} is cloud hardware, and this is a control plane of one machine. Deploy on "
                "vendor local, region machine, instance type cpu; or turn the simulation on (--simulated), which has "
                "the clouds' hardware and runs nothing",
            )
        compute = spec["compute"]
        if compute["accelerator"] != instance.accelerator:
            raise validation.BadBody(f"VALIDATION_FAILED: compute.accelerator: {instance.id} is {instance.accelerator}")
        if instance.vendor == LOCAL:
            validation.check_environment(spec)
        self._check_parallelism(spec, instance)
        try:
            task = self._engines[_engine_of(instance)].admit(spec)
        except CannotRun as reason:
            raise Refused(400, f"Bad Request: {reason}") from reason
        model = spec["model"] | {"task": spec["model"]["task"] or task}
        return spec | {"compute": compute | {"id": instance.id}, "model": model}, instance

    def _instance(self, spec: Spec) -> Instance:
        provider, compute = spec["provider"], spec["compute"]
        found = self.fleet.find(
            provider["vendor"], provider["region"], compute["instanceType"], compute["instanceSize"]
        )
        if found is None:
            offered = sorted(
                {f"{one.instance_type} {one.instance_size}" for one in self.fleet.offered() if _at(one, spec)}
            )
            raise validation.BadBody(
                f"VALIDATION_FAILED: compute: no {compute['instanceType']} {compute['instanceSize']} in "
                f"{provider['vendor']} {provider['region']}; there is {', '.join(offered) or 'nothing'}"
            )
        return found

    def _check_parallelism(self, spec: Spec, instance: Instance) -> None:
        """The service's rule since 2026: these engines would load one accelerator and have all of them billed."""
        engine, settings = next(iter(spec["model"]["image"].items()))
        names = PARALLEL.get(engine, ())
        unset = not any(settings.get(name) for name in names)
        if names and instance.accelerator == "gpu" and instance.num_accelerators > 1 and unset:
            raise validation.BadBody(
                f"VALIDATION_FAILED: model.image.{engine}: set {' or '.join(names)} on an instance "
                f"with {instance.num_accelerators} accelerators"
            )

    def _check_quota(self, record: Record, entry: Entry | None) -> None:
        """Raises Refused if this asks for more than the endpoint has, and for more than there is."""
        key, asked, had = _quota_key(record.spec), _counted(record, record.least), 0
        if entry and _quota_key(entry.record.spec) == key:
            had = _counted(entry.record, entry.status.target)
        if asked > had and self.used()[key] - had + asked > self.fleet.quota(self._instance(record.spec)):
            raise Refused(409, "Conflict: Quota exceeded")


def _quota_key(spec: Spec) -> tuple[str, str]:
    return spec["provider"]["vendor"], spec["compute"]["instanceType"]


def _counted(record: Record, replicas: int) -> int:
    """Accelerators, or here cores, that count against the quota when so many replicas run.

    On this machine what runs counts. In the clouds all that is not paused does, asleep or not (the service's
    documentation): with as many replicas as it may grow to, since sleeping ones could not count otherwise.
    """
    size = size_of(record.spec)
    if _quota_key(record.spec)[0] == LOCAL:
        return size * replicas if record.runs else 0
    return 0 if record.power is Power.PAUSED else size * record.most


def _engine_of(instance: Instance) -> str:
    return "process" if instance.vendor == LOCAL else "simulated"


def _at(instance: Instance, spec: Spec) -> bool:
    return bool(spec["provider"] == {"vendor": instance.vendor, "region": instance.region})
