"""All tools, in the order they are listed."""

from inference_endpoints_mcp.tools import whoami
from inference_endpoints_mcp.tools.catalog import quotas, recommended_config, vendors_and_catalog
from inference_endpoints_mcp.tools.inference import calls
from inference_endpoints_mcp.tools.lifecycle import costs, create_and_update, endpoints, power, wait
from inference_endpoints_mcp.tools.observe import audit_logs, diagnose, logs, metrics, replicas
from inference_endpoints_mcp.tools.spec import ToolSpec

TOOLS: tuple[ToolSpec, ...] = (
    endpoints.list_endpoints,
    endpoints.get_endpoint,
    create_and_update.create_endpoint,
    create_and_update.update_endpoint,
    power.pause_endpoint,
    power.resume_endpoint,
    power.scale_endpoint_to_zero,
    power.delete_endpoint,
    wait.wait_for_endpoint,
    calls.call_endpoint,
    calls.chat_with_endpoint,
    vendors_and_catalog.get_vendors,
    vendors_and_catalog.list_catalog_items,
    recommended_config.has_catalog_item,
    recommended_config.get_recommended_config,
    quotas.get_quotas,
    costs.get_costs,
    logs.get_endpoint_logs,
    replicas.get_endpoint_replicas,
    metrics.get_endpoint_metric,
    diagnose.diagnose_endpoint,
    audit_logs.get_audit_logs,
    whoami.whoami,
)
