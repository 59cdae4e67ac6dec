"""The tools as Bedrock gets them from Strands, by Bedrock's own description of a request."""

import botocore.session
import job
from botocore.validate import validate_parameters
from mcp.types import Tool
from strands.models import BedrockModel
from strands.tools.mcp.mcp_agent_tool import MCPAgentTool

specs = [MCPAgentTool(Tool.model_validate(tool), None).tool_spec for tool in job.tools()]
model = BedrockModel(region_name="us-east-1")
request = model.format_request([{"role": "user", "content": [{"text": "Hello"}]}], specs)
service = botocore.session.get_session().get_service_model("bedrock-runtime")
validate_parameters(request, service.operation_model("ConverseStream").input_shape)
declared = [tool["toolSpec"] for tool in request["toolConfig"]["tools"]]
job.show("any", [(tool["name"], tool["inputSchema"]["json"]) for tool in declared])
