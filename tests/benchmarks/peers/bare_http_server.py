"""The least server of the SDK over HTTP: a tool that does nothing, and one that makes a GET. Prints its address."""

import os
import sys

import uvicorn
from mcp.server.mcpserver import MCPServer

from inference_endpoints.transport.http import httpx
from inference_endpoints_mcp.server.http.listening import TcpAddress

server = MCPServer("bare", log_level="ERROR")  # ours writes no line for each call, and nobody reads these
client = httpx.AsyncClient(headers={"Authorization": f"Bearer {os.environ['BENCHMARK_TOKEN']}"})


@server.tool()
def nothing() -> dict[str, str]:
    """Do nothing."""
    return {}


@server.tool()
async def get(url: str) -> dict[str, str]:
    """Read a document."""
    (await client.get(url)).raise_for_status()
    return {}


if __name__ == "__main__":
    with TcpAddress("127.0.0.1", 0).listen() as (listener, address):
        sys.stderr.write(f"Serving {address}\n")
        sys.stderr.flush()
        config = uvicorn.Config(server.streamable_http_app(), ws="none", log_config=None, access_log=False)
        uvicorn.Server(config).run(sockets=[listener])
