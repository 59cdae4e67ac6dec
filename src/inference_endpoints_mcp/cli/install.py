"""`install` and `uninstall`: show what changes in a host's configuration, ask, and change it."""

import os
import re
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field
from pydantic_settings import CliPositionalArg, SettingsConfigDict

from inference_endpoints_mcp.cli.settings.base import CommandSettings, DataFolderSettings, parse_arguments
from inference_endpoints_mcp.cli.settings.server import ServerSettings
from inference_endpoints_mcp.install.backups import Backups
from inference_endpoints_mcp.install.changes import Change, installed_entry, plan_install, plan_uninstall
from inference_endpoints_mcp.install.config_file import ConfigFile
from inference_endpoints_mcp.install.errors import InstallError
from inference_endpoints_mcp.install.hosts import DEFAULT_FLAGS, HOSTS, VARIABLE, Host
from inference_endpoints_mcp.install.launch import PACKAGE, find_lasting_command
from inference_endpoints_mcp.install.machine import Machine
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.privacy.untrusted_text import clean
from inference_endpoints_mcp.terminal import open_console

Scope = Literal["user", "project"]
LOGIN = "`hf auth login` saves a token that the server finds in every host."


class _ChangeSettings(CommandSettings):
    """What both commands have. They are flags only: a variable of a running server must not decide what is written."""

    reads_variables = False

    scope: Scope = Field(default="user", description="user: for all your projects. project: for the current folder.")
    dry_run: bool = Field(default=False, description="Show what would change, and change nothing.")
    yes: bool = Field(default=False, description="Do not ask.")


class InstallSettings(_ChangeSettings):
    """Add this server to the configuration of a host. It shows the change, asks, and keeps a copy of the file.

    Flags of the server stand after --: `install cursor -- --read-only`. Without any, it may start nothing that costs
    more than $5 per hour. No token is written: the server reads HF_TOKEN, or what `hf auth login` saved.
    """

    model_config = SettingsConfigDict(cli_prog_name="inference-endpoints-mcp install")

    host_name: CliPositionalArg[str | None] = Field(
        default=None, description=f"One of: {', '.join(HOSTS)}. Without it, as --list."
    )
    local: bool = Field(
        default=False, description="Let the server use the embedded control plane on this machine: no account needed."
    )
    list_: bool = Field(
        default=False,
        validation_alias=AliasChoices("list"),
        description="Show which hosts are found here, and in which this server is installed.",
    )


class UninstallSettings(_ChangeSettings):
    """Remove this server from the configuration of a host. Everything else in the file stays as it is."""

    model_config = SettingsConfigDict(cli_prog_name="inference-endpoints-mcp uninstall")

    host_name: CliPositionalArg[str] = Field(description=f"One of: {', '.join(HOSTS)}.")


def run_install(arguments: list[str]) -> int:
    own, flags = _split(arguments)
    settings = parse_arguments(InstallSettings, own)
    machine = Machine.here()
    if settings.list_ or settings.host_name is None:
        return _list_hosts(machine)
    launch_flags = _server_flags(settings.local, flags)
    try:
        host = _host(settings.host_name)
        file = _open(host, settings.scope, machine)
        command = [*find_lasting_command(os.environ, local=settings.local), *launch_flags]
        change = plan_install(file, host, host.entry(command, local=settings.local))
        if change.is_empty:
            print(f"This server is installed in {host.title} already, in {file.path}.")
            return 0
        if _carry_out(change, host, settings):
            print(f"Installed in {host.title}: restart it, or reload its servers.")
            print("\n".join(_notes(host, settings)))
    except InstallError as error:
        print(clean(str(error)), file=sys.stderr)
        return 1
    return 0


def run_uninstall(arguments: list[str]) -> int:
    settings = parse_arguments(UninstallSettings, arguments)
    try:
        host = _host(settings.host_name)
        file = _open(host, settings.scope, Machine.here())
        change = plan_uninstall(file, host, _backups(file))
        if change is None:
            print(f"This server is not installed in {host.title}: {file.path} does not have it.")
        elif _carry_out(change, host, settings):
            print(f"Removed from {host.title}: restart it, or reload its servers.")
    except InstallError as error:
        print(clean(str(error)), file=sys.stderr)
        return 1
    return 0


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _server_flags(local: bool, flags: Sequence[str]) -> list[str]:
    """The flags with which the host starts the server. Ends the process if the server would refuse them."""
    chosen = [*(["--local"] if local else []), *(flags or ([] if local else DEFAULT_FLAGS))]
    parse_arguments(ServerSettings, chosen)
    return chosen


