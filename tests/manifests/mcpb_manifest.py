"""`mcpb.json`: the manifest of the bundle that Claude Desktop and other hosts install with a click.

Fields: version 0.4 of https://github.com/modelcontextprotocol/mcpb/blob/main/MANIFEST.md, type `uv`: the host runs uv,
which installs what `pyproject.toml` names. So one bundle is for all systems, and contains no binaries.
"""

import tomllib
from pathlib import Path
from typing import Any

from inference_endpoints_mcp import __version__
from inference_endpoints_mcp.cli.settings.base import VARIABLE_PREFIX
from inference_endpoints_mcp.install.hosts import VARIABLE
from inference_endpoints_mcp.install.launch import PACKAGE
from inference_endpoints_mcp.tools.registry import TOOLS

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
_HIGHEST_PRICE = 5


def build_mcpb_manifest() -> dict[str, Any]:
    """The embedded control plane is no choice here: its engines are binaries, which not every system has."""
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]
    urls = project["urls"]
    return {
        "manifest_version": "0.4",
        "name": PACKAGE,
        "display_name": "Inference Endpoints",
        "version": __version__,
        "description": "Deploy, watch, call and price Hugging Face Inference Endpoints.",
        "author": {"name": "The inference-endpoints-mcp authors", "url": urls["Homepage"]},
        "repository": {"type": "git", "url": urls["Homepage"]},
        "documentation": urls["Documentation"],
        "support": urls["Issues"],
        "license": project["license"],
        "keywords": project["keywords"],
        # It sends requests to Hugging Face, with the account of the user.
        "privacy_policies": ["https://huggingface.co/privacy"],
        "server": {
            "type": "uv",
            "entry_point": "src/inference_endpoints_mcp/__main__.py",
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", "--no-dev", PACKAGE],
                "env": {
                    VARIABLE: "${user_config.token}",
                    f"{VARIABLE_PREFIX}MAX_PRICE_PER_HOUR": "${user_config.max_price_per_hour}",
                    f"{VARIABLE_PREFIX}READ_ONLY": "${user_config.read_only}",
                },
            },
        },
        "user_config": {
            "token": {
                "type": "string",
                "title": "Hugging Face token",
                "description": "With the Inference Endpoints scope. Empty: the one that `hf auth login` saved.",
                "sensitive": True,
                "required": False,
                "default": "",
            },
            "max_price_per_hour": {
                "type": "number",
                "title": "Highest price per hour, in USD",
                "description": "Of one namespace, running endpoints included. What costs more is refused.",
                "required": False,
                "default": _HIGHEST_PRICE,
                "min": 0,
            },
            "read_only": {
                "type": "boolean",
                "title": "Only read",
                "description": "Hide and refuse everything that could change something.",
                "required": False,
                "default": False,
            },
        },
        "tools": [{"name": spec.name, "description": spec.title} for spec in TOOLS],
        "prompts_generated": True,
        "compatibility": {
            "platforms": ["darwin", "win32", "linux"],
            "runtimes": {"python": project["requires-python"]},
        },
    }
