"""All tools, in the order they are listed."""

from inference_endpoints_mcp.tools import (
    account,
    audit,
    catalog,
    costs,
    deploy,
    endpoints,
    inference,
    logs,
    metrics,
    observe,
    quotas,
    recommended,
    steps,
    wait,
)
from inference_endpoints_mcp.tools.spec import ToolSpec

TOOLS: tuple[ToolSpec, ...] = (
    endpoints.list_endpoints,
    endpoints.get_endpoint,
    deploy.create_endpoint,
    deploy.update_endpoint,
    steps.pause_endpoint,
    steps.resume_endpoint,
    steps.scale_endpoint_to_zero,
    steps.delete_endpoint,
    wait.wait_for_endpoint,
    inference.call_endpoint,
    inference.chat_with_endpoint,
    catalog.get_vendors,
    catalog.list_catalog_items,
    recommended.has_catalog_item,
    recommended.get_recommended_config,
    quotas.get_quotas,
    costs.get_costs,
    logs.get_endpoint_logs,
    observe.get_endpoint_replicas,
    metrics.get_endpoint_metric,
    audit.get_audit_logs,
    account.whoami,
)
