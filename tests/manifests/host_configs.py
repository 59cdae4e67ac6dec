"""Configuration files of hosts: for the real service, and for this machine without an account."""

import json
from typing import Any

SERVER_NAME = "inference-endpoints"
HUGGING_FACE_COMMAND = {"command": "uvx", "args": ["inference-endpoints-mcp", "--max-price-per-hour", "5"]}
LOCAL_COMMAND = {
    "command": "uvx",
    "args": ["--from", "inference-endpoints-mcp[local]", "inference-endpoints-mcp", "--local"],
}
TOOL_TIMEOUT_S = 120


def build_host_configs() -> dict[str, str]:
    """The text of each file, by its name. No file has both servers: their tools have the same names."""
    return {
        # Claude Code does not start a server with an unset variable, unless the variable has a default.
        "claude-code.mcp.json": _mcp_servers(_with_token("${HF_TOKEN:-}")),
        "claude-code.local.mcp.json": _mcp_servers(LOCAL_COMMAND),
        "cursor.mcp.json": _mcp_servers(_with_token("${env:HF_TOKEN}")),
        "cursor.local.mcp.json": _mcp_servers(LOCAL_COMMAND),
        "vscode.mcp.json": _vscode(_with_token("${input:hf-token}"), prompts=["hf-token"]),
        "vscode.local.mcp.json": _vscode(LOCAL_COMMAND),
        "codex.config.toml": _codex(HUGGING_FACE_COMMAND, 'env_vars = ["HF_TOKEN"]\n'),
        "codex.local.config.toml": _codex(LOCAL_COMMAND),
    }


def _with_token(token: str) -> dict[str, Any]:
    return {**HUGGING_FACE_COMMAND, "env": {"HF_TOKEN": token}}


def _mcp_servers(server: dict[str, Any]) -> str:
    return to_json({"mcpServers": {SERVER_NAME: server}})


def _vscode(server: dict[str, Any], prompts: list[str] | None = None) -> str:
    inputs = [
        {"type": "promptString", "id": name, "description": "Hugging Face token", "password": True}
        for name in prompts or []
    ]
    return to_json(({"inputs": inputs} if inputs else {}) | {"servers": {SERVER_NAME: {"type": "stdio", **server}}})


def _codex(server: dict[str, Any], environment: str = "") -> str:
    return f"""\
[mcp_servers.{SERVER_NAME}]
command = {json.dumps(server["command"])}
args = {json.dumps(server["args"])}
{environment}tool_timeout_sec = {TOOL_TIMEOUT_S}
"""


def to_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
