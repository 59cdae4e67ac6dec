"""Every tool against a plane: its output matches its published schema, the same in both channels."""

from typing import Any

import jsonschema
import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.every_tool import EVERY_TOOL
from tests.support.hosts.host import Mode
from tests.support.planes.plane_driver import Driver

from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy

pytestmark = pytest.mark.anyio

TINY = {"endpoint_name": "tiny"}
CALL_A_MODEL = {"call_endpoint", "chat_with_endpoint"}
"""They need an endpoint that runs a model; `chat` is simulated."""

OTHER_CALLS: list[tuple[str, dict[str, Any]]] = [
    ("list_endpoints", {"namespace": "*"}),
    ("get_recommended_config", {"repository": "Qwen/Qwen2.5-7B-Instruct"}),
    ("call_endpoint", TINY | {"text": "a"}),
    ("get_endpoint_metric", TINY),
    ("pause_endpoint", TINY),
    ("wait_for_endpoint", TINY | {"until": "paused"}),
]


async def test_outputs_and_next_calls_match_the_schemas(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    """A change is previewed, made and repeated. Some hosts send null for each argument that is not given."""
    await driver.create_local()
    await driver.reach("tiny", "running")
    async with host_of(mode, host_timeout_s=2, approval=ApprovalPolicy(method=ApprovalMethod.OFF)) as host:
        tools = {tool.name: tool for tool in (await host.client.list_tools()).tools}
        assert set(EVERY_TOOL) == set(tools), "tests/support/hosts/every_tool.py needs one call of each tool"
        calls = list(OTHER_CALLS)
        for tool, arguments in EVERY_TOOL.items():
            if "dry_run" in tools[tool].input_schema["properties"]:
                calls += [(tool, arguments | {"dry_run": True}), (tool, arguments), (tool, arguments)]
            elif tool not in CALL_A_MODEL:
                calls.append((tool, arguments))
        for tool, arguments in calls:
            facts = await host.call(tool, **dict.fromkeys(tools[tool].input_schema["properties"]) | arguments)
            jsonschema.validate(facts, tools[tool].output_schema or False)
            assert None not in facts.values()
            assert facts["now"]
            assert len(facts["next"]) <= 2
            for proposed in facts["next"]:
                jsonschema.validate(proposed["arguments"], tools[proposed["tool"]].input_schema)
