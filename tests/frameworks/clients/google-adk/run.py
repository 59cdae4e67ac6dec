"""Google's Agent Development Kit."""

import asyncio

import job
from google.adk.agents import LlmAgent
from google.adk.runners import InMemoryRunner
from google.adk.tools.mcp_tool import McpToolset, StdioConnectionParams, StreamableHTTPConnectionParams
from google.genai import types
from mcp import StdioServerParameters
from mcp.types import ElicitResult


async def answer(context, params):
    return ElicitResult(**job.person(params.requested_schema))


async def main():
    given = job.config()
    if "url" in given:
        server = StreamableHTTPConnectionParams(url=given["url"])
    else:
        parameters = StdioServerParameters(command=given["command"], args=given["args"])
        server = StdioConnectionParams(server_params=parameters)
    asking = {"elicitation_callback": answer} if given["person_types"] else {}
    toolset = McpToolset(connection_params=server, **asking)
    runner = InMemoryRunner(LlmAgent(name="agent", model="gemini-2.5-flash", tools=[toolset]))
    session = await runner.session_service.create_session(app_name=runner.app_name, user_id="user")
    message = types.UserContent(given["prompt"])
    async for _ in runner.run_async(user_id="user", session_id=session.id, new_message=message):
        pass
    await runner.close()


job.provide("GEMINI")
asyncio.run(main())
