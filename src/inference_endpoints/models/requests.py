"""The bodies of requests. A setting that was not given is not sent; one that is None is sent as null.

Types and nulls: the service's OpenAPI document 2.0.0. Settings that it has and this module does not name are kept.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from inference_endpoints.models.endpoint import (
    MAX_SCALE_TO_ZERO_TIMEOUT_MIN,
    MIN_SCALE_TO_ZERO_TIMEOUT_MIN,
    Endpoint,
    EndpointConfiguration,
)

T = TypeVar("T")

_REPLACED_WHOLE = frozenset({"image", "measure"})
"""Objects that the service never merges with those it has."""
_ONLY_AT_CREATION = frozenset({"cacheHttpResponses", "privateService"})


def _refuse_null(value: Any) -> Any:
    if value is None:
        raise PydanticCustomError("null", "cannot be null: leave it out to keep what is set")
    return value


def _one_engine(image: dict[str, Any]) -> dict[str, Any]:
    if len(image) != 1:
        raise PydanticCustomError("one_engine", "has exactly one key, the engine")
    return image


def _idle_minutes(minutes: int) -> int:
    least, most = MIN_SCALE_TO_ZERO_TIMEOUT_MIN, MAX_SCALE_TO_ZERO_TIMEOUT_MIN
    if not least <= minutes <= most:
        raise PydanticCustomError("idle_minutes", "is {least} to {most} minutes", {"least": least, "most": most})
    return minutes


Given = Annotated[T | None, BeforeValidator(_refuse_null)]
"""None while unset. An explicit null is refused."""
Count = Annotated[StrictInt, Field(ge=0)]
IdleMinutes = Annotated[StrictInt, AfterValidator(_idle_minutes)]
"""Minutes without a call after which an endpoint scales to zero. The service refuses others with these limits."""
JsonObject = dict[str, Any]
ImageRequest = Annotated[dict[str, dict[str, Any]], AfterValidator(_one_engine)]


class RequestPart(BaseModel):
    """A JSON object of a request: Python names, camelCase on the wire, unknown settings kept."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="allow", defer_build=True, protected_namespaces=()
    )

    def to_json(self) -> dict[str, Any]:
        """The object as it is sent.

        >>> UpdateRequest(tags=["production"]).to_json()
        {'tags': ['production']}
        """
        known = {
            field.alias or name: _plain(getattr(self, name))
            for name, field in type(self).model_fields.items()
            if name in self.model_fields_set
        }
        return known | (self.model_extra or {})

    def merged(self, more: Mapping[str, Any]) -> Self:
        """The same with further settings, nested as on the wire. Raises pydantic's `ValidationError`.

        >>> request = UpdateRequest(tags=["production"]).merged({"compute": {"scaling": {"maxReplica": 2}}})
        >>> request.compute.scaling.max_replica
        2
        """
        return self.model_validate(_merge(self.to_json(), more))


class ScalingRequest(RequestPart):
    """`scale_to_zero_timeout` is in minutes; None switches scaling to zero off."""

    min_replica: Given[Count] = None
    max_replica: Given[Count] = None
    scale_to_zero_timeout: IdleMinutes | None = None
    measure: dict[str, Any] | None = None


class ComputeRequest(RequestPart):
    accelerator: Given[str] = None
    instance_type: Given[str] = None
    instance_size: Given[str] = None
    scaling: Given[ScalingRequest] = None


class ModelRequest(RequestPart):
    """`image` is one engine with its settings, sent whole."""

    repository: Given[str] = None
    framework: Given[str] = None
    revision: str | None = None
    task: Given[str] = None
    image: Given[ImageRequest] = Field(default=None, repr=False)
    env: Given[dict[str, str]] = None
    secrets: Given[dict[str, str]] = Field(default=None, repr=False)
    args: list[str] | None = None
    command: list[str] | None = None


class ProviderRequest(RequestPart):
    vendor: str
    region: str


