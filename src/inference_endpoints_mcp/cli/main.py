"""The command `inference-endpoints-mcp`."""

import gc
import os
import sys
from collections.abc import Callable, Sequence

from inference_endpoints_mcp import __version__

USAGE_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; without one, the MCP server over stdio. Returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = _COMMANDS.get(words[0]) if words else None
    if command is not None:
        return _to_its_end(command, words[1:])
    if words[:1] == ["--version"]:
        print(__version__)
        return 0
    if words and not words[0].startswith("-"):
        print(f"There is no command {words[0]!r}. There are: {', '.join(_COMMANDS)}.", file=sys.stderr)
        return USAGE_ERROR
    return _server(words)


def _to_its_end(command: Callable[[list[str]], int], words: list[str]) -> int:
    try:
        code = command(words)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _server(words: list[str]) -> int:
    # Importing makes a great many objects that live as long as the process: collecting among them would cost a
    # tenth of the time to the first answer.
    gc.disable()
    from inference_endpoints_mcp.cli.assemble import run
    from inference_endpoints_mcp.cli.settings import ServerSettings, parse

    gc.freeze()
    gc.enable()
    return run(parse(ServerSettings, words))


def _serve(words: list[str]) -> int:
    from inference_endpoints_mcp.cli.assemble import run_serve
    from inference_endpoints_mcp.cli.settings import ServeSettings, parse

    return run_serve(parse(ServeSettings, words))


def _demo(words: list[str]) -> int:
    from inference_endpoints_mcp.cli.settings import DemoSettings, parse
    from inference_endpoints_mcp.demo.script import run

    return run(as_json=parse(DemoSettings, words).json_)


def _doctor(words: list[str]) -> int:
    from inference_endpoints_mcp.cli.doctor import run
    from inference_endpoints_mcp.cli.settings import DoctorSettings, parse

    return run(parse(DoctorSettings, words))


def _control_plane(words: list[str]) -> int:
    from inference_endpoints_mcp.cli import control_plane
    from inference_endpoints_mcp.cli.settings import ControlPlaneSettings, FolderSettings, parse

    if words[:1] == ["stop"]:
        return control_plane.stop(parse(FolderSettings, words[1:]))
    return control_plane.run(parse(ControlPlaneSettings, words))


_COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "serve": _serve,
    "demo": _demo,
    "doctor": _doctor,
    "control-plane": _control_plane,
}
