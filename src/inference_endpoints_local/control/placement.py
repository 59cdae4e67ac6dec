"""On which instance an endpoint runs, with which engine, and whether it can."""

from collections.abc import Mapping

from inference_endpoints.models import PARALLELISM_SETTINGS
from inference_endpoints_local.control import validation
from inference_endpoints_local.control.request_refused import RequestRefused
from inference_endpoints_local.engines.engine import CannotRun, Engine, UnreadVariable
from inference_endpoints_local.models.instances import (
    LOCAL_VENDOR,
    UNAVAILABLE_STATUSES,
    InstanceCatalogue,
    OfferedInstance,
)
from inference_endpoints_local.state.record import Spec


class Placement:
    """Finds the instance and the task of a configuration. Raises RequestRefused or InvalidRequest."""

    def __init__(self, instances: InstanceCatalogue, engines: Mapping[str, Engine]) -> None:
        self._instances = instances
        self._engines = engines

    async def place(self, spec: Spec) -> tuple[Spec, OfferedInstance]:
        """The configuration with its instance and task, checked that it can run. Raises RequestRefused."""
        instance = self.instance(spec)
        if instance.status in UNAVAILABLE_STATUSES:
            raise RequestRefused(400, "Bad Request: Compute instance not available yet")
        if instance.vendor != LOCAL_VENDOR and not self._instances.simulated:
            raise RequestRefused(
                400,
                f"Bad Request: {instance.id} is cloud hardware, which this control plane has not. Deploy on vendor "
                f"{LOCAL_VENDOR}, region {self._instances.own.region}, instance type cpu; or start with the simulation "
                "(--simulated), which offers cloud hardware and runs no model",
            )
        compute = spec["compute"]
        if compute["accelerator"] != instance.accelerator:
            raise validation.InvalidRequest(
                f"VALIDATION_FAILED: compute.accelerator: {instance.id} is {instance.accelerator}"
            )
        self._check_parallelism(spec, instance)
        try:
            task = await self._engines[self._instances.engine(instance)].resolve_task(spec)
        except UnreadVariable as reason:
            raise validation.InvalidRequest(f"VALIDATION_FAILED: {reason}", status=422) from reason
        except CannotRun as reason:
            raise RequestRefused(400, f"Bad Request: {reason}") from reason
        model = spec["model"] | {"task": spec["model"]["task"] or task}
        return spec | {"compute": compute | {"id": instance.id}, "model": model}, instance

    def instance(self, spec: Spec) -> OfferedInstance:
        """The instance that a configuration names. Raises InvalidRequest if there is none, RequestRefused if that is
        not known now."""
        provider, compute = spec["provider"], spec["compute"]
        found = self._instances.find(
            provider["vendor"], provider["region"], compute["instanceType"], compute["instanceSize"]
        )
        own = self._instances.own
        if found is None and provider == {"vendor": LOCAL_VENDOR, "region": own.region} and own.unavailable_reason:
            raise RequestRefused(503, f"Service Unavailable: {own.unavailable_reason}")
        if found is None:
            offered = sorted(
                {
                    f"{each.instance_type} {each.instance_size}"
                    for each in self._instances.offered()
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


def _is_in(instance: OfferedInstance, spec: Spec) -> bool:
    return bool(spec["provider"] == {"vendor": instance.vendor, "region": instance.region})
