"""The least server of the SDK whose tool makes one POST: what a call of an endpoint costs at least."""

import os
from typing import Any

from mcp.server.mcpserver import MCPServer

from inference_endpoints.transport.http import httpx

server = MCPServer("bare")
client = httpx.AsyncClient(headers={"Authorization": f"Bearer {os.environ['BENCHMARK_TOKEN']}"})


@server.tool()
async def post(url: str, text: str) -> dict[str, Any]:
    """Send a text to a model."""
    response = await client.post(url, json={"inputs": text, "parameters": {}})
    return {"output": response.raise_for_status().json()}


if __name__ == "__main__":
    server.run()
