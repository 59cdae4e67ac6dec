"""The model layer: Inference Endpoints on Hugging Face or on this machine, blocking and asynchronous.

    from inference_endpoints import get_inference_endpoint

The functions and `InferenceEndpoint` have the names and signatures of huggingface_hub; `aio` has them to be awaited.
Each name is imported on first use, so that one part does not load the others.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inference_endpoints import aio as aio
    from inference_endpoints.clients.client import AsyncEndpointsClient as AsyncEndpointsClient
    from inference_endpoints.deploy.costs import cost_of as cost_of
    from inference_endpoints.deploy.plan import Plan as Plan
    from inference_endpoints.deploy.plan import plan_create as plan_create
    from inference_endpoints.deploy.plan import plan_update as plan_update
    from inference_endpoints.deploy.specs import EndpointChange as EndpointChange
    from inference_endpoints.deploy.specs import EndpointSpec as EndpointSpec
    from inference_endpoints.deploy.specs import Hardware as Hardware
    from inference_endpoints.diagnosis.collection import collect_evidence as collect_evidence
    from inference_endpoints.diagnosis.ranking import Diagnosis as Diagnosis
    from inference_endpoints.diagnosis.ranking import diagnose as diagnose
    from inference_endpoints.errors import AlreadyExists as AlreadyExists
    from inference_endpoints.errors import AlreadyRunning as AlreadyRunning
    from inference_endpoints.errors import BadRequest as BadRequest
    from inference_endpoints.errors import Conflict as Conflict
    from inference_endpoints.errors import DeploymentFailed as DeploymentFailed
    from inference_endpoints.errors import Forbidden as Forbidden
    from inference_endpoints.errors import InferenceEndpointError as InferenceEndpointError
    from inference_endpoints.errors import InferenceEndpointTimeoutError as InferenceEndpointTimeoutError
    from inference_endpoints.errors import InvalidResponse as InvalidResponse
    from inference_endpoints.errors import NoCapacity as NoCapacity
    from inference_endpoints.errors import NotConfigured as NotConfigured
    from inference_endpoints.errors import NotDeployed as NotDeployed
    from inference_endpoints.errors import NotFound as NotFound
    from inference_endpoints.errors import OutcomeUnknown as OutcomeUnknown
    from inference_endpoints.errors import Paused as Paused
    from inference_endpoints.errors import PaymentRequired as PaymentRequired
    from inference_endpoints.errors import QuotaExceeded as QuotaExceeded
    from inference_endpoints.errors import RateLimited as RateLimited
    from inference_endpoints.errors import Refused as Refused
    from inference_endpoints.errors import ScaledToZero as ScaledToZero
    from inference_endpoints.errors import Unauthorized as Unauthorized
    from inference_endpoints.errors import Unavailable as Unavailable
    from inference_endpoints.hub_functions import EndpointList as EndpointList
    from inference_endpoints.inference.async_inference import AsyncInference as AsyncInference
    from inference_endpoints.inference.calls.responses import InferenceResponse as InferenceResponse
    from inference_endpoints.inference.hub_client.async_client import AsyncInferenceClient as AsyncInferenceClient
    from inference_endpoints.inference.hub_client.client import InferenceClient as InferenceClient
    from inference_endpoints.inference.tasks.outputs import Label as Label
    from inference_endpoints.inference_endpoint import AsyncInferenceEndpoint as AsyncInferenceEndpoint
    from inference_endpoints.models import CreateRequest as CreateRequest
    from inference_endpoints.models import Endpoint as Endpoint
    from inference_endpoints.models import InferenceEndpointStatus as InferenceEndpointStatus
    from inference_endpoints.models import InferenceEndpointType as InferenceEndpointType
    from inference_endpoints.models import UpdateRequest as UpdateRequest
    from inference_endpoints.sync import EndpointsClient as EndpointsClient
    from inference_endpoints.sync import InferenceEndpoint as InferenceEndpoint
    from inference_endpoints.sync import create_inference_endpoint as create_inference_endpoint
    from inference_endpoints.sync import delete_inference_endpoint as delete_inference_endpoint
    from inference_endpoints.sync import get_inference_endpoint as get_inference_endpoint
    from inference_endpoints.sync import list_inference_endpoints as list_inference_endpoints
    from inference_endpoints.sync import pause_inference_endpoint as pause_inference_endpoint
    from inference_endpoints.sync import resume_inference_endpoint as resume_inference_endpoint
    from inference_endpoints.sync import scale_to_zero_inference_endpoint as scale_to_zero_inference_endpoint
    from inference_endpoints.sync import update_inference_endpoint as update_inference_endpoint
    from inference_endpoints.transport.backend import Backend as Backend
    from inference_endpoints.transport.backend import default_backend as default_backend
    from inference_endpoints.transport.backend import hugging_face as hugging_face
    from inference_endpoints.transport.backend import local as local
    from inference_endpoints.watching.goals import Goal as Goal
    from inference_endpoints.watching.observation import StatusChange as StatusChange
    from inference_endpoints.watching.watcher import Watcher as Watcher

_NAMES_BY_MODULE = {
    "transport.backend": "Backend default_backend hugging_face local",
    "clients.client": "AsyncEndpointsClient",
    "errors": "AlreadyExists AlreadyRunning BadRequest Conflict DeploymentFailed Forbidden InferenceEndpointError "
    "InferenceEndpointTimeoutError InvalidResponse NoCapacity NotConfigured NotDeployed NotFound OutcomeUnknown "
    "Paused PaymentRequired QuotaExceeded RateLimited Refused ScaledToZero Unauthorized Unavailable",
    "hub_functions": "EndpointList",
    "watching.goals": "Goal",
    "inference_endpoint": "AsyncInferenceEndpoint",
    "inference.async_inference": "AsyncInference",
    "inference.calls.responses": "InferenceResponse",
    "inference.tasks.outputs": "Label",
    "inference.hub_client.async_client": "AsyncInferenceClient",
    "inference.hub_client.client": "InferenceClient",
    "watching.observation": "StatusChange",
    "models": "CreateRequest Endpoint InferenceEndpointStatus InferenceEndpointType UpdateRequest",
    "deploy.costs": "cost_of",
    "deploy.plan": "Plan plan_create plan_update",
    "diagnosis.collection": "collect_evidence",
    "diagnosis.ranking": "Diagnosis diagnose",
    "deploy.specs": "EndpointChange EndpointSpec Hardware",
    "sync": "EndpointsClient InferenceEndpoint create_inference_endpoint delete_inference_endpoint "
    "get_inference_endpoint list_inference_endpoints pause_inference_endpoint resume_inference_endpoint "
    "scale_to_zero_inference_endpoint update_inference_endpoint",
    "watching.watcher": "Watcher",
}
_MODULE_OF = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names.split()}

__all__ = sorted(["aio", *_MODULE_OF])


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
