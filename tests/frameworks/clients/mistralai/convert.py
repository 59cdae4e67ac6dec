"""The tools as Mistral gets them from its library."""

import asyncio

import job
from mcp.types import ListToolsResult
from mistralai.extra.mcp.base import MCPClientBase


class Listed:
    async def list_tools(self):
        return ListToolsResult.model_validate({"tools": job.tools()})


async def main():
    client = MCPClientBase()
    client._session = Listed()
    tools = [tool.model_dump(mode="json", by_alias=True)["function"] for tool in await client.get_tools()]
    job.show("any", [(tool["name"], tool["parameters"]) for tool in tools])


asyncio.run(main())
