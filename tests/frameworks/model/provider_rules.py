"""What the APIs of model providers refuse in the declaration of a tool, as far as it is known."""

import re
from collections.abc import Callable, Iterator
from typing import Any

Schema = dict[str, Any]

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,63}")
"""Gemini, OpenAI, Anthropic, Bedrock and Mistral all take these."""

_GEMINI_FIELDS = frozenset(
    {"type", "format", "title", "description", "nullable", "enum", "items", "minItems", "maxItems", "properties"}
    | {"required", "minProperties", "maxProperties", "minLength", "maxLength", "pattern", "example", "anyOf"}
    | {"propertyOrdering", "default", "minimum", "maximum"}
)
"""The fields of `Schema` in its API reference."""
_SNAKE = re.compile("_([a-z])")
_COMPOSITION = frozenset({"allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas"})
_NOT_STRICT_OPENAI = _COMPOSITION | {
    *("minLength", "maxLength", "patternProperties", "unevaluatedProperties", "propertyNames", "minProperties"),
    *("maxProperties", "unevaluatedItems", "contains", "minContains", "maxContains", "uniqueItems"),
}
"""Its guide of structured outputs, and what pydantic-ai keeps from it."""
_NOT_STRICT_ANTHROPIC = _COMPOSITION - {"allOf"} | {
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
    *("maxItems", "uniqueItems", "minProperties", "maxProperties"),
}
"""Its guide of structured outputs: a strict schema with one of these is refused."""


def problems(rules: str, name: str, schema: Schema) -> list[str]:
    """Why a provider refuses this tool; empty if it takes it. `rules` is a key of `RULES`."""
    found = [] if _NAME.fullmatch(name) else [f"{name} is not a name"]
    if schema.get("type", "").lower() != "object":
        found.append("the arguments are no object")
    return found + [f"{name}: {problem}" for node in nodes(schema) for problem in RULES[rules](node)]


def refusals(provider: str, tool: dict[str, Any]) -> list[str]:
    """Why a provider refuses a tool as a framework declared it; one without arguments is taken."""
    schema = tool.get("parameters") or tool.get("input_schema") or tool.get("parametersJsonSchema")
    if not schema:
        return []
    rules = "gemini" if provider == "gemini" and "parameters" in tool else "any"
    return problems("strict-openai" if tool.get("strict") else rules, tool["name"], schema)


def nodes(schema: Any) -> Iterator[Schema]:
    """Every schema within a schema; the keys of `properties` are names, not keywords."""
    if isinstance(schema, list):
        for item in schema:
            yield from nodes(item)
    if not isinstance(schema, dict):
        return
    yield schema
    for key, value in schema.items():
        for item in value.values() if key == "properties" else [value]:
            yield from nodes(item)


def _common(node: Schema) -> Iterator[str]:
    if "" in node.get("enum", []):
        yield "an empty choice"
    if str(node.get("type")).lower() == "array" and "items" not in node:
        yield "a list without items"
    if not set(node.get("required") or []) <= set(node.get("properties") or {}):
        yield "required, but not declared"


def _gemini(node: Schema) -> Iterator[str]:
    # The API takes the names of fields in both forms, and Google's own library sends both.
    node = {_SNAKE.sub(lambda match: match[1].upper(), key): value for key, value in node.items()}
    yield from _common(node)
    if unknown := set(node) - _GEMINI_FIELDS:
        yield f"unknown fields {unknown}"
    if "anyOf" in node and set(node) - {"anyOf", "description", "nullable"}:
        yield "fields beside anyOf"
    if "enum" in node and str(node.get("type")).lower() != "string":
        yield "choices that are no text"


def _strict_openai(node: Schema) -> Iterator[str]:
    yield from _common(node)
    yield from _closed(node)
    if set(node.get("required", [])) != set(node.get("properties", {})):
        yield "an argument that is not required"
    if refused := set(node) & _NOT_STRICT_OPENAI:
        yield f"fields {refused}"


def _strict_anthropic(node: Schema) -> Iterator[str]:
    yield from _common(node)
    yield from _closed(node)
    if refused := set(node) & _NOT_STRICT_ANTHROPIC:
        yield f"fields {refused}"


def _closed(node: Schema) -> Iterator[str]:
    if node.get("type") == "object" and node.get("additionalProperties") is not False:
        yield "an open object"


RULES: dict[str, Callable[[Schema], Iterator[str]]] = {
    "any": _common,
    "gemini": _gemini,
    "strict-openai": _strict_openai,
    "strict-anthropic": _strict_anthropic,
}
