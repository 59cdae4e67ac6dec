"""`server.json`: the server's entry in the MCP registry."""

from typing import Any

from inference_endpoints_mcp import __version__
from inference_endpoints_mcp.cli.settings.base import VARIABLE_PREFIX
from inference_endpoints_mcp.cli.settings.server import ServerSettings

REGISTRY_NAME = "io.github.inference-endpoints-mcp/inference-endpoints-mcp"

_FORMATS: dict[Any, str] = {bool: "boolean"} | dict.fromkeys((int, int | None, float, float | None), "number")


def build_registry_entry() -> dict[str, Any]:
    """The entry, in the schema of 2025-12-11."""
    variables = [
        {
            "name": "HF_TOKEN",
            "description": "Hugging Face token with the Inference Endpoints scope. Not needed with --local.",
            "isRequired": False,
            "isSecret": True,
            "format": "string",
        },
        *(
            {
                "name": f"{VARIABLE_PREFIX}{name.upper()}",
                "description": field.description,
                "isRequired": False,
                "format": _FORMATS.get(field.annotation, "string"),
            }
            for name, field in ServerSettings.model_fields.items()
        ),
    ]
    return {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": REGISTRY_NAME,
        "title": "Inference Endpoints",
        "description": "Deploy, watch, call and price Hugging Face Inference Endpoints, or try it all locally.",
        "version": __version__,
        "packages": [
            {
                "registryType": "pypi",
                "identifier": "inference-endpoints-mcp",
                "version": __version__,
                "runtimeHint": "uvx",
                "transport": {"type": "stdio"},
                "environmentVariables": variables,
            }
        ],
    }
