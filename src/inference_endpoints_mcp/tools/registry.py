"""All tools, in the order they are listed."""

from inference_endpoints_mcp.tools.account.get_audit_logs import get_audit_logs
from inference_endpoints_mcp.tools.account.get_costs import get_costs
from inference_endpoints_mcp.tools.account.get_quotas import get_quotas
from inference_endpoints_mcp.tools.account.whoami import whoami
from inference_endpoints_mcp.tools.app.get_endpoint_graphs import get_endpoint_graphs
from inference_endpoints_mcp.tools.app.get_fleet import get_fleet
from inference_endpoints_mcp.tools.catalog.catalog_items import has_catalog_item, list_catalog_items
from inference_endpoints_mcp.tools.catalog.get_recommended_config import get_recommended_config
from inference_endpoints_mcp.tools.catalog.get_vendors import get_vendors
from inference_endpoints_mcp.tools.inference.call_endpoint import call_endpoint
from inference_endpoints_mcp.tools.inference.chat_with_endpoint import chat_with_endpoint
from inference_endpoints_mcp.tools.lifecycle.create_endpoint import create_endpoint
from inference_endpoints_mcp.tools.lifecycle.delete_endpoint import delete_endpoint
from inference_endpoints_mcp.tools.lifecycle.get_endpoint import get_endpoint
from inference_endpoints_mcp.tools.lifecycle.list_endpoints import list_endpoints
from inference_endpoints_mcp.tools.lifecycle.state_changes import (
    pause_endpoint,
    resume_endpoint,
    scale_endpoint_to_zero,
)
from inference_endpoints_mcp.tools.lifecycle.update_endpoint import update_endpoint
from inference_endpoints_mcp.tools.lifecycle.wait_for_endpoint import wait_for_endpoint
from inference_endpoints_mcp.tools.observe.diagnose_endpoint import diagnose_endpoint
from inference_endpoints_mcp.tools.observe.get_endpoint_logs import get_endpoint_logs
from inference_endpoints_mcp.tools.observe.get_endpoint_metric import get_endpoint_metric
from inference_endpoints_mcp.tools.observe.get_endpoint_replicas import get_endpoint_replicas
from inference_endpoints_mcp.tools.spec import ToolSpec

TOOLS: tuple[ToolSpec, ...] = (
    list_endpoints,
    get_endpoint,
    create_endpoint,
    update_endpoint,
    pause_endpoint,
    resume_endpoint,
    scale_endpoint_to_zero,
    delete_endpoint,
    wait_for_endpoint,
    call_endpoint,
    chat_with_endpoint,
    get_vendors,
    list_catalog_items,
    has_catalog_item,
    get_recommended_config,
    get_quotas,
    get_costs,
    get_endpoint_logs,
    get_endpoint_replicas,
    get_endpoint_metric,
    diagnose_endpoint,
    get_audit_logs,
    whoami,
)

APP_TOOLS: tuple[ToolSpec, ...] = (get_fleet, get_endpoint_graphs)
"""The tools of the app alone: no model reads them or calls them."""
