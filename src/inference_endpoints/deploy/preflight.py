"""Pure: refuses requests that the service accepts and that fail later, or that it refuses without a reason.

Source: rules that huggingface_hub's authors verified against the service in August 2026.
"""

from inference_endpoints.deploy.documented_settings import check_documented
from inference_endpoints.deploy.offers import Offer
from inference_endpoints.deploy.specs import check_can_scale_to_zero
from inference_endpoints.engines.engine_settings import accelerators_used
from inference_endpoints.errors import BadRequest
from inference_endpoints.models import PARALLELISM_SETTINGS, Endpoint, ModelSettings, UpdateRequest


def check_request(request: UpdateRequest, accelerators: int, current: Endpoint | None = None) -> None:
    """Raises `BadRequest` for a create request, or an update request of `current`, that would fail later.

    `accelerators` is the number in one replica on the requested hardware.
    """
    check_hardware_id(request, current)
    after = request.applied_to(current)
    check_documented(request, current)
    _check_parallelism(after.model, accelerators)
    scaling = after.compute.scaling
    if request.compute and request.compute.scaling and scaling.min_replica > scaling.max_replica:
        raise BadRequest(
            f"min_replica ({scaling.min_replica}) would be above max_replica ({scaling.max_replica}): "
            "nothing was sent.",
            hint="Set max_replica as well.",
        )
    if request.compute and request.compute.scaling and request.compute.scaling.scale_to_zero_timeout:
        check_can_scale_to_zero(after.compute.scaling.min_replica)


def check_hardware_id(request: UpdateRequest, current: Endpoint | None) -> None:
    """Raises `BadRequest` where `compute.id` names other hardware than the rest of the request.

    The service ignores it (its OpenAPI document 2.0.0), so it could only mislead whoever reads the request.
    """
    given = (request.compute.model_extra or {}).get("id") if request.compute else None
    if given is not None and given != request.applied_to(current).hardware_id:
        raise BadRequest(
            "compute.id names other hardware than the rest of the request: nothing was sent.",
            hint="Leave it out: the id follows from the other settings.",
        )


def check_accelerator(request: UpdateRequest, offer: Offer | None) -> None:
    """Raises `BadRequest` where a request names another kind of accelerator than its hardware has."""
    given = request.compute.accelerator if request.compute else None
    if given and offer is not None and given != offer.instance.accelerator:
        raise BadRequest(
            f"compute.accelerator is not that of {offer.id}, which has {offer.instance.accelerator}: nothing was sent.",
            hint="Leave accelerator out of config: it follows from hardware.",
        )


def _check_parallelism(model: ModelSettings, accelerators: int) -> None:
    engine = model.image_key
    if engine in PARALLELISM_SETTINGS and accelerators > 1 and accelerators_used(model) == 1:
        raise BadRequest(
            f"{engine} would use only one of {accelerators} accelerators, which the service refuses: nothing was sent.",
            hint=f"Set tensorParallelSize={accelerators} in config.model.image.{engine}, beside its url.",
        )
