"""The least server that the SDK makes: one tool, which does nothing."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("bare")


@server.tool()
def nothing() -> dict[str, str]:
    """Do nothing."""
    return {}


if __name__ == "__main__":
    server.run()
