"""What a JSON Schema admits, path by path, so that two schemas can be compared whatever their form."""

from collections.abc import Iterator
from typing import Any

from inference_endpoints_mcp.live.service_document import ServiceDocument

Facts = dict[str, frozenset[str]]
"""Each property by its path, with its types, the values of its enum, and whether it is required.

A path has `*` for the values of a map and for the items of a list.
"""


def facts_of(schema: dict[str, Any], document: ServiceDocument) -> Facts:
    return dict(_facts("", schema, document, required=True))


def _facts(
    path: str, schema: dict[str, Any], document: ServiceDocument, *, required: bool
) -> Iterator[tuple[str, frozenset[str]]]:
    arms = [document.resolved(arm) for arm in schema.get("oneOf", schema.get("anyOf", [schema]))]
    arms = [document.resolved(inner) for arm in arms for inner in arm.get("oneOf", arm.get("anyOf", [arm]))]
    found = {kind for arm in arms for kind in _kinds(arm)} | ({"required"} if required else set())
    yield path, frozenset(found)
    single = len([arm for arm in arms if arm.get("type") != "null"]) == 1
    for arm in arms:
        properties, needed = document.object_properties(arm)
        for name, value in properties.items():
            # Of several forms each requires its own name: none is required of all.
            yield from _facts(f"{path}.{name}", value, document, required=single and name in needed)
        names = document.resolved(arm.get("propertyNames", {})).get("enum", ["*"])
        for value in (arm.get("additionalProperties"), arm.get("items")):
            if isinstance(value, dict):
                for name in names:
                    yield from _facts(f"{path}.{name}", value, document, required=False)


def _kinds(schema: dict[str, Any]) -> Iterator[str]:
    if "enum" in schema or "const" in schema:
        yield from (str(value) for value in schema.get("enum", [schema.get("const")]))
    elif "allOf" in schema:
        yield "object"
    else:
        kinds = schema.get("type", "anything")
        yield from [kinds] if isinstance(kinds, str) else kinds
