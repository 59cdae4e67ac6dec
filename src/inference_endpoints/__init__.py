"""The model layer: Inference Endpoints on Hugging Face or on this machine, blocking and asynchronous.

    from inference_endpoints import get_inference_endpoint

The functions and `InferenceEndpoint` have the names and signatures of huggingface_hub; `aio` has them to be awaited.
Each name is imported on first use, so that one part does not load the others.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inference_endpoints import aio as aio
    from inference_endpoints.client import AsyncEndpointsClient
    from inference_endpoints.deploy.costs import cost_of
    from inference_endpoints.deploy.plan import Plan, plan_create, plan_update
    from inference_endpoints.deploy.specs import EndpointChange, EndpointSpec, Hardware
    from inference_endpoints.diagnosis import Diagnosis, collect_evidence, diagnose
    from inference_endpoints.errors import (
        AlreadyExists,
        AlreadyRunning,
        BadRequest,
        Conflict,
        DeploymentFailed,
        Forbidden,
        InferenceEndpointError,
        InferenceEndpointTimeoutError,
        NoCapacity,
        NotConfigured,
        NotDeployed,
        NotFound,
        OutcomeUnknown,
        Paused,
        PaymentRequired,
        QuotaExceeded,
        RateLimited,
        Refused,
        ScaledToZero,
        Unauthorized,
        Unavailable,
    )
    from inference_endpoints.hub_functions import EndpointList
    from inference_endpoints.inference import AsyncInference, InferenceResponse, Label
    from inference_endpoints.inference.hub_inference_client import AsyncInferenceClient, InferenceClient
    from inference_endpoints.inference_endpoint import AsyncInferenceEndpoint
    from inference_endpoints.models import (
        CreateRequest,
        Endpoint,
        InferenceEndpointStatus,
        InferenceEndpointType,
        UpdateRequest,
    )
    from inference_endpoints.sync import (
        EndpointsClient,
        InferenceEndpoint,
        create_inference_endpoint,
        delete_inference_endpoint,
        get_inference_endpoint,
        list_inference_endpoints,
        pause_inference_endpoint,
        resume_inference_endpoint,
        scale_to_zero_inference_endpoint,
        update_inference_endpoint,
    )
    from inference_endpoints.transport.backend import Backend, default_backend, hugging_face, local
    from inference_endpoints.watching.goals import Goal
    from inference_endpoints.watching.observation import StatusChange
    from inference_endpoints.watching.watcher import Watcher

_NAMES_BY_MODULE = {
    "transport.backend": "Backend default_backend hugging_face local",
    "client": "AsyncEndpointsClient",
    "errors": "AlreadyExists AlreadyRunning BadRequest Conflict DeploymentFailed Forbidden InferenceEndpointError "
    "InferenceEndpointTimeoutError NoCapacity NotConfigured NotDeployed NotFound OutcomeUnknown Paused "
    "PaymentRequired QuotaExceeded RateLimited Refused ScaledToZero Unauthorized Unavailable",
    "hub_functions": "EndpointList",
    "watching.goals": "Goal",
    "inference_endpoint": "AsyncInferenceEndpoint",
    "inference": "AsyncInference Label InferenceResponse",
    "inference.hub_inference_client": "AsyncInferenceClient InferenceClient",
    "watching.observation": "StatusChange",
    "models": "CreateRequest Endpoint InferenceEndpointStatus InferenceEndpointType UpdateRequest",
    "deploy.costs": "cost_of",
    "deploy.plan": "Plan plan_create plan_update",
    "diagnosis": "Diagnosis collect_evidence diagnose",
    "deploy.specs": "EndpointChange EndpointSpec Hardware",
    "sync": "EndpointsClient InferenceEndpoint create_inference_endpoint delete_inference_endpoint "
    "get_inference_endpoint list_inference_endpoints pause_inference_endpoint resume_inference_endpoint "
    "scale_to_zero_inference_endpoint update_inference_endpoint",
    "watching.watcher": "Watcher",
}
_MODULE_OF = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names.split()}

__all__ = [
    "AlreadyExists",
    "AlreadyRunning",
    "AsyncEndpointsClient",
    "AsyncInference",
    "AsyncInferenceClient",
    "AsyncInferenceEndpoint",
    "Backend",
    "BadRequest",
    "Conflict",
    "CreateRequest",
    "DeploymentFailed",
    "Diagnosis",
    "Endpoint",
    "EndpointChange",
    "EndpointList",
    "EndpointSpec",
    "EndpointsClient",
    "Forbidden",
    "Goal",
    "Hardware",
    "InferenceClient",
    "InferenceEndpoint",
    "InferenceEndpointError",
    "InferenceEndpointStatus",
    "InferenceEndpointTimeoutError",
    "InferenceEndpointType",
    "InferenceResponse",
    "Label",
    "NoCapacity",
    "NotConfigured",
    "NotDeployed",
    "NotFound",
    "OutcomeUnknown",
    "Paused",
    "PaymentRequired",
    "Plan",
    "QuotaExceeded",
    "RateLimited",
    "Refused",
    "ScaledToZero",
    "StatusChange",
    "Unauthorized",
    "Unavailable",
    "UpdateRequest",
    "Watcher",
    "aio",
    "collect_evidence",
    "cost_of",
    "create_inference_endpoint",
    "default_backend",
    "delete_inference_endpoint",
    "diagnose",
    "get_inference_endpoint",
    "hugging_face",
    "list_inference_endpoints",
    "local",
    "pause_inference_endpoint",
    "plan_create",
    "plan_update",
    "resume_inference_endpoint",
    "scale_to_zero_inference_endpoint",
    "update_inference_endpoint",
]


def __getattr__(name: str) -> Any:
    if name == "aio":
        return import_module("inference_endpoints.aio")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
