"""FastMCP's client: it brings no agent, so the model's calls are made as they come."""

import asyncio

import job
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import StdioTransport


async def answer(message, response_type, params, context):
    return ElicitResult(**job.person(params.requested_schema))


async def main():
    given = job.config()
    server = given["url"] if "url" in given else StdioTransport(given["command"], given["args"])
    asking = {"elicitation_handler": answer} if given["person_types"] else {}
    async with Client(server, **asking) as client:

        async def call(tool, arguments):
            result = await client.call_tool(tool, arguments, raise_on_error=False)
            return result.content[0].text

        await job.follow([tool.name for tool in await client.list_tools()], call)


asyncio.run(main())
