"""The MCP App: one page that hosts show beside the answers of some tools. Others get the same answers as text.

Source: the extension `io.modelcontextprotocol/ui`, revision 2026-01-26.
"""

from typing import Any

from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID, client_supports_apps
from mcp.server.context import ServerRequestContext
from mcp.server.extension import Extension
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context

APP_URI = "ui://inference-endpoints/app.html"
SHOWN_IN_APP = (
    "list_endpoints",
    "get_costs",
    "get_endpoint",
    "get_endpoint_metric",
    "create_endpoint",
    "update_endpoint",
    "pause_endpoint",
    "resume_endpoint",
    "scale_endpoint_to_zero",
    "delete_endpoint",
)
"""The tools whose answers are easier to look at than to read: a fleet, one endpoint, a plan."""


class AppExtension(Extension):
    """Declares that this server has an app."""

    identifier = EXTENSION_ID


def shows_app(context: Context[Any, Any] | ServerRequestContext[Any, Any]) -> bool:
    """Whether the host declared that it shows apps."""
    return client_supports_apps(context)


def link_to_app(*, app_only: bool = False) -> dict[str, Any]:
    """The `_meta` of a tool whose answers the app shows, or that only the app calls."""
    return {"ui": {"resourceUri": APP_URI} | ({"visibility": ["app"]} if app_only else {})}


def read_app() -> ReadResourceContents:
    """The page. It may reach nothing: hosts allow only the domains that are named, and there are none."""
    from inference_endpoints_mcp.app.page import page_for_hosts

    return ReadResourceContents(page_for_hosts(), APP_MIME_TYPE, {"ui": {"csp": {}, "prefersBorder": True}})
