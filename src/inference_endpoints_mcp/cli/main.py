"""The command `inference-endpoints-mcp`. Each command imports only what it needs."""

import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from inference_endpoints_mcp import __version__

USAGE_ERROR = 2
INTERRUPTED = 130
"""As shells report a program that SIGINT ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, or without one the MCP server over stdio. Returns the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    command = _COMMANDS.get(arguments[0]) if arguments else None
    if command is not None:
        return _run_command(command, arguments[1:])
    if arguments[:1] == ["--version"]:
        print(__version__)
        return 0
    if arguments and not arguments[0].startswith("-"):
        print(f"Unknown command {arguments[0]!r}. The commands are: {', '.join(_COMMANDS)}.", file=sys.stderr)
        return USAGE_ERROR
    return _run_server(arguments)


def _run_command(command: Callable[[list[str]], int], arguments: list[str]) -> int:
    try:
        code = command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:  # what the command had open is closed by now
        return INTERRUPTED
    return code


def _action(arguments: list[str], *actions: str) -> str | None:
    """The action that a command is to do; empty where its help is requested, None where there is no such action."""
    first = arguments[0] if arguments else ""
    if first in {"--help", "-h"}:
        return ""
    if first in actions:
        return first
    wrong = f"Unknown action {first!r}. " if first else ""
    print(f"{wrong}Say what to do: {', '.join(actions)}.", file=sys.stderr)
    return None


def _run_server(arguments: list[str]) -> int:
    # The imports create many objects that live as long as the process. Garbage collections among them would take a
    # tenth of the time to the first answer.
    gc.disable()
    from inference_endpoints_mcp.cli.settings.base import parse_arguments
    from inference_endpoints_mcp.cli.settings.server import ServerSettings
    from inference_endpoints_mcp.cli.stdio import run_stdio

    gc.freeze()
    gc.enable()
    return run_stdio(parse_arguments(ServerSettings, arguments))


def _run_serve(arguments: list[str]) -> int:
    from inference_endpoints_mcp.cli.serve import run_serve
    from inference_endpoints_mcp.cli.settings.base import parse_arguments
    from inference_endpoints_mcp.cli.settings.serve import ServeSettings

    return run_serve(parse_arguments(ServeSettings, arguments))


def _run_dashboard(arguments: list[str]) -> int:
    from inference_endpoints_mcp.cli.dashboard import run_dashboard
    from inference_endpoints_mcp.cli.settings.base import parse_arguments
    from inference_endpoints_mcp.cli.settings.commands import DashboardSettings

    return run_dashboard(parse_arguments(DashboardSettings, arguments))


def _run_demo(arguments: list[str]) -> int:
    from inference_endpoints_mcp.cli.settings.base import parse_arguments
    from inference_endpoints_mcp.cli.settings.commands import DemoSettings
    from inference_endpoints_mcp.demo.script import run_demo

    settings = parse_arguments(DemoSettings, arguments)
    return run_demo(as_json=settings.json_, media=settings.media)


def _run_doctor(arguments: list[str]) -> int:
    from inference_endpoints_mcp.cli.doctor import run_doctor
    from inference_endpoints_mcp.cli.settings.base import parse_arguments
    from inference_endpoints_mcp.cli.settings.commands import DoctorSettings

    return run_doctor(parse_arguments(DoctorSettings, arguments))


def _run_keys(arguments: list[str]) -> int:
    from inference_endpoints_mcp.cli.keys import run_keys
    from inference_endpoints_mcp.cli.settings.base import parse_arguments
    from inference_endpoints_mcp.cli.settings.commands import KeySettings

    action = _action(arguments, "add", "list", "remove")
    if action is None:
        return USAGE_ERROR
    return run_keys(action, parse_arguments(KeySettings, arguments[bool(action) :]))


def _run_install(arguments: list[str]) -> int:
    from inference_endpoints_mcp.cli.install import run_install

    return run_install(arguments)


def _run_uninstall(arguments: list[str]) -> int:
    from inference_endpoints_mcp.cli.install import run_uninstall

    return run_uninstall(arguments)


def _run_skills(arguments: list[str]) -> int:
    from inference_endpoints_mcp.cli.skills import run_skills

    return run_skills(arguments)


def _run_audit(arguments: list[str]) -> int:
    from inference_endpoints_mcp.cli.audit import run_verify
    from inference_endpoints_mcp.cli.settings.base import parse_arguments
    from inference_endpoints_mcp.cli.settings.commands import AuditSettings

    action = _action(arguments, "verify")
    if action is None:
        return USAGE_ERROR
    return run_verify(parse_arguments(AuditSettings, arguments[bool(action) :]))


def _run_control_plane(arguments: list[str]) -> int:
    return _stop_control_plane(arguments[1:]) if arguments[:1] == ["stop"] else _exec_control_plane(arguments)


def _exec_control_plane(arguments: list[str]) -> NoReturn:
    """Replace this process by the embedded control plane, for any client of the REST API."""
    from inference_endpoints_mcp.cli.settings.base import parse_arguments
    from inference_endpoints_mcp.cli.settings.commands import ControlPlaneSettings
    from inference_endpoints_mcp.cli.settings.server import absolute

    settings = parse_arguments(ControlPlaneSettings, arguments)
    flags = ["--data-dir", str(settings.folder)]
    flags += ["--namespace", settings.namespace] if settings.namespace else []
    flags += ["--simulated-speed", str(settings.simulated_speed)]
    flags += ["--simulated"] if settings.simulated else []
    flags += ["--no-payment-method"] if settings.no_payment_method else []
    flags += [f"--model-folder={folder}" for folder in absolute(settings.model_folders)]
    flags += settings.ray.flags() if settings.ray else []
    flags += ["--json"] if settings.json_ else []
    flags += ["--port", str(settings.port)] if settings.port is not None else []
    flags += ["--linger", str(settings.linger)] if settings.linger is not None else []
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "inference_endpoints_local.daemon", *flags])  # noqa: S606


def _stop_control_plane(arguments: list[str]) -> int:
    """End the control plane of the data folder. Its endpoints are unchanged when it starts again."""
    import asyncio

    from inference_endpoints_local.daemon import connect
    from inference_endpoints_mcp.cli.settings.base import DataFolderSettings, parse_arguments

    try:
        stopped = asyncio.run(connect.stop_plane(parse_arguments(DataFolderSettings, arguments).folder))
    except connect.PlaneError as error:
        print(error, file=sys.stderr)
        return 1
    print("The control plane has stopped." if stopped else "No control plane runs on this data folder.")
    return 0


_COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "serve": _run_serve,
    "dashboard": _run_dashboard,
    "demo": _run_demo,
    "doctor": _run_doctor,
    "keys": _run_keys,
    "audit": _run_audit,
    "control-plane": _run_control_plane,
    "install": _run_install,
    "uninstall": _run_uninstall,
    "skills": _run_skills,
}
