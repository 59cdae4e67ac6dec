"""From the arguments of huggingface_hub's functions to the settings of a request.

Names and meanings: huggingface_hub 2.4.0, `HfApi.create_inference_endpoint` and `HfApi.update_inference_endpoint`.
"""

import warnings
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from inference_endpoints.deploy.specs import EndpointChange, EndpointSpec, Hardware, image_of
from inference_endpoints.errors import BadRequest
from inference_endpoints.models import PARALLELISM_SETTINGS, Endpoint

_RENAMED = {
    "custom_image": "image",
    "container_command": "command",
    "container_args": "args",
    "container_registry_username": "registry_username",
    "container_registry_password": "registry_password",
}
_HARDWARE = ("vendor", "region", "accelerator", "instance_type", "instance_size")
_PARALLELISM = {"tensor_parallel_size": "tensorParallelSize", "data_parallel_size": "dataParallelSize"}


def spec_from(given: Mapping[str, Any]) -> EndpointSpec:
    """The new endpoint that arguments of `create_inference_endpoint` describe. Raises `BadRequest`."""
    settings = _settings(given)
    if settings.pop("account_id", None) is not None:
        warnings.warn(
            "account_id is ignored, as the service ignores it: use private_link_account_id and private_link_region",
            FutureWarning,
            stacklevel=2,
        )
    hardware = Hardware(**{key: settings.pop(key) for key in _HARDWARE})
    return EndpointSpec.checked(**settings, hardware=hardware)


async def change_from(given: Mapping[str, Any], read_endpoint: Callable[[], Awaitable[Endpoint]]) -> EndpointChange:
    """The change that arguments of `update_inference_endpoint` describe. Raises `BadRequest`, also if none is given.

    `read_endpoint` is called if only a part of the image changes: the service replaces an image whole.
    """
    settings = _settings(given)
    sizes = {name: settings.pop(name) for name in _PARALLELISM if name in settings}
    if sizes:
        image = settings.get("image") or _sendable_image(await read_endpoint())
        settings["image"] = _with_parallelism(image, sizes)
    change = EndpointChange.checked(**settings)
    change.request()  # raises if nothing is given
    return change


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    settings = {_RENAMED.get(name, name): value for name, value in given.items() if value is not None}
    if "image" in settings:
        settings["image"] = image_of(settings["image"])
    for name in ("type", "scaling_metric"):
        if name in settings:  # also as a member of an enum
            settings[name] = str(getattr(settings[name], "value", settings[name]))
    return settings


def _sendable_image(endpoint: Endpoint) -> dict[str, Any]:
    """The endpoint's image, if it can be sent back. The service does not show a registry's password."""
    image = endpoint.model.image
    if image is None or "credentials" in image.settings:
        raise BadRequest(
            f"The image of endpoint {endpoint.name} cannot be sent back: the service does not show all of it.",
            hint="Pass the whole image as custom_image, together with the parallelism.",
        )
    return image.root


def _with_parallelism(image: dict[str, Any], sizes: dict[str, int]) -> dict[str, Any]:
    """The image with these arguments. Raises `BadRequest` where its engine has no such setting."""
    engine, settings = next(iter(image.items()))
    for name in sizes:
        if _PARALLELISM[name] not in PARALLELISM_SETTINGS.get(engine, ()):
            raise BadRequest(
                f"The image {engine} has no setting for {name}, and the service would ignore it: nothing was sent.",
                hint="Pass it in container_args, as an argument of the engine.",
            )
    return {engine: settings | {_PARALLELISM[name]: size for name, size in sizes.items()}}
