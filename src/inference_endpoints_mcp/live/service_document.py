"""The service's own OpenAPI document, which it publishes at https://api.endpoints.huggingface.cloud/openapi.json."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from inference_endpoints.transport.operations import Operation

Schema = dict[str, Any]


class DocumentError(Exception):
    """A file is no OpenAPI document."""


@dataclass(frozen=True)
class ServiceDocument:
    content: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises `DocumentError` if the file cannot be read or is no OpenAPI document in JSON."""
        try:
            content = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise DocumentError(f"{path} cannot be read as JSON.") from error
        if not isinstance(content, dict) or not {"openapi", "paths", "components"} <= content.keys():
            raise DocumentError(f"{path} is no OpenAPI document.")
        return cls(content)

    @property
    def title(self) -> str:
        """Its title and version."""
        return "{title} {version}".format(**{"title": "", "version": ""} | self.content.get("info", {}))

    def described(self, operation: Operation[Any]) -> dict[str, Any] | None:
        """What it states about an operation. None if it does not have the operation."""
        methods = self.content["paths"].get(operation.documented_path, {})
        found: dict[str, Any] | None = methods.get(operation.method.lower())
        return found

    def answer_schema(self, operation: Operation[Any]) -> Schema | None:
        """The schema of the answer; None where it states none."""
        responses = (self.described(operation) or {}).get("responses", {})
        content = responses.get("200", {}).get("content", {})
        schema: Schema | None = content.get(operation.media_type, {}).get("schema")
        return schema

    def has_status(self, operation: Operation[Any], status: int | None) -> bool:
        """Whether an operation may answer with this status."""
        return str(status) in (self.described(operation) or {}).get("responses", {})

    def whole(self, schema: Schema) -> Schema:
        """The schema with what its references name."""
        return schema | {"components": self.content["components"]}

    def resolved(self, schema: Schema) -> Schema:
        """The schema that a reference names; the schema itself if it is none."""
        while "$ref" in schema:
            schema = self.content["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema

    def object_properties(self, schema: Schema) -> tuple[dict[str, Schema], set[str]]:
        """All properties of an object, also of the schemas that it is combined from, and which of them are required."""
        properties, required = dict(schema.get("properties", {})), set(schema.get("required", ()))
        for part in schema.get("allOf", ()):
            more, needed = self.object_properties(self.resolved(part))
            properties |= more
            required |= needed
        return properties, required

    def closed(self, schema: Schema) -> Schema:
        """The same schema without references, in which objects have no other properties than those it names."""
        schema = self.resolved(schema)
        if "oneOf" in schema:
            return {"oneOf": [self.closed(one) for one in schema["oneOf"]]}
        if "items" in schema:
            return schema | {"items": self.closed(schema["items"])}
        if "additionalProperties" in schema or not ("object" in schema.get("type", ()) or "allOf" in schema):
            return schema
        properties, required = self.object_properties(schema)
        return {
            "type": "object",
            "properties": {name: self.closed(value) for name, value in properties.items()},
            "required": sorted(required),
            "additionalProperties": False,
        }

    def words(self) -> set[str]:
        """The values of all its enumerations."""
        return set(_enumerated(self.content["components"]))


def _enumerated(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (each for each in value.get("enum", ()) if isinstance(each, str))
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _enumerated(inner)
