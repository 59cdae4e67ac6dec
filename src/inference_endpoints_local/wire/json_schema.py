"""JSON Schema keywords in the annotations of bodies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema


@dataclass(frozen=True, eq=False)
class JsonSchemaKeywords:
    """In an annotation: JSON Schema keywords for what a validator beside it checks."""

    keywords: Mapping[str, Any]

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), **self.keywords}


class WithoutNull:
    """In an annotation of `T | None`: the schema of T. None stands for what was not given."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        (schema,) = (arm for arm in handler(core)["anyOf"] if arm != {"type": "null"})
        return dict(schema)
