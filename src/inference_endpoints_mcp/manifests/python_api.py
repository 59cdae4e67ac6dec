"""`API.md`: every public name of the model layer with its signature and docstring."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import inference_endpoints

_PACKAGE = inference_endpoints.__name__
_LINE_WIDTH = 100

SECTIONS = {
    "Functions": "get_inference_endpoint list_inference_endpoints create_inference_endpoint update_inference_endpoint "
    "delete_inference_endpoint pause_inference_endpoint resume_inference_endpoint scale_to_zero_inference_endpoint aio "
    "EndpointList",
    "One endpoint": "InferenceEndpoint AsyncInferenceEndpoint StatusChange",
    "Calling an endpoint": "InferenceClient AsyncInferenceClient AsyncInference Label Reply",
    "Clients of a control plane": "EndpointsClient AsyncEndpointsClient Backend hugging_face local",
    "Requests and answers": "EndpointSpec EndpointChange Hardware Endpoint InferenceEndpointStatus "
    "InferenceEndpointType",
    "Watching": "Watcher Goal",
    "Errors": "InferenceEndpointError NotConfigured BadRequest Unauthorized Forbidden Refused NotFound Conflict "
    "AlreadyExists AlreadyRunning QuotaExceeded NoCapacity NotDeployed Paused ScaledToZero DeploymentFailed "
    "RateLimited Unavailable OutcomeUnknown InferenceEndpointTimeoutError",
}
"""Every entry of `inference_endpoints.__all__`, in the order in which a reader needs them."""


@dataclass(frozen=True)
class PublicName:
    """A public name, with its owner before a dot: `get_inference_endpoint`, `EndpointsClient.get`."""

    path: str
    value: Any

    @property
    def docstring(self) -> str:
        return inspect.cleandoc(getattr(self.value, "__doc__", None) or "")


def public_names() -> Iterator[PublicName]:
    """Every entry of `__all__`, and after each class or module what is public in it."""
    for name in inference_endpoints.__all__:
        value = getattr(inference_endpoints, name)
        yield PublicName(name, value)
        for member, inner in sorted(_members(value).items()):
            yield PublicName(f"{name}.{member}", inner)


def page() -> str:
    """The text of `API.md`."""
    return ""


def _members(owner: Any) -> dict[str, Any]:
    """Public functions, methods and properties, as far as they are written in the model layer."""
    if isinstance(owner, ModuleType):
        return {name: value for name, value in vars(owner).items() if name.endswith("_inference_endpoint")}
    if not inspect.isclass(owner):
        return {}
    found: dict[str, Any] = {}
    for base in reversed(owner.__mro__):
        if base.__module__.startswith(f"{_PACKAGE}."):
            found |= {name: getattr(owner, name) for name, value in vars(base).items() if _is_public(name, value)}
    return found


def _is_public(name: str, value: Any) -> bool:
    is_function = isinstance(value, classmethod | staticmethod | property) or inspect.isfunction(value)
    return is_function and not name.startswith("_") and name != "model_post_init"
