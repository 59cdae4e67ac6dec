"""Links that open a host and offer to add this server. They start it with uvx, as they are the same for everybody."""

import base64
import json
from urllib.parse import quote, urlencode

from inference_endpoints_mcp.install.hosts import HOSTS, SERVER_NAME
from inference_endpoints_mcp.install.launch import uvx_command


def install_links(flags: tuple[str, ...], *, local: bool) -> dict[str, str]:
    """By the id of the host. All are web addresses: pages such as a README drop links with other schemes."""
    command = [*uvx_command(local=local), *flags]
    entries = {
        name: json.dumps(HOSTS[name].entry(command, local=local), separators=(",", ":"))
        for name in ("cursor", "vscode", "lm-studio")
    }
    return {
        # https://cursor.com/docs/mcp/install-links
        "cursor": f"https://cursor.com/en/install-mcp?{_in_base64(entries['cursor'])}",
        # https://code.visualstudio.com/api/extension-guides/ai/mcp: `vscode:mcp/install`, behind Microsoft's redirect
        "vscode": "https://insiders.vscode.dev/redirect/mcp/install?"
        + urlencode({"name": SERVER_NAME, "config": entries["vscode"]}, quote_via=quote),
        # https://lmstudio.ai/docs/app/mcp/deeplink
        "lm-studio": f"https://lmstudio.ai/install-mcp?{_in_base64(entries['lm-studio'])}",
    }


def _in_base64(entry: str) -> str:
    return urlencode({"name": SERVER_NAME, "config": base64.b64encode(entry.encode()).decode()})
