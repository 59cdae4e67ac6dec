"""The types of the tools' arguments, as a model reads them. An empty value means that none is given."""

from typing import Annotated, Any, Literal

from pydantic import Field

EndpointName = Annotated[str, Field(min_length=1, max_length=130, description="name or namespace/name.")]
Namespace = Annotated[str, Field(max_length=96, description="User or organization. Default: your own.")]
NamespaceOrAll = Annotated[str, Field(max_length=96, description='"*": all your namespaces.')]
Limit = Annotated[int, Field(ge=1, le=100)]
Offset = Annotated[int, Field(ge=0)]
DryRun = Annotated[bool, Field(description="Only show the plan with its price; change nothing.")]
PlanToken = Annotated[str, Field(max_length=200, description="Of a plan, to carry it out.")]
HardwareId = Annotated[
    str, Field(max_length=96, description="An id from get_vendors, e.g. aws-us-east-1-nvidia-l4-x1.")
]
State = Literal[
    "", "pending", "initializing", "updating", "updateFailed", "running", "paused", "failed", "scaledToZero"
]
TimeoutSeconds = Annotated[int, Field(ge=1, le=86_400, description="Longest wait in seconds.")]
WaitGoal = Literal["running", "updated", "paused", "scaled_to_zero", "deleted"]
LogLevel = Literal["", "error", "warning"]
Metric = Literal[
    "",
    "response-status-code",
    "response-elapsed",
    "pending-request",
    "replica-running",
    "replica-status",
    "hardware-cpu",
    "hardware-gpu",
    "inference/requests",
    "inference/kv-cache",
    "inference/prefix-cache",
    "inference/ttft",
    "inference/itl",
]
"""The service's own names, of which one has a route each."""
Access = Literal["", "public", "authenticated", "private"]
ClearableSetting = Literal["args", "command", "tags", "revision", "scale_to_zero_timeout"]
ResponseFormat = Literal["concise", "detailed"]
JsonObject = dict[str, Any]
Config = Annotated[
    JsonObject, Field(description="More settings, nested as in the API (compute, model, …). No secrets.")
]
Env = Annotated[dict[str, str], Field(description="Environment of the container. No secrets.")]
SecretNames = Annotated[list[str], Field(max_length=30, description="Names of secrets the operator lends.")]
CallTimeout = Annotated[int, Field(ge=1, le=3_600, description="Includes waking.")]
Repository = Annotated[str, Field(min_length=1, max_length=512)]
