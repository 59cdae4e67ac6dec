"""The base classes of all models of the API's JSON."""

from functools import cache
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, PrivateAttr, model_validator
from pydantic.alias_generators import to_camel


@cache
def _never_null(model: type["ApiModel"]) -> frozenset[str]:
    """The wire names of the fields that cannot be None."""
    fields = model.model_fields.items()
    return frozenset(field.alias or name for name, field in fields if field.get_default() is not None)


class ApiModel(BaseModel):
    """A JSON object of the API: Python names, camelCase on the wire, unknown fields kept."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="allow",
        defer_build=True,
        protected_namespaces=(),
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_unset(cls, data: Any) -> Any:
        """The API sends null where a field was never set; a field that cannot be None takes its default."""
        if not isinstance(data, dict) or None not in data.values():
            return data
        never_null = _never_null(cls)
        return {key: value for key, value in data.items() if value is not None or key not in never_null}


class ApiModelWithRaw(ApiModel):
    """A model that also keeps the JSON object as it was received."""

    _raw: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _remember(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        made = handler(data)
        if isinstance(data, dict):
            made._raw = data  # noqa: SLF001
        return made

    @property
    def raw(self) -> dict[str, Any]:
        """The JSON object as a plain dict, with every field a newer API may have added."""
        return self._raw
