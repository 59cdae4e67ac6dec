"""`python -m tests.conformance.fixture_server`: the server's own class and transport, with what the suite requires.

Many scenarios call tools, prompts and resources by fixed names. They are registered here on a subclass, so that
middleware, subscriptions, sealed state and HTTP are those of the product.
"""

import sys
from contextlib import AsyncExitStack
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import CallToolResult, EmptyResult, InputRequiredResult, SetLevelRequestParams, Tool
from tests.conformance import contents, input_requests

from inference_endpoints.transport.backend import Backend, hugging_face
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.server.configuration.configuration_files import ConfigurationFiles, ServedConfiguration
from inference_endpoints_mcp.server.http.access import AccessRules, ServerExposure
from inference_endpoints_mcp.server.http.listening import TcpAddress
from inference_endpoints_mcp.server.mcp_server import EndpointsServer
from inference_endpoints_mcp.server.transports import HttpOptions, serve_http
from inference_endpoints_mcp.tools.call_context import Application


class FixtureServer(EndpointsServer):
    """Lists and calls what is registered here instead of the tools of the product."""

    def __init__(self, options: ServerOptions, redactor: Redactor) -> None:
        super().__init__(options, redactor)
        contents.register(self)
        input_requests.register(self)
        # Logging has left the protocol, and the product never had it.
        self._lowlevel_server.add_request_handler("logging/setLevel", SetLevelRequestParams, _set_level)

    async def list_tools(self) -> list[Tool]:
        return await MCPServer.list_tools(self)

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Application, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        return await MCPServer.call_tool(self, name, arguments, context)


async def _set_level(ctx: ServerRequestContext[Any, Any], params: SetLevelRequestParams) -> EmptyResult:
    return EmptyResult()


async def _open_backend(_: AsyncExitStack) -> Backend:
    return hugging_face(None)


if __name__ == "__main__":
    # No endpoints are listed: there is no account behind it.
    nothing = ServerOptions(_open_backend, limits=Limits(tools=("whoami",)))
    access = AccessRules.from_settings(ServerExposure("127.0.0.1"), [])
    no_files = ConfigurationFiles(lambda: ServedConfiguration(nothing))
    sys.exit(serve_http(no_files, HttpOptions(TcpAddress("127.0.0.1", 0), access), FixtureServer))
