"""Generates what is published of the tools, from the registry: `python -m inference_endpoints_mcp.manifests`.

`--check` writes nothing and fails if something published is not what the registry says.
"""

import json
import sys
from pathlib import Path
from typing import Any

from inference_endpoints_mcp.tools.registry import TOOLS
from inference_endpoints_mcp.tools.schema import contract
from inference_endpoints_mcp.tools.spec import ToolSpec

PACKAGE = Path(__file__).parent
REPOSITORY = PACKAGE.parent.parent
MANIFESTS = REPOSITORY / "manifests"


def generated() -> dict[Path, str]:
    """Every generated file with its content."""
    tools = [contract(spec) for spec in TOOLS]
    return {
        PACKAGE / "contract.json": json.dumps(tools, separators=(",", ":"), ensure_ascii=False) + "\n",
        MANIFESTS / "tools.json": json.dumps(tools, indent=2, ensure_ascii=False) + "\n",
        MANIFESTS / "TOOLS.md": _page(list(zip(TOOLS, tools, strict=True))),
    }


def seen_by_model(tool: dict[str, Any]) -> int:
    """Characters a model reads of a tool: name, description and input schema, compact."""
    seen = {"name": tool["name"], "description": tool["description"], "input_schema": tool["inputSchema"]}
    return len(json.dumps(seen, separators=(",", ":"), ensure_ascii=False))


def main(arguments: list[str]) -> int:
    checking = "--check" in arguments
    stale = [path for path, text in generated().items() if not path.exists() or path.read_text("utf-8") != text]
    if checking:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(REPOSITORY)} is not what the tools say: run `make manifests`.\n")
        return 1 if stale else 0
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


def _page(tools: list[tuple[ToolSpec, dict[str, Any]]]) -> str:
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
