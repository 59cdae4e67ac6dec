"""The MCP server over HTTP, in this process."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.server.configuration.configuration_files import ConfigurationFiles
from inference_endpoints_mcp.server.configuration.profile_servers import ProfileServers
from inference_endpoints_mcp.server.http.access import AccessRules, ServerExposure
from inference_endpoints_mcp.server.http.graceful_server import GracefulServer
from inference_endpoints_mcp.server.http.listening import TcpAddress
from inference_endpoints_mcp.server.mcp_server import EndpointsServer
from inference_endpoints_mcp.server.transports import HttpOptions, build_http_config

ON_LOOPBACK = HttpOptions(TcpAddress("127.0.0.1", 0), AccessRules.from_settings(ServerExposure("127.0.0.1"), []))

ACCEPT = {"Accept": "application/json, text/event-stream"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "mcp", "version": "1"}},
}
"""Opens a session of the older protocol."""


@asynccontextmanager
async def http_server(
    options: ServerOptions,
    http: HttpOptions = ON_LOOPBACK,
    profiles: Mapping[str, ServerOptions] | None = None,
    files: ConfigurationFiles | None = None,
) -> AsyncIterator[str]:
    """Serves during a block. Yields the address that the command would print."""
    servers = ProfileServers(profiles or {}, lambda each: EndpointsServer(each, Redactor()))
    config, _ = build_http_config(EndpointsServer(options, Redactor()), http, servers, files)
    config.load()
    server = GracefulServer(config, lambda: None)
    server.lifespan = config.lifespan_class(config)
    with http.listening.listen() as (listener, address):
        await server.startup(sockets=[listener])
        try:
            yield address
        finally:
            await server.shutdown(sockets=[listener])
