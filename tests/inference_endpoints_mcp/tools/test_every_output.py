"""Every tool against a plane: its output matches its published schema, the same in both channels."""

from typing import Any

import jsonschema
import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.host import Mode
from tests.support.plane_driver import Driver

from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod

pytestmark = pytest.mark.anyio

CHAT = {"endpoint_name": "chat"}
CLOUD = {"repository": "org/model", "hardware": "aws-us-east-1-nvidia-l4-x1"}

JOURNEY: list[tuple[str, dict[str, Any]]] = [
    ("whoami", {}),
    ("get_vendors", {}),
    ("has_catalog_item", {"repository": "org/model"}),
    ("get_recommended_config", {"repository": "Qwen/Qwen2.5-7B-Instruct"}),
    ("get_quotas", {}),
    ("get_costs", {}),
    ("list_catalog_items", {}),
    ("list_endpoints", {}),
    ("list_endpoints", {"namespace": "*"}),
    ("create_endpoint", CHAT | CLOUD | {"dry_run": True}),
    ("create_endpoint", CHAT | CLOUD | {"env": {"A": "1"}}),
    ("create_endpoint", CHAT | CLOUD | {"env": {"A": "1"}}),
    ("wait_for_endpoint", CHAT | {"timeout_s": 1}),
    ("update_endpoint", CHAT | {"env": {"B": "2"}, "dry_run": True}),
    ("update_endpoint", CHAT | {"max_replica": 2}),
    ("update_endpoint", CHAT | {"max_replica": 2}),
    ("pause_endpoint", CHAT | {"dry_run": True}),
    ("pause_endpoint", CHAT),
    ("wait_for_endpoint", CHAT | {"until": "paused"}),
    ("resume_endpoint", CHAT),
    ("scale_endpoint_to_zero", CHAT),
    ("list_endpoints", {"limit": 1}),
    ("get_endpoint", CHAT),
    ("get_endpoint_logs", CHAT),
    ("get_endpoint_replicas", CHAT),
    ("diagnose_endpoint", CHAT),
    ("call_endpoint", {"endpoint_name": "tiny", "text": "a"}),
    ("get_audit_logs", {"limit": 1}),
    ("get_endpoint_metric", CHAT | {"series": True}),
    ("get_endpoint_metric", {"endpoint_name": "tiny"}),
    ("delete_endpoint", CHAT | {"dry_run": True}),
    ("delete_endpoint", CHAT),
    ("delete_endpoint", CHAT),
]


async def test_outputs_and_next_calls_match_the_schemas(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    await driver.create_local()
    await driver.reach("tiny", "running")
    async with host_of(mode, confirm=ApprovalMethod.OFF, host_timeout_s=2) as host:
        tools = {tool.name: tool for tool in (await host.client.list_tools()).tools}
        assert {tool for tool, _ in JOURNEY} | {"chat_with_endpoint"} == set(tools)
        for tool, arguments in JOURNEY:
            facts = await host.call(tool, **arguments)
            jsonschema.validate(facts, tools[tool].output_schema or False)
            assert None not in facts.values()
            assert facts["now"]
            assert len(facts["next"]) <= 2
            for proposed in facts["next"]:
                jsonschema.validate(proposed["arguments"], tools[proposed["tool"]].input_schema)
