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
    forms = [inner for one in _forms(schema, document) for inner in _forms(one, document)]
    found = {kind for form in forms for kind in _kinds(form)} | ({"required"} if required else set())
    yield path, frozenset(found)
    single = len([form for form in forms if form.get("type") != "null"]) == 1
    for form in forms:
        properties, needed = document.object_properties(form)
        for name, value in properties.items():
            # Of several forms each requires its own name: none is required of all.
            yield from _facts(f"{path}.{name}", value, document, required=single and name in needed)
        names = document.resolved(form.get("propertyNames", {})).get("enum", ["*"])
        for inner in (form.get("additionalProperties"), form.get("items")):
            for name in names if isinstance(inner, dict) else ():
                yield from _facts(f"{path}.{name}", inner or {}, document, required=False)


def _forms(schema: dict[str, Any], document: ServiceDocument) -> list[dict[str, Any]]:
    """What a union admits; the schema itself if it is none."""
    return [document.resolved(form) for form in schema.get("oneOf") or schema.get("anyOf") or [schema]]


def _kinds(schema: dict[str, Any]) -> Iterator[str]:
    if "enum" in schema or "const" in schema:
        yield from (str(value) for value in schema.get("enum", [schema.get("const")]))
    elif "allOf" in schema:
        yield "object"
    else:
        kinds = schema.get("type", "anything")
        yield from [kinds] if isinstance(kinds, str) else kinds
