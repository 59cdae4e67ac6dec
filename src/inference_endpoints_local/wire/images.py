"""The container image of an endpoint: an object with one key, the engine, whose value is the engine's settings."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, create_model
from pydantic_core import CoreSchema
from typing_extensions import TypeAliasType

from inference_endpoints.models import IMAGE_SETTINGS


def _variant(engine: str) -> type[BaseModel]:
    field: dict[str, Any] = {engine: (IMAGE_SETTINGS[engine], ...)}
    return create_model(engine, __config__=ConfigDict(extra="forbid"), **field)


_VARIANTS = [_variant(engine) for engine in IMAGE_SETTINGS]
"""For the JSON Schema alone: an error about the settings of one engine is clearer than one about a union."""


class _ImageSchema:
    """The JSON Schema of an image: one of the engines, with its settings."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        del core
        return {"oneOf": [handler(variant.__pydantic_core_schema__) for variant in _VARIANTS]}


ImageBody = TypeAliasType(
    "ImageBody", Annotated[dict[str, dict[str, Any]], Field(min_length=1, max_length=1), _ImageSchema()]
)
