"""The types of the tools' arguments, as a model reads them. An empty value means that none is given.

Every model provider must take their schemas. Some refuse an empty string among the choices, so a choice has a word for
"none". Some have no objects with free keys, so such an object may also be given as JSON text, which the SDK parses.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from inference_endpoints.models import MAX_SCALE_TO_ZERO_TIMEOUT_MIN, MIN_SCALE_TO_ZERO_TIMEOUT_MIN
from inference_endpoints.models.json_text import parse_json

EndpointName = Annotated[str, Field(min_length=1, max_length=130, description="name or namespace/name.")]
OneName = Annotated[str, Field(max_length=130, description="name or namespace/name.")]
Names = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=130)]],
    Field(max_length=100, description="Several instead, approved once."),
]
Where = Annotated[str, Field(max_length=200, description="All that match instead: see list_endpoints.")]
Namespace = Annotated[str, Field(max_length=96, description="Default: see whoami.")]
NamespaceOfSet = Annotated[str, Field(max_length=96, description='Default: see whoami; "*": all.')]
NamespaceOrAll = Annotated[str, Field(max_length=96, description='"*": all your namespaces.')]
Limit = Annotated[int, Field(ge=1, le=100)]
Offset = Annotated[int, Field(ge=0)]
IdleMinutes = Annotated[
    int, Field(ge=MIN_SCALE_TO_ZERO_TIMEOUT_MIN, le=MAX_SCALE_TO_ZERO_TIMEOUT_MIN, description="Idle minutes.")
]
DryRun = Annotated[bool, Field(description="Only show the plan with its price; change nothing.")]
PlanToken = Annotated[str, Field(max_length=200, description="Carries out a plan that was shown.")]
HardwareId = Annotated[
    str, Field(max_length=96, description="An id from get_vendors, e.g. aws-us-east-1-nvidia-l4-x1.")
]


def _empty_is(meaning: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: meaning if value == "" else value)


def object_or_text(description: str) -> WithJsonSchema:
    """The schema of an object that may be given as JSON text. Gemini wants nothing beside `anyOf`."""
    return WithJsonSchema(
        {"anyOf": [{"type": "object", "description": description}, {"type": "string", "description": "As JSON text."}]}
    )


State = Annotated[
    Literal[
        "any", "pending", "initializing", "updating", "updateFailed", "running", "paused", "failed", "scaledToZero"
    ],
    _empty_is("any"),
]
TimeoutSeconds = Annotated[int, Field(ge=1, le=86_400, description="Longest wait in seconds.")]
WaitGoal = Literal["running", "updated", "paused", "scaled_to_zero", "deleted"]
LogLevel = Annotated[Literal["any", "error", "warning"], _empty_is("any")]
Metric = Annotated[
    Literal[
        "all",
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
    ],
    _empty_is("all"),
]
"""The service's own names, of which one has a route each."""
Access = Annotated[Literal["private", "authenticated", "public"], _empty_is("private")]
Framework = Annotated[Literal["auto", "pytorch", "custom", "llamacpp"], _empty_is("auto")]
AcceleratorKind = Annotated[Literal["any", "cpu", "gpu", "neuron"], _empty_is("any")]
ClearableSetting = Annotated[
    str, Field(pattern=r"^(args|command|tags|revision|scale_to_zero_timeout|(env|secrets)\..+)$", max_length=200)
]
ResponseFormat = Literal["concise", "detailed"]
JsonObject = Annotated[dict[str, Any], _empty_is({})]


def _read_json_texts(value: Any) -> Any:
    """Each item of a list that is JSON text as what it states. The SDK does this for whole arguments."""
    if not isinstance(value, list):
        return value
    return [_read_json_text(item) if isinstance(item, str) else item for item in value]


def _read_json_text(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        return text


JsonObjects = Annotated[
    list[dict[str, Any]],
    Field(max_length=256),
    BeforeValidator(_read_json_texts),
    WithJsonSchema(
        {"type": "array", "items": {"anyOf": [{"type": "object"}, {"type": "string"}]}, "description": "Objects."}
    ),
]
Config = Annotated[JsonObject, object_or_text("More settings, nested as in the API (compute, model, …). No secrets.")]
Variables = Annotated[dict[str, str], _empty_is({})]
Env = Annotated[Variables, object_or_text("Environment of the container. No secrets.")]
SecretNames = Annotated[list[str], Field(max_length=30, description="Names of secrets the operator lends.")]
CallTimeout = Annotated[int, Field(ge=1, le=3_600, description="Includes waking.")]
Repository = Annotated[str, Field(min_length=1, max_length=512)]
