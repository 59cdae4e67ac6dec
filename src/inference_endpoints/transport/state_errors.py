"""The errors that follow from the state of an endpoint: it is stopped, or its deployment failed."""

from inference_endpoints.errors import DeploymentFailed, InferenceEndpointError, Paused, ScaledToZero
from inference_endpoints.models import Endpoint, InferenceEndpointStatus

_STOPPED: dict[InferenceEndpointStatus, type[InferenceEndpointError]] = {
    InferenceEndpointStatus.PAUSED: Paused,
    InferenceEndpointStatus.SCALED_TO_ZERO: ScaledToZero,
}


def error_for_state(endpoint: Endpoint, message: str, *, hint: str = "Resume it first.") -> InferenceEndpointError:
    """`Paused` or `ScaledToZero` with this message and hint; for any other state `DeploymentFailed`, whose `upstream`
    is the service's reason."""
    if kind := _STOPPED.get(endpoint.state):
        return kind(message, hint=hint)
    return DeploymentFailed(
        message,
        hint="Read its logs. Then update it, or delete it and create it again.",
        upstream=endpoint.status.error_message or endpoint.status.message or "",
    )
