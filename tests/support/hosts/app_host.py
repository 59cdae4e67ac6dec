"""A host that shows MCP Apps: a client that declares the extension, of a server in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp import Client
from mcp.client.extension import advertise
from tests.support.hosts.host import Mode
from tests.support.hosts.in_process import InMemoryTransport
from tests.support.hosts.options import options_for
from tests.support.planes.plane_driver import TOKEN

from inference_endpoints.transport.backend import local
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.server.mcp_server import EndpointsServer

UI = "io.modelcontextprotocol/ui"
MIME_TYPE = "text/html;profile=mcp-app"


@asynccontextmanager
async def app_host(url: str, mode: Mode = "auto", **options: Any) -> AsyncIterator[Client]:
    server = EndpointsServer(options_for(local(url, TOKEN), **options), Redactor())
    shows = advertise(UI, {"mimeTypes": [MIME_TYPE]})
    async with Client(InMemoryTransport(server), mode=mode, extensions=[shows]) as client:
        yield client
