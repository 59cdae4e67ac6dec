"""The dashboard: the page of the app in a browser, beside the server that it calls. It is served on loopback alone."""

from collections.abc import Callable

from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.server.configuration.configuration_files import ConfigurationFiles
from inference_endpoints_mcp.server.http.access import AccessRules
from inference_endpoints_mcp.server.http.listening import Listening
from inference_endpoints_mcp.server.http.page import OneTimeLinks
from inference_endpoints_mcp.server.mcp_server import EndpointsServer
from inference_endpoints_mcp.server.observability.stderr_log import log_to_stderr
from inference_endpoints_mcp.server.transports import (
    HttpOptions,
    run_until_stopped,
)


def serve_dashboard(
    files: ConfigurationFiles,
    listening: Listening,
    open_first: Callable[[str], None],
    print_next: Callable[[str], None],
) -> int:
    """Serve until SIGTERM or SIGINT. Each link is good once, and the next one is given when it is used.

    Returns the exit code; raises `ListenError`.
    """
    redactor = Redactor()
    log_to_stderr(redactor)
    links = OneTimeLinks()
    for secret in (links.key, links.code):
        redactor.add(secret)
    http = HttpOptions(listening, AccessRules.on_loopback(), links=links)

    def announce(address: str) -> None:
        root = address.removesuffix("mcp")
        links.on_used = lambda: print_next(links.link(root))
        open_first(links.link(root))

    return run_until_stopped(EndpointsServer(files.current.options, redactor), http, announce, files=files)
