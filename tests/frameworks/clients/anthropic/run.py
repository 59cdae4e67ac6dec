"""Anthropic's helpers: MCP tools in its tool runner, called through a session of the Python SDK."""

import asyncio

import job
from anthropic import AsyncAnthropic
from anthropic.lib.tools.mcp import async_mcp_tool
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitResult


async def answer(context, params):
    return ElicitResult(**job.person(params.requested_schema))


async def main():
    given = job.config()
    if "url" in given:
        streams = streamable_http_client(given["url"])
    else:
        streams = stdio_client(StdioServerParameters(command=given["command"], args=given["args"]))
    asking = {"elicitation_callback": answer} if given["person_types"] else {}
    async with streams as (read, write), ClientSession(read, write, **asking) as session:
        await session.initialize()
        tools = [async_mcp_tool(tool, session) for tool in (await session.list_tools()).tools]
        messages = [{"role": "user", "content": given["prompt"]}]
        runner = AsyncAnthropic().beta.messages.tool_runner(
            model="claude-sonnet-4-5", max_tokens=1024, tools=tools, messages=messages
        )
        await runner.until_done()


job.provide("ANTHROPIC")
asyncio.run(main())
