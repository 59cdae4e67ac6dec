"""The bodies of create and update. Names and types: the service's OpenAPI document 2.0.0."""

import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints, create_model

from inference_endpoints.models import MAX_SCALE_TO_ZERO_TIMEOUT_MIN, MIN_SCALE_TO_ZERO_TIMEOUT_MIN
from inference_endpoints.models.settings import endpoint_features as features
from inference_endpoints.models.settings.literals import Accelerator, AccessType, EndpointTask, Framework, ScalingMetric
from inference_endpoints.models.settings.strict_object import FilledText, StrictObject, Text, accept_integral_float
from inference_endpoints_local.wire.images import ImageBody
from inference_endpoints_local.wire.json_schema import JsonSchemaKeywords, WithoutNull

_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


def _variable(name: str) -> str:
    if not re.fullmatch(_VARIABLE, name):
        raise ValueError("not a name of an environment variable")
    return name


def _refuse_protected(access: Any) -> Any:
    if access == "protected":
        raise ValueError("`protected` is no longer supported; use `private`")
    return access


_Variable = Annotated[str, AfterValidator(_variable)]
_variable_names_schema = JsonSchemaKeywords({"propertyNames": {"pattern": _VARIABLE}})
Variables = Annotated[dict[_Variable, Text], _variable_names_schema]
VariableChanges = Annotated[dict[_Variable, Text | None], _variable_names_schema]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]
Access = Annotated[AccessType, BeforeValidator(_refuse_protected)]
Task = Annotated[EndpointTask | None, WithoutNull()]
"""May be omitted, but not be null, which `control/validation.py` refuses."""


def _refuse_null(value: Any) -> Any:
    if value is None:
        raise ValueError("must not be null")
    return value


T = TypeVar("T")
Omittable = Annotated[T | None, WithoutNull(), BeforeValidator(_refuse_null)]
"""May be omitted, but not be null."""


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


class ScalingBody(StrictObject):
    """`scaleToZeroTimeout` is in minutes and requires `minReplica` 0. `metric` and `threshold` are the older spelling
    of `measure`, which takes precedence."""

    min_replica: Annotated[int, Field(ge=0, le=1_000), accept_integral_float]
    max_replica: Annotated[int, Field(ge=1, le=1_000), accept_integral_float]
    scale_to_zero_timeout: IdleMinutes | None = None
    measure: Annotated[dict[ScalingMetric, float | None], Field(min_length=1, max_length=1)] | None = None
    metric: ScalingMetric | None = Field(default=None, exclude=True)
    threshold: float | None = Field(default=None, exclude=True)


class ComputeBody(StrictObject):
    """`id` is ignored, as the service ignores it: the other settings name the hardware."""

    id: str | None = Field(default=None, exclude=True)
    accelerator: Accelerator
    instance_type: str
    instance_size: str
    scaling: ScalingBody


class ProviderBody(StrictObject):
    vendor: str
    region: str


class ModelBody(StrictObject):
    """A null in `secrets` sets none: documents show secrets as null, and may be sent back."""

    repository: Annotated[FilledText, StringConstraints(max_length=4_096)]
    framework: Framework
    revision: Text | None = None
    task: Task = None
    image: ImageBody
    env: Variables = Field(default_factory=dict)
    secrets: VariableChanges = Field(default_factory=dict)
    args: list[Text] | None = None
    command: list[Text] | None = None
    from_catalog: bool | None = None


class EndpointBody(StrictObject):
    name: Name
    type: Access
    provider: ProviderBody
    compute: ComputeBody
    model: ModelBody
    tags: list[Text] = Field(default_factory=list)
    route: features.Route | None = None
    cache_http_responses: Omittable[bool] = None
    experimental_features: Omittable[features.ExperimentalFeatures] = None
    private_service: features.PrivateService | None = None
    network: features.Network | None = None
    notifications: Omittable[features.Notifications] = None
    custom_router: features.CustomRouter | None = None


def _change_of(body: type[StrictObject], *without: str, **instead: Any) -> Any:
    """The body with every field optional, without some fields and with other types for others."""
    kept = {name: field.rebuild_annotation() for name, field in body.model_fields.items() if name not in without}
    kinds = {name: kind | None for name, kind in kept.items()} | instead
    fields: dict[str, Any] = {name: (kind, None) for name, kind in kinds.items()}
    return create_model(body.__name__.replace("Body", "ChangeBody"), __base__=StrictObject, **fields)


_ScalingChange = _change_of(ScalingBody)
_ComputeChange = _change_of(ComputeBody, "id", scaling=_ScalingChange | None)
_ExperimentalFeatures = Omittable[features.ExperimentalFeatures]
_ModelChange = _change_of(ModelBody, "from_catalog", task=Task, env=VariableChanges | None)
EndpointChangeBody: type[BaseModel] = _change_of(
    EndpointBody,
    *("name", "cache_http_responses", "private_service"),
    compute=_ComputeChange | None,
    model=_ModelChange | None,
    experimental_features=_ExperimentalFeatures,
    notifications=features.Notifications | None,
)
"""A part of an endpoint. Null leaves a field unchanged. Another `provider` moves it."""
