"""The bodies of requests, as they are validated and as `/openapi.json` describes them."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    create_model,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema

from inference_endpoints.models import MAX_SCALE_TO_ZERO_TIMEOUT_MIN, MIN_SCALE_TO_ZERO_TIMEOUT_MIN
from inference_endpoints.transport.operations import OPERATIONS
from inference_endpoints_local.state.faults import CALL_ENDPOINT, Fault
from inference_endpoints_local.wire.images import ImageBody, JsonSchemaKeywords, Text, accept_integral_float

ModelT = TypeVar("ModelT", bound=BaseModel)


class InvalidRequest(ValueError):
    """The request cannot be accepted. The message is the error text of the response, `status` its HTTP status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def unknown_variant(path: str, value: Any, expected: Iterable[str]) -> InvalidRequest:
    """The error for a value that is none of an enum, as the service was seen to return it in 2026."""
    names = ", ".join(f"`{one}`" for one in expected)
    return InvalidRequest(
        "Failed to deserialize the JSON body into the target type: "
        f"{path}: unknown variant `{value}`, expected one of {names}",
        status=422,
    )


def parse_as(kind: type[ModelT], value: Any, *path: str) -> ModelT:
    """The validated value. Raises InvalidRequest with the first error and its path below `path`."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    *parents, last = [*path, *(str(part) for part in first["loc"] if part != "[key]")] or [""]
    if first["type"] == "literal_error" and isinstance(first["input"], str) and issubclass(kind, _Body):
        expected = re.findall(r"'([^']+)'", first["ctx"]["expected"])
        raise unknown_variant(".".join((*parents, last)), first["input"], expected)
    if first["type"] == "missing":
        where = f"{'.'.join(parents)}: " if parents else ""
        raise InvalidRequest(f"VALIDATION_FAILED: {where}missing field `{last}`")
    reason = first["msg"].removeprefix("Value error, ")
    raise InvalidRequest(f"VALIDATION_FAILED: {'.'.join((*parents, last))}: {reason}")


class _Body(BaseModel):
    """Strict about types and silent about unknown fields, as the service is."""

    model_config = ConfigDict(alias_generator=to_camel, strict=True, extra="ignore", protected_namespaces=())


_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


def _variable(name: str) -> str:
    if not re.fullmatch(_VARIABLE, name):
        raise ValueError("not a name of an environment variable")
    return name


def _refuse_protected(access: Any) -> Any:
    if access == "protected":
        raise ValueError("`protected` is no longer supported; use `private`")
    return access


_OPERATIONS = (*(operation.name for operation in OPERATIONS), CALL_ENDPOINT)


def _operation(name: str) -> str:
    if name not in _OPERATIONS:
        raise ValueError(f"not one of {', '.join(_OPERATIONS)}")
    return name


_Variable = Annotated[str, AfterValidator(_variable)]
_variable_names_schema = JsonSchemaKeywords({"propertyNames": {"pattern": _VARIABLE}})
Variables = Annotated[dict[_Variable, Text], _variable_names_schema]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]
Access = Annotated[Literal["public", "authenticated", "private"], BeforeValidator(_refuse_protected)]
Task = Text | SkipJsonSchema[None]
"""May be omitted, but not be null."""
ScalingMetric = Literal["hardwareUsage", "pendingRequests"]


def _idle_minutes(minutes: int) -> int:
    if not MIN_SCALE_TO_ZERO_TIMEOUT_MIN <= minutes <= MAX_SCALE_TO_ZERO_TIMEOUT_MIN:
        raise ValueError(f"must be between {MIN_SCALE_TO_ZERO_TIMEOUT_MIN} and {MAX_SCALE_TO_ZERO_TIMEOUT_MIN} minutes")
    return minutes


IdleMinutes = Annotated[
    int,
    AfterValidator(_idle_minutes),
    JsonSchemaKeywords({"minimum": MIN_SCALE_TO_ZERO_TIMEOUT_MIN, "maximum": MAX_SCALE_TO_ZERO_TIMEOUT_MIN}),
    accept_integral_float,
]


class ScalingBody(_Body):
    """`scaleToZeroTimeout` is in minutes and requires `minReplica` 0. `metric` and `threshold` are the older spelling
    of `measure`, which takes precedence."""

    min_replica: Annotated[int, Field(ge=0, le=1_000), accept_integral_float]
    max_replica: Annotated[int, Field(ge=1, le=1_000), accept_integral_float]
    scale_to_zero_timeout: IdleMinutes | None = None
    measure: Annotated[dict[ScalingMetric, float | None], Field(min_length=1, max_length=1)] | None = None
    metric: ScalingMetric | None = Field(default=None, exclude=True)
    threshold: float | None = Field(default=None, exclude=True)


class ComputeBody(_Body):
    accelerator: Literal["cpu", "gpu", "neuron", "zero_gpu"]
    instance_type: str
    instance_size: str
    scaling: ScalingBody


class ProviderBody(_Body):
    vendor: str
    region: str


class ModelBody(_Body):
    repository: Annotated[Text, StringConstraints(min_length=1, max_length=4_096)]
    framework: Literal["custom", "pytorch", "llamacpp"]
    revision: Text | None = None
    task: Task = None
    image: ImageBody
    env: Variables = Field(default_factory=dict)
    secrets: Variables = Field(default_factory=dict)
    args: list[Text] | None = None
    command: list[Text] | None = None


class EndpointBody(_Body):
    name: Name
    type: Access
    provider: ProviderBody
    compute: ComputeBody
    model: ModelBody
    tags: list[Text] = Field(default_factory=list)
    route: dict[str, Any] | None = None
    cache_http_responses: bool | None = None
    experimental_features: dict[str, Any] | None = None
    private_service: dict[str, Any] | None = None
    network: dict[str, Any] | None = None
    notifications: dict[str, Any] | None = None
    custom_router: dict[str, Any] | None = None


def _change_of(body: type[_Body], *without: str, **instead: Any) -> Any:
    """The body with every field optional, without some fields and with other types for others."""
    kept = {name: field.rebuild_annotation() for name, field in body.model_fields.items() if name not in without}
    kinds = {name: kind | None for name, kind in kept.items()} | instead
    fields: dict[str, Any] = {name: (kind, None) for name, kind in kinds.items()}
    return create_model(body.__name__.replace("Body", "ChangeBody"), __base__=_Body, **fields)


_VariableChanges = Annotated[dict[_Variable, Text | None], _variable_names_schema] | None
_ScalingChange = _change_of(ScalingBody)
_ComputeChange = _change_of(ComputeBody, scaling=_ScalingChange | None)
_ModelChange = _change_of(ModelBody, task=Task, env=_VariableChanges, secrets=_VariableChanges)
EndpointChangeBody: type[BaseModel] = _change_of(
    EndpointBody, "name", "provider", compute=_ComputeChange | None, model=_ModelChange | None
)
"""A part of an endpoint. Null leaves a field unchanged."""


_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _parse_time(text: Any) -> Any:
    if not isinstance(text, str) or not _RFC_3339.fullmatch(text):
        raise ValueError("expected a time in the form of RFC 3339")
    return datetime.fromisoformat(text.upper())


Moment = Annotated[AwareDatetime, BeforeValidator(_parse_time)]


class MetricsBody(_Body):
    """The period to be shown, of one replica if it is named."""

    start: Moment
    stop: Moment
    replica_id: str | None = None


class RecipeConfigBody(_Body):
    name: Name | None = None


class DeployRecipeBody(_Body):
    """The namespace in which to deploy a recipe of the catalogue, and the endpoint's name."""

    namespace: str
    config: RecipeConfigBody | None = None


class DeployModelBody(DeployRecipeBody):
    """`accelerator` and `ggufFile` choose between the recipes of a model."""

    accelerator: str | None = None
    gguf_file: str | None = None


class CidrListBody(_Body):
    name: str
    cidr_list: list[str]
    id: str | None = None


class DomainBody(_Body):
    domain: str


class AdvanceClockBody(_Body):
    """Seconds by which to advance the simulation."""

    advance_s: Annotated[float, Field(ge=0, le=1e9, alias="advance_s")]


class SimulateLoadBody(_Body):
    """The number of requests in flight that a simulated endpoint appears to have."""

    name: str
    requests: Annotated[int, Field(ge=0, le=1_000_000), accept_integral_float]


class ArmFaultBody(_Body):
    """Let the next `times` requests fail; only those of one operation, if it is named."""

    fault: Annotated[Fault, Field(strict=False)]
    operation: Annotated[str, AfterValidator(_operation), JsonSchemaKeywords({"enum": [*_OPERATIONS]})] | None = None
    times: Annotated[int, Field(ge=1), accept_integral_float] = 1
