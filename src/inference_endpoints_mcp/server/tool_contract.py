"""What is served: the tools, and what is published of them."""

import json
from collections.abc import Sequence
from functools import cache
from importlib import resources

from mcp.types import Tool

from inference_endpoints_mcp.tools.spec import ToolSpec


@cache
def specs() -> dict[str, ToolSpec]:
    # The tools pull in most of the package; the handshake and `tools/list` do not need them.
    from inference_endpoints_mcp.tools.registry import TOOLS

    return {spec.name: spec for spec in TOOLS}


@cache
def published() -> Sequence[Tool]:
    """The generated contract (`make manifests`)."""
    contract = resources.files("inference_endpoints_mcp").joinpath("contract.json").read_text("utf-8")
    return [Tool.model_validate(tool) for tool in json.loads(contract)]
