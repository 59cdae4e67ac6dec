"""The tools as Gemini gets them from Google's Agent Development Kit, without and with JSON Schema."""

import job
from google.adk.features import FeatureName
from google.adk.features._feature_registry import temporary_feature_override
from google.adk.tools.mcp_tool import McpTool
from mcp.types import Tool

tools = [McpTool(mcp_tool=Tool.model_validate(tool), mcp_session_manager=None) for tool in job.tools()]
for as_json, rules, field in ((False, "gemini", "parameters"), (True, "any", "parametersJsonSchema")):
    with temporary_feature_override(FeatureName.JSON_SCHEMA_FOR_FUNC_DECL, as_json):
        declarations = [tool._get_declaration() for tool in tools]
        declared = [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in declarations]
    job.show(rules, [(each["name"], each[field]) for each in declared])
