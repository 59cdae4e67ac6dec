"""The arguments of a call as a model must give them: some frameworks declare every argument as required."""

from typing import Any

_EMPTY: dict[str, Any] = {"string": "", "array": [], "object": {}, "boolean": False, "integer": 0, "number": 0.0}


def complete(arguments: dict[str, Any], tool: dict[str, Any]) -> dict[str, Any]:
    """The arguments, and for each other one that is required its default, or nothing of its type."""
    schema = tool.get("parameters") or tool.get("input_schema") or {}
    properties = schema.get("properties", {})
    return arguments | {
        name: _nothing(properties[name]) for name in schema.get("required") or [] if name not in arguments
    }


def _nothing(schema: dict[str, Any]) -> Any:
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema and "type" not in schema:
        return _nothing(schema["anyOf"][-1])
    kind = schema.get("type", "string")
    if isinstance(kind, list):
        return next((_EMPTY.get(each) for each in ("null", "string") if each in kind), _EMPTY[kind[0]])
    return None if kind == "null" else schema.get("minimum", _EMPTY[str(kind).lower()])
