"""One call of every tool. A new tool gets its call here, and is then covered by every test of all tools."""

from typing import Any

L4 = "aws-us-east-1-nvidia-l4-x1"
CHAT = {"endpoint_name": "chat"}

EVERY_TOOL: dict[str, dict[str, Any]] = {
    "whoami": {},
    "get_vendors": {},
    "list_catalog_items": {},
    "has_catalog_item": {"repository": "org/model-1B"},
    "get_recommended_config": {"repository": "org/model-1B"},
    "get_quotas": {},
    "get_costs": {},
    "list_endpoints": {},
    "create_endpoint": CHAT | {"repository": "org/model-1B", "hardware": L4, "env": {"A": "1"}},
    "wait_for_endpoint": CHAT | {"timeout_s": 1},
    "get_endpoint": CHAT,
    "get_endpoint_logs": CHAT,
    "get_endpoint_replicas": CHAT,
    "get_endpoint_metric": CHAT | {"series": True},
    "diagnose_endpoint": CHAT,
    "update_endpoint": CHAT | {"max_replica": 2},
    "call_endpoint": CHAT | {"text": "hello"},
    "chat_with_endpoint": CHAT | {"message": "hello"},
    "pause_endpoint": CHAT,
    "resume_endpoint": CHAT,
    "scale_endpoint_to_zero": CHAT,
    "get_audit_logs": {"limit": 1},
    "delete_endpoint": CHAT,
}
"""The arguments by the tool's name, in an order in which one call after the other succeeds."""
