"""OpenAI's Agents SDK, with its default model interface (responses)."""

import asyncio

import job
from agents import Agent, Runner, set_tracing_disabled
from agents.mcp import MCPServerStdio, MCPServerStreamableHttp


async def main():
    given = job.config()
    set_tracing_disabled(True)  # it would be sent to OpenAI
    if "url" in given:
        server = MCPServerStreamableHttp({"url": given["url"]})
    else:
        server = MCPServerStdio({"command": given["command"], "args": given["args"]})
    async with server:
        await Runner.run(Agent(name="agent", mcp_servers=[server]), given["prompt"], max_turns=200)


job.provide("OPENAI")
asyncio.run(main())
