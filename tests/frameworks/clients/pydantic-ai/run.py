"""Pydantic AI, whose toolset runs on FastMCP's client."""

import asyncio

import job
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


async def answer(message, response_type, params, context):
    return ElicitResult(**job.person(params.requested_schema))


async def main():
    given = job.config()
    server = given["url"] if "url" in given else StdioTransport(given["command"], given["args"])
    asking = {"elicitation_handler": answer} if given["person_types"] else {}
    provider = OpenAIProvider(base_url=f"{given['model_url']}/v1", api_key="none")
    agent = Agent(OpenAIChatModel("scripted", provider=provider), toolsets=[MCPToolset(server, **asking)])
    async with agent:
        await agent.run(given["prompt"])


asyncio.run(main())
