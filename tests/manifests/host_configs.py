"""Configuration files of hosts, and what README.md says of them. All of it comes from the table of hosts.

The files are what `install` writes into an empty file, with the command that is the same for everybody. Each host has
one for the real service, and one for this machine without an account.
"""

import json
from pathlib import Path
from typing import Any

from inference_endpoints_mcp.install.hosts import DEFAULT_FLAGS, HOSTS, Host
from inference_endpoints_mcp.install.launch import uvx_command
from inference_endpoints_mcp.install.links import install_links
from inference_endpoints_mcp.install.machine import Machine

_ANYWHERE = Machine("linux", Path("/"), {}, Path("/"))


def build_host_configs() -> dict[str, str]:
    """The text of each file, by its name. No file has both servers: their tools have the same names."""
    return {
        f"{host.id}{'.local' if local else ''}.{_file_name(host)}": _render(host, local=local)
        for host in HOSTS.values()
        for local in (False, True)
    }


def render_hosts_table() -> str:
    """One line for each host."""
    rows = [
        f"| [{host.title}]({host.documentation}) | `install {host.id}` | {'yes' if host.project_file else 'no'} "
        f"| {_token(host)} |"
        for host in HOSTS.values()
    ]
    return "\n".join(["| Host | Command | `--scope project` | Your `HF_TOKEN` |", "|---|---|---|---|", *rows, ""])


def render_links() -> str:
    """The links that open a host and offer to add the server."""
    account, alone = install_links(DEFAULT_FLAGS, local=False), install_links((), local=True)
    rows = [f"| {HOSTS[name].title} | [add]({account[name]}) | [add]({alone[name]}) |" for name in account]
    return "\n".join(["| Link | With your account | On this machine, without one |", "|---|---|---|", *rows, ""])


def to_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _file_name(host: Host) -> str:
    return Path(host.project_file or host.user_file(_ANYWHERE)).name.removeprefix(".")


def _render(host: Host, *, local: bool) -> str:
    command = [*uvx_command(local=local), *(("--local",) if local else DEFAULT_FLAGS)]
    return host.format.set("", host.path, host.entry(command, local=local))


def _token(host: Host) -> str:
    if host.inherits:
        return "passed on, as all variables"
    return "named in the entry" if host.variable else "not passed: `hf auth login`"
