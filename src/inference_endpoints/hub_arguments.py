"""The arguments of the reference's functions, as what is asked of the control plane.

Names and meanings: huggingface_hub 2.4.0, `HfApi.create_inference_endpoint` and `HfApi.update_inference_endpoint`.
"""

import warnings
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from inference_endpoints.deploy.engines import PARALLEL_SETTINGS
from inference_endpoints.deploy.specs import EndpointChange, EndpointSpec, Hardware, image_of
from inference_endpoints.errors import BadRequest
from inference_endpoints.models import Endpoint

_OURS = {
    "custom_image": "image",
    "container_command": "command",
    "container_args": "args",
    "container_registry_username": "registry_username",
    "container_registry_password": "registry_password",
}
_WHERE = ("vendor", "region", "accelerator", "instance_type", "instance_size")
_PARALLELISM = {"tensor_parallel_size": "tensorParallelSize", "data_parallel_size": "dataParallelSize"}


def spec_from(given: Mapping[str, Any]) -> EndpointSpec:
    """A new endpoint of the arguments of `create_inference_endpoint`. Raises `BadRequest`."""
    settings = _settings(given)
    if settings.pop("account_id", None) is not None:
        warnings.warn(
            "account_id is ignored, as the service ignores it: use private_link_account_id and private_link_region",
            FutureWarning,
            stacklevel=2,
        )
    hardware = Hardware(**{key: settings.pop(key) for key in _WHERE})
    return EndpointSpec.checked(**settings, hardware=hardware)


async def change_from(given: Mapping[str, Any], now: Callable[[], Awaitable[Endpoint]]) -> EndpointChange:
    """A change of the arguments of `update_inference_endpoint`. Raises `BadRequest`, also if none is given.

    `now` looks at the endpoint: an image is sent whole, so what changes only a part of it needs the rest.
    """
    settings = _settings(given)
    sizes = {wire: settings.pop(name) for name, wire in _PARALLELISM.items() if name in settings}
    if sizes:
        image = settings.get("image") or _sendable_image(await now())
        settings["image"] = _with_parallelism(image, sizes)
    change = EndpointChange.checked(**settings)
    change.request()  # raises if nothing is given
    return change


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    settings = {_OURS.get(name, name): value for name, value in given.items() if value is not None}
    if "image" in settings:
        settings["image"] = image_of(settings["image"])
    for name in ("type", "scaling_metric"):
        if name in settings:  # an enum's member may be given
            settings[name] = str(getattr(settings[name], "value", settings[name]))
    return settings


def _sendable_image(endpoint: Endpoint) -> dict[str, Any]:
    """The endpoint's image as it may be sent back. The service shows no registry's password, and would store none."""
    image = endpoint.model.image
    if image is None or "credentials" in image.settings:
        raise BadRequest(
            f"The image of endpoint {endpoint.name} cannot be sent back as it is shown.",
            hint="Give it whole as custom_image, together with the parallelism.",
        )
    return image.root


def _with_parallelism(image: dict[str, Any], sizes: dict[str, int]) -> dict[str, Any]:
    engine, settings = next(iter(image.items()))
    for name in sizes:
        if name not in PARALLEL_SETTINGS.get(engine, ()):  # the service drops it silently
            warnings.warn(f"the service may ignore {name}: {engine} is not known to have it", UserWarning, stacklevel=2)
    return {engine: {**settings, **sizes}}
