"""Adds the names that are most like one that does not exist to the error of any tool."""

from collections.abc import Mapping
from typing import Any

from mcp.server.mcpserver import Context

from inference_endpoints.errors import InferenceEndpointError, NotFound
from inference_endpoints_mcp.tools.call_context import open_call
from inference_endpoints_mcp.tools.lifecycle.choice import similar_to


async def add_similar_names(error: NotFound, arguments: Mapping[str, Any], context: Context[Any, Any]) -> None:
    """Give the error similar names as its hint, if it is the endpoint of the call that does not exist."""
    given, namespace = arguments.get("endpoint_name"), arguments.get("namespace") or ""
    if not isinstance(given, str) or not given or not isinstance(namespace, str):
        return
    try:
        call = await open_call(context)
        namespace, name = await call.resolve_endpoint(given, namespace)
        listed = await call.endpoints.list(namespace)
    except InferenceEndpointError:
        return
    if all(one.name != name for one in listed):
        error.hint = similar_to(name, listed)
