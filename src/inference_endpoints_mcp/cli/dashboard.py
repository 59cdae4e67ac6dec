"""`dashboard`: the server with its page, for the person at this machine."""

import os
import sys
import webbrowser
from threading import Thread

from inference_endpoints_mcp.cli.server_options import configuration_of
from inference_endpoints_mcp.cli.settings.commands import DashboardSettings
from inference_endpoints_mcp.policy.audit.audit_trail import AuditError
from inference_endpoints_mcp.policy.limits import LimitsError
from inference_endpoints_mcp.privacy.lent_secrets import LentSecretsError
from inference_endpoints_mcp.server.dashboard import serve_dashboard
from inference_endpoints_mcp.server.http.listening import ListenError, TcpAddress


def run_dashboard(settings: DashboardSettings) -> int:
    def open_first(link: str) -> None:
        print(f"Dashboard: {link}\nThe link is good once. Ctrl-C ends it.", flush=True)
        if not settings.no_browser and _has_screen():
            Thread(target=webbrowser.open, args=[link], daemon=True).start()  # some wait for the browser's end

    def print_next(link: str) -> None:
        print(f"Opened. Another link: {link}", flush=True)

    try:
        files = configuration_of(settings, http=True)
        return serve_dashboard(files, TcpAddress("127.0.0.1", settings.port), open_first, print_next)
    except (LimitsError, LentSecretsError, AuditError, ListenError) as error:
        print(error, file=sys.stderr)
        return 2


def _has_screen() -> bool:
    """Without one, Python would open a browser of the terminal, and wait for its end."""
    return sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    )
