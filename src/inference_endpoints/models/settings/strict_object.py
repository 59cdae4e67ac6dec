"""A JSON object of a request as the service's OpenAPI document 2.0.0 describes it, and the types of its values."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel


class StrictObject(BaseModel):
    """Strict about types and silent about unknown names, as the service is."""

    model_config = ConfigDict(
        alias_generator=to_camel, strict=True, extra="ignore", defer_build=True, protected_namespaces=()
    )

    @classmethod
    def names(cls) -> set[str]:
        """The names of its settings, as on the wire."""
        return {field.alias or name for name, field in cls.model_fields.items()}


def _integral_float(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


accept_integral_float = BeforeValidator(_integral_float)
"""Accepts `1.0` as an integer, as JSON Schema does."""
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""Text without NUL characters: it can be passed to a process."""
FilledText = Annotated[Text, StringConstraints(min_length=1)]
Int32 = Annotated[int, Field(ge=0, le=2**31 - 1), accept_integral_float]
Port = Annotated[int, Field(ge=1, le=65_535), accept_integral_float]
