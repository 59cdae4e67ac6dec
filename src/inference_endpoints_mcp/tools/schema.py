"""The published form of a tool: schemas every host and model accepts.

Some models refuse `$ref`, `$schema` and unions with null, and one such tool makes all tools unusable. So the schemas
are flat, and an optional value may be left out. Models read the schemas with every request, so nothing is repeated.
"""

from functools import cache
from types import new_class
from typing import Any, TypeVar, cast

from mcp.server.elicitation import AcceptedElicitation
from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations
from pydantic import BaseModel, ConfigDict

from inference_endpoints_mcp.tools.spec import ToolSpec

Arguments = TypeVar("Arguments", bound=BaseModel)

_KEPT = AcceptedElicitation[Any]
"""The SDK names this class in every call. Pydantic forgets it when nobody holds it, and builds it again."""


@cache
def build_tool(spec: ToolSpec) -> Tool:
    """The SDK's tool for a spec, built once in a process. It refuses unknown arguments."""
    built = Tool.from_function(
        spec.fn,
        name=spec.name,
        title=spec.title,
        description=spec.description,
        annotations=ToolAnnotations.model_validate(spec.annotations),
    )
    metadata = built.fn_metadata
    metadata.arg_model = _forbid_unknown(metadata.arg_model)
    built.parameters = flatten(metadata.arg_model.model_json_schema(by_alias=True))
    if metadata.output_schema is not None:
        metadata.output_schema = flatten(metadata.output_schema)
    return built


def contract(spec: ToolSpec) -> dict[str, Any]:
    """The tool as `tools/list` returns it, by wire names."""
    built = build_tool(spec)
    return {
        "name": built.name,
        "title": built.title,
        "description": built.description,
        "inputSchema": built.parameters,
        "outputSchema": built.output_schema,
        "annotations": spec.annotations,
    }


def _forbid_unknown(model: type[Arguments]) -> type[Arguments]:
    """The SDK's argument model silently drops unknown arguments."""
    body = {"model_config": ConfigDict(extra="forbid"), "__module__": __name__}
    return cast("type[Arguments]", new_class(model.__name__, (model,), exec_body=lambda names: names.update(body)))


def flatten(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its references inlined, and without titles, lengths, null arms and empty defaults."""
    definitions = schema.get("$defs", {})
    flattened = _flattened({key: value for key, value in schema.items() if key != "$defs"}, definitions)
    assert isinstance(flattened, dict)
    return flattened


def _flattened(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_flattened(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        return _flattened({**target, **{key: value for key, value in node.items() if key != "$ref"}}, definitions)
    if "anyOf" in node:
        arms = [arm for arm in node["anyOf"] if arm != {"type": "null"}]
        if len(arms) == 1:
            rest = {key: value for key, value in node.items() if key != "anyOf"}
            return _flattened({**arms[0], **rest}, definitions)
    flattened = {}
    for key, value in node.items():
        if _is_left_out(key, value):
            continue
        if key in {"properties", "patternProperties"}:
            # A property may itself be called "title".
            flattened[key] = {name: _flattened(item, definitions) for name, item in value.items()}
        else:
            flattened[key] = _flattened(value, definitions)
    return flattened


def _is_left_out(key: str, value: Any) -> bool:
    match key:
        case "title" | "$schema":
            return isinstance(value, str)
        case "default":
            return value is None or value in ("", [], {})
        case "maxLength" | "minLength" | "maxItems":
            return isinstance(value, int)  # no model counts them, and whoever passes them is told
        case "additionalProperties":
            return isinstance(value, bool)  # Google's converter fails at it
    return False
