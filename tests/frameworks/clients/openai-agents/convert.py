"""The tools as OpenAI gets them with `convert_schemas_to_strict`, which is not the default."""

import asyncio

import job
from agents.mcp import MCPServerStdio
from agents.mcp.util import MCPUtil
from mcp.types import Tool


async def main():
    server = MCPServerStdio({"command": "true"})
    tools = [MCPUtil.to_function_tool(Tool.model_validate(tool), server, True) for tool in job.tools()]
    # It sends a tool with an object of free keys as it is published, not strict.
    for rules, strict in (("strict-openai", True), ("any", False)):
        chosen = [tool for tool in tools if tool.strict_json_schema is strict]
        job.show(rules, [(tool.name, tool.params_json_schema) for tool in chosen])


asyncio.run(main())