def _host(name: str) -> Host:
    if name not in HOSTS:
        raise InstallError(f"{name!r} is not a known host. Known are: {', '.join(HOSTS)}.")
    return HOSTS[name]


def _open(host: Host, scope: Scope, machine: Machine) -> ConfigFile:
    """The host's file. Raises `InstallError`, also for a host that has none in projects."""
    if scope == "user":
        return ConfigFile.read(host.user_file(machine))
    if host.project_file is None:
        raise InstallError(f"{host.title} has no configuration for a project. Leave out --scope project.")
    return ConfigFile.read(machine.project / host.project_file, project=machine.project)


def _backups(file: ConfigFile) -> Backups:
    return Backups(DataFolderSettings().folder, file.path)


def _carry_out(change: Change, host: Host, settings: _ChangeSettings) -> bool:
    """Show the change, ask, and make it. Returns whether it was made. Raises `InstallError`."""
    _show(change, host)
    if settings.dry_run:
        print("Nothing was changed: this was a dry run.")
        return False
    if not settings.yes:
        if not sys.stdin.isatty():
            raise InstallError(
                "Nobody can be asked here, and nothing was changed. Add --yes to do it without a question."
            )
        if not _is_wanted():
            print("Nothing was changed.")
            return False
    copy = change.apply(_backups(change.file))
    if copy:
        print(f"The file as it was: {copy}")
    return True


def _is_wanted() -> bool:
    try:
        return input("Change this file? [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt):
        print()
        return False


def _show(change: Change, host: Host) -> None:
    """The difference. Secrets of other servers are masked; the reference to HF_TOKEN is none."""
    console = open_console(sys.stdout)
    if change.file.is_linked:
        console.print(f"Behind a link: {change.file.path}")
    styles = {"+": "green", "-": "red", "@": "cyan"}
    lines = change.difference()
    for line, masked in zip(lines, Redactor().lines(lines), strict=True):
        is_reference = re.fullmatch(rf'[+ -]\s*"{VARIABLE}": "{re.escape(host.variable or "")}"', line)
        console.print(clean(line if is_reference else masked), style=styles.get(line[:1], ""))


def _notes(host: Host, settings: InstallSettings) -> list[str]:
    notes = []
    if settings.local and find_spec("xllamacpp") is None:
        notes.append(f"The engines of --local are not installed here: pip install '{PACKAGE}[local]'.")
    if not settings.local:
        passed = host.variable is not None or host.inherits
        notes.append(f"{host.title} passes your HF_TOKEN to it." if passed else f"{host.title} passes no HF_TOKEN.")
        notes.append(LOGIN)
    if settings.scope == "project":
        notes.append("The entry names a path of this machine: others who use this file need one of their own.")
    return notes


def _list_hosts(machine: Machine) -> int:
    rows = [("HOST", "FOUND HERE", "INSTALLED")]
    rows += [
        (host.id, "yes" if host.is_found(machine) else "no", _describe_installed(host, machine))
        for host in HOSTS.values()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for row in rows:
        print(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip())
    return 0


def _describe_installed(host: Host, machine: Machine) -> str:
    """The files that have this server, and those that cannot be read."""
    found = []
    for scope in ("user", "project") if host.project_file else ("user",):
        try:
            file = _open(host, scope, machine)
            entry = installed_entry(file, host)
        except InstallError as error:
            found.append(clean(str(error)))
            continue
        if entry is not None:
            found.append(f"{_short(file.path, machine)}{_mode(entry)}")
    return ", ".join(found) or "no"


def _mode(entry: Any) -> str:
    return " (--local)" if "--local" in str(entry) else ""


def _short(path: Path, machine: Machine) -> str:
    return f"~{os.sep}{path.relative_to(machine.home)}" if path.is_relative_to(machine.home) else str(path)
