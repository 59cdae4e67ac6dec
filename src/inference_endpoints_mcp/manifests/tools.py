"""`TOOLS.md`: every tool with its arguments, and what it costs a model to read of it."""

import json
from typing import Any

from inference_endpoints_mcp.tools.spec import ToolSpec


def seen_by_model(tool: dict[str, Any]) -> int:
    """Characters a model reads of a tool: name, description and input schema, compact."""
    seen = {"name": tool["name"], "description": tool["description"], "input_schema": tool["inputSchema"]}
    return len(json.dumps(seen, separators=(",", ":"), ensure_ascii=False))


def page(tools: list[tuple[ToolSpec, dict[str, Any]]]) -> str:
    total = sum(seen_by_model(tool) for _, tool in tools)
    rows = [
        f"| `{spec.name}` | {spec.toolset.value} | {spec.effect.value} | {seen_by_model(tool)} |"
        for spec, tool in tools
    ]
    sections = [_section(spec, tool) for spec, tool in tools]
    return "\n".join(
        [
            "# Tools",
            "",
            "Generated from the registry by `make manifests`. *Effect* is the worst a tool can do; with `--read-only`",
            "only those that read are listed. *Size* is the characters a model reads of it.",
            "",
            "| tool | toolset | effect | size |",
            "|---|---|---|---|",
            *rows,
            f"| **{len(tools)} tools** | | | **{total}** |",
            "",
            *sections,
        ]
    )


def _section(spec: ToolSpec, tool: dict[str, Any]) -> str:
    required = set(tool["inputSchema"].get("required", []))
    lines = [f"## {spec.name}", "", spec.description, "", "| argument | type | |", "|---|---|---|"]
    for name, schema in tool["inputSchema"].get("properties", {}).items():
        words = schema.get("description", "")
        if "default" in schema and name not in required:
            default = json.dumps(schema["default"], ensure_ascii=False)
            words = f"{words} Default `{default}`.".strip() if schema["default"] not in ("", [], {}) else words
        shown = "required. " if name in required else ""
        lines.append(f"| `{name}` | {_type(schema)} | {shown}{words} |".replace("  ", " "))
    return "\n".join([*lines, ""])


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " \\| ".join(f"`{value}`" for value in schema["enum"] if value != "")
    return str(schema.get("type", "any"))