class UpdateRequest(RequestPart):
    """The body of a request that changes an endpoint. Environment variables and secrets are added to those it has.
    Another `provider` moves it to another vendor or region.

    >>> request = UpdateRequest.model_validate({"compute": {"scaling": {"scaleToZeroTimeout": None}}})
    >>> request.compute.scaling.model_fields_set
    {'scale_to_zero_timeout'}
    """

    provider: Given[ProviderRequest] = None
    compute: Given[ComputeRequest] = None
    model: Given[ModelRequest] = None
    type: Given[str] = None
    tags: list[str] | None = None
    route: JsonObject | None = None
    experimental_features: Given[JsonObject] = None
    network: JsonObject | None = None
    notifications: Given[JsonObject] = None
    custom_router: JsonObject | None = None

    @model_validator(mode="after")
    def _can_be_changed(self) -> Self:
        fixed = _ONLY_AT_CREATION.intersection(self.model_extra or ())
        if fixed and not isinstance(self, CreateRequest):
            names = {"names": " and ".join(sorted(fixed))}
            raise PydanticCustomError("fixed", "{names} can only be set when an endpoint is created", names)
        return self

    @property
    def repository(self) -> str | None:
        """The model, if the request names one."""
        return self.model.repository if self.model else None

    @property
    def secret_names(self) -> frozenset[str]:
        """The names of the secrets to set."""
        return frozenset((self.model and self.model.secrets) or ())

    def with_secrets(self, secrets: Mapping[str, str]) -> Self:
        """The same with these secrets, by their names, in place of those it has.

        >>> UpdateRequest().with_secrets({"HF_TOKEN": "hf_mine"}).secret_names
        frozenset({'HF_TOKEN'})
        """
        if not secrets:
            return self
        model = (self.model or ModelRequest()).model_copy(update={"secrets": dict(secrets)})
        return self.model_copy(update={"model": model})

    def without_secrets(self) -> Self:
        """The same without secrets, whose values no answer shows.

        >>> UpdateRequest().with_secrets({"HF_TOKEN": "hf_mine"}).without_secrets().secret_names
        frozenset()
        """
        if self.model is None or "secrets" not in self.model.model_fields_set:
            return self
        body = self.to_json()
        return self.model_validate(body | {"model": {k: v for k, v in body["model"].items() if k != "secrets"}})

    def applied_to(self, current: Endpoint | None) -> EndpointConfiguration:
        """The configuration of an endpoint after this request; of a new one if `current` is None.

        >>> client = EndpointsClient()
        >>> chat = client.get("chat")
        >>> UpdateRequest.model_validate({"compute": {"instanceSize": "x4"}}).applied_to(chat).hardware_id
        'aws-us-east-1-nvidia-l4-x4'
        """
        after = EndpointConfiguration.model_validate(_merge(current.configuration if current else {}, self.to_json()))
        given = self.compute.model_fields_set if self.compute else set()
        other_instance = current is None or bool(given & {"instance_type", "instance_size"})
        if other_instance:  # what was known of other hardware does not hold for this
            after.compute.accelerator = (self.compute and self.compute.accelerator) or ""
        after.compute.id = None if current is None or other_instance or self.provider else current.compute.id
        return after


class CreateRequest(UpdateRequest):
    """The body of a request that creates an endpoint.

    >>> client = EndpointsClient()
    >>> chat = client.get("chat")
    >>> copy = CreateRequest.model_validate(chat.configuration | {"name": "copy"})
    >>> client.create(copy).hardware_id == chat.hardware_id
    True
    """

    name: str
    provider: ProviderRequest
    cache_http_responses: Given[StrictBool] = None
    private_service: JsonObject | None = None


class MetricsRequest(RequestPart):
    """A span of time, as RFC 3339, and of which replica; by default of all."""

    start: str
    stop: str
    replica_id: Given[str] = None


def _plain(value: Any) -> Any:
    return value.to_json() if isinstance(value, RequestPart) else value


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        nested = isinstance(value, Mapping) and key not in _REPLACED_WHOLE
        merged[key] = _merge(inner, value) if isinstance(inner, Mapping) and nested else value
    return merged
