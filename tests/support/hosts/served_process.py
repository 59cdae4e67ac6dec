"""The MCP server over HTTP in a process of its own, on a control plane at an address: `python -m … URL GRACE`."""

import sys
from dataclasses import replace

from tests.support.hosts.http_server import ON_LOOPBACK
from tests.support.hosts.options import options_for
from tests.support.service.scripted_upstream import TOKEN

from inference_endpoints.transport.backend import local
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.server.mcp_server import EndpointsServer
from inference_endpoints_mcp.server.transports import run_until_stopped


def announce(address: str) -> None:
    sys.stderr.write(f"Serving {address}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    url, grace = sys.argv[1:]
    server = EndpointsServer(options_for(local(url, TOKEN), max_subscriptions=2), Redactor())
    sys.exit(run_until_stopped(server, replace(ON_LOOPBACK, grace_s=int(grace)), announce))
