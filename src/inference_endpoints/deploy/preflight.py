"""Pure: requests that the service accepts and that end badly, or that it refuses without a reason. Each is refused here
with its reason, before anything is sent.

Source: rules huggingface_hub's authors verified against the service in August 2026.
"""

from inference_endpoints.deploy.engines import PARALLEL_SETTINGS, accelerators_used
from inference_endpoints.errors import BadRequest
from inference_endpoints.models import Endpoint, ModelSettings, Scaling, UpdateRequest

_WITHOUT_URL = frozenset({"huggingface", "huggingfaceNeuron"})


def check(request: UpdateRequest, accelerators: int, current: Endpoint | None = None) -> None:
    """Raises `BadRequest` for a create request, or an update request of `current`, that would end badly.

    `accelerators` are those of one replica, on the hardware it would run on.
    """
    after = request.applied_to(current)
    if request.model and request.model.image:
        _check_image_is_whole(request.model.image)
    _check_parallelism(after.model, accelerators)
    if request.compute and request.compute.scaling and request.compute.scaling.scale_to_zero_timeout:
        _check_can_scale_to_zero(after.compute.scaling)


def _check_image_is_whole(image: dict[str, dict[str, object]]) -> None:
    """An image is replaced whole: a setting left out is lost."""
    engine, settings = next(iter(image.items()))
    if engine not in _WITHOUT_URL and not settings.get("url"):
        raise BadRequest(
            "The image in config.model has no url: an image is always sent whole, so nothing was sent.",
            hint="get_endpoint with response_format=detailed shows the whole image of an endpoint.",
        )


def _check_parallelism(model: ModelSettings, accelerators: int) -> None:
    engine = model.image.engine if model.image else ""
    if engine in PARALLEL_SETTINGS and accelerators > 1 and accelerators_used(model) == 1:
        raise BadRequest(
            f"{engine} would use one of {accelerators} accelerators, and the service refuses that: nothing was sent.",
            hint=f"Set tensorParallelSize={accelerators} in config.model.image.{engine}, whole with its url.",
        )


def _check_can_scale_to_zero(scaling: Scaling) -> None:
    if scaling.min_replica > 0:
        raise BadRequest(
            f"It would never scale to zero, since min_replica={scaling.min_replica} keeps it running: "
            "nothing was sent.",
            hint="Set min_replica=0, or leave scale_to_zero_timeout out.",
        )
