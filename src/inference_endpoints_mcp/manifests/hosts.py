"""Configurations to paste into hosts: the real service, and this machine without an account."""

import json
from typing import Any


def configurations() -> dict[str, str]:
    """The text of each host's file, by its name."""
    real = {"command": "uvx", "args": ["inference-endpoints-mcp"], "env": {"HF_TOKEN": "${HF_TOKEN}"}}
    local_arguments = ["--from", "inference-endpoints-mcp[local]", "inference-endpoints-mcp", "--local"]
    local = {"command": "uvx", "args": local_arguments}
    servers = {"inference-endpoints": real, "inference-endpoints-local": local}
    asked = {"type": "promptString", "id": "hf-token", "description": "Hugging Face token", "password": True}
    prompted = {"type": "stdio", **real, "env": {"HF_TOKEN": "${input:hf-token}"}}
    in_code = {"inference-endpoints": prompted, "inference-endpoints-local": {"type": "stdio", **local}}
    return {
        "claude-code.mcp.json": as_json({"mcpServers": servers}),
        "cursor.mcp.json": as_json({"mcpServers": servers | {"inference-endpoints": _in_cursor(real)}}),
        "vscode.mcp.json": as_json({"inputs": [asked], "servers": in_code}),
        "codex.config.toml": _toml(local_arguments),
    }


def _in_cursor(server: dict[str, Any]) -> dict[str, Any]:
    return {**server, "env": {"HF_TOKEN": "${env:HF_TOKEN}"}}


def _toml(local_arguments: list[str]) -> str:
    return f"""\
[mcp_servers.inference-endpoints]
command = "uvx"
args = ["inference-endpoints-mcp"]
env_vars = ["HF_TOKEN"]
tool_timeout_sec = 120

[mcp_servers.inference-endpoints-local]
command = "uvx"
args = {json.dumps(local_arguments)}
tool_timeout_sec = 120
"""


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
