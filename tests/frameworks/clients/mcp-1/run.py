"""The Python SDK before version 2, which most servers and frameworks still use."""

import asyncio
from contextlib import asynccontextmanager

import job
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client
from mcp.types import ElicitResult


async def answer(context, params):
    return ElicitResult(**job.person(params.requestedSchema))


@asynccontextmanager
async def connected(given):
    if "url" in given:
        async with streamablehttp_client(given["url"]) as (read, write, _):
            yield read, write
    else:
        async with stdio_client(StdioServerParameters(command=given["command"], args=given["args"])) as streams:
            yield streams


async def main():
    given = job.config()
    asking = {"elicitation_callback": answer} if given["person_types"] else {}
    async with connected(given) as streams, ClientSession(*streams, **asking) as session:
        await session.initialize()

        async def call(tool, arguments):
            return (await session.call_tool(tool, arguments)).content[0].text

        await job.follow([tool.name for tool in (await session.list_tools()).tools], call)


asyncio.run(main())
