"""The hosts that this server can be installed in, each as its documentation describes it (read in November 2026).

The files in `manifests/hosts`, the table and the links in README.md are made from this table as well.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference_endpoints_mcp.install.formats.jsonc import JSONC
from inference_endpoints_mcp.install.formats.text_format import TextFormat
from inference_endpoints_mcp.install.formats.toml import TOML
from inference_endpoints_mcp.install.formats.yaml import YAML
from inference_endpoints_mcp.install.machine import Machine

SERVER_NAME = "inference-endpoints"
VARIABLE = "HF_TOKEN"
DEFAULT_FLAGS = ("--max-price-per-hour", "5")
"""Of a server that uses an account, where the user chooses none."""
TOOL_TIMEOUT_S, START_TIMEOUT_S = 120, 60
"""Where a host has a limit of its own: for one call, and for the first start, in which uvx may download."""

Shape = Callable[[Sequence[str], str | None], dict[str, Any]]
"""The entry of a server: from its command line, and the host's words for the user's HF_TOKEN if there are any."""


def _standard(command: Sequence[str], variable: str | None) -> dict[str, Any]:
    variables = {"env": {VARIABLE: variable}} if variable else {}
    return {"command": command[0], "args": list(command[1:]), **variables}


def _typed(command: Sequence[str], variable: str | None) -> dict[str, Any]:
    return {"type": "stdio", **_standard(command, variable)}


def _codex(command: Sequence[str], variable: str | None) -> dict[str, Any]:
    limits = {"startup_timeout_sec": START_TIMEOUT_S, "tool_timeout_sec": TOOL_TIMEOUT_S}
    return _standard(command, None) | ({"env_vars": [variable]} if variable else {}) | limits


def _copilot(command: Sequence[str], variable: str | None) -> dict[str, Any]:
    return {"type": "local", **_standard(command, variable), "tools": ["*"]}


def _goose(command: Sequence[str], variable: str | None) -> dict[str, Any]:
    return {
        "name": SERVER_NAME,
        "description": "Deploy, watch, call and price Hugging Face Inference Endpoints",
        "type": "stdio",
        "enabled": True,
        "cmd": command[0],
        "args": list(command[1:]),
        "envs": {},
        # A key here that the user has not stored stops the extension from loading.
        "env_keys": [],
        "timeout": TOOL_TIMEOUT_S,
    }


def _opencode(command: Sequence[str], variable: str | None) -> dict[str, Any]:
    variables = {"environment": {VARIABLE: variable}} if variable else {}
    return {"type": "local", "command": list(command), "enabled": True, **variables}


@dataclass(frozen=True)
class Host:
    """A host, where it keeps its servers, and how it writes one."""

    id: str
    title: str
    documentation: str
    user_file: Callable[[Machine], Path]
    project_file: str | None = None
    key: str = "mcpServers"
    format: TextFormat = JSONC
    shape: Shape = _standard
    variable: str | None = None
    """How an entry names the variable HF_TOKEN of the user. None where the host has no such form, or passes its own
    variables to servers anyway."""
    inherits: bool = False
    """Whether servers get all variables of the host."""
    programs: tuple[str, ...] = ()
    """Commands by which it is found, where it has not written its folder yet."""

    @property
    def path(self) -> tuple[str, str]:
        """Where the entry is in the file."""
        return (self.key, SERVER_NAME)

    def entry(self, command: Sequence[str], *, local: bool) -> dict[str, Any]:
        """Without the token where only this machine is used: nothing needs it then."""
        return self.shape(command, None if local else self.variable)

    def is_found(self, machine: Machine) -> bool:
        """Whether it seems to be used here."""
        file = self.user_file(machine)
        folder = file.parent
        own_folder = folder not in (machine.home, machine.application_folder, machine.xdg_folder)
        return file.exists() or (own_folder and folder.is_dir()) or any(map(shutil.which, self.programs))


def _in_home(*parts: str) -> Callable[[Machine], Path]:
    return lambda machine: machine.home.joinpath(*parts)


def _in_applications(*parts: str) -> Callable[[Machine], Path]:
    return lambda machine: machine.application_folder.joinpath(*parts)


def _in_own_folder(variable: str, default: str, name: str) -> Callable[[Machine], Path]:
    """In the folder that a variable of the host names, else in one of the home folder."""
    return lambda machine: machine.folder_of(variable, machine.home / default) / name


def _goose_file(machine: Machine) -> Path:
    if machine.system == "windows":
        return machine.application_folder / "Block" / "goose" / "config" / "config.yaml"
    return machine.xdg_folder / "goose" / "config.yaml"


def _zed_file(machine: Machine) -> Path:
    if machine.system == "windows":
        return machine.application_folder / "Zed" / "settings.json"
    folder = machine.home / ".config" if machine.system == "macos" else machine.xdg_folder
    return folder / "zed" / "settings.json"


def _opencode_file(machine: Machine) -> Path:
    """It reads either name; the one that is there is kept."""
    folder = machine.xdg_folder / "opencode"
    with_comments = folder / "opencode.jsonc"
    return with_comments if with_comments.exists() else folder / "opencode.json"


HOSTS: Mapping[str, Host] = {
    host.id: host
    for host in (
        Host(
            "claude-code",
            "Claude Code",
            "https://code.claude.com/docs/en/mcp",
            _in_own_folder("CLAUDE_CONFIG_DIR", "", ".claude.json"),
            ".mcp.json",
            shape=_typed,
            # Without a default, a variable that is not set stops the server or arrives as this text.
            variable="${HF_TOKEN:-}",
            programs=("claude",),
        ),
        Host(
            "claude-desktop",
            "Claude Desktop",
            "https://modelcontextprotocol.io/docs/develop/connect-local-servers",
            # Documented for macOS and Windows. Builds for Linux read this name in the folder of the XDG specification.
            _in_applications("Claude", "claude_desktop_config.json"),
        ),
        Host(
            "cursor",
            "Cursor",
            "https://cursor.com/docs/context/mcp",
            _in_home(".cursor", "mcp.json"),
            ".cursor/mcp.json",
            variable="${env:HF_TOKEN}",
            programs=("cursor", "cursor-agent"),
        ),
        Host(
            "vscode",
            "VS Code",
            "https://code.visualstudio.com/docs/agents/reference/mcp-configuration",
            _in_applications("Code", "User", "mcp.json"),
            ".vscode/mcp.json",
            key="servers",
            shape=_typed,
            inherits=True,
            programs=("code",),
        ),
        Host(
            "codex",
            "Codex",
            "https://developers.openai.com/codex/mcp",
            _in_own_folder("CODEX_HOME", ".codex", "config.toml"),
            ".codex/config.toml",
            key="mcp_servers",
            format=TOML,
            shape=_codex,
            variable=VARIABLE,
            programs=("codex",),
        ),
        Host(
            "gemini-cli",
            "Gemini CLI",
            "https://github.com/google-gemini/gemini-cli/blob/main/docs/tools/mcp-server.md",
            _in_home(".gemini", "settings.json"),
            ".gemini/settings.json",
            # It withholds variables with the name of a secret from servers that do not name them.
            variable="$HF_TOKEN",
            programs=("gemini",),
        ),
        Host(
            "antigravity",
            "Antigravity",
            "https://antigravity.google/docs/mcp",
            _in_home(".gemini", "config", "mcp_config.json"),
            ".agents/mcp_config.json",
            programs=("agy", "antigravity"),
        ),
        Host(
            "goose",
            "Goose",
            "https://block.github.io/goose/docs/guides/config-files",
            _goose_file,
            key="extensions",
            format=YAML,
            shape=_goose,
            inherits=True,
            programs=("goose",),
        ),
        Host(
            "zed",
            "Zed",
            "https://zed.dev/docs/ai/mcp",
            _zed_file,
            ".zed/settings.json",
            key="context_servers",
            inherits=True,
            programs=("zed", "zeditor"),
        ),
        Host(
            "windsurf",
            "Windsurf",
            "https://docs.windsurf.com/windsurf/cascade/mcp",
            _in_home(".codeium", "windsurf", "mcp_config.json"),
            variable="${env:HF_TOKEN}",
            programs=("windsurf",),
        ),
        Host(
            "lm-studio",
            "LM Studio",
            "https://lmstudio.ai/docs/app/mcp",
            _in_home(".lmstudio", "mcp.json"),
            programs=("lms",),
        ),
        Host(
            "opencode",
            "opencode",
            "https://opencode.ai/docs/mcp-servers/",
            _opencode_file,
            "opencode.json",
            key="mcp",
            shape=_opencode,
            variable="{env:HF_TOKEN}",
            programs=("opencode",),
        ),
        Host(
            "copilot-cli",
            "GitHub Copilot CLI",
            "https://docs.github.com/en/copilot/how-tos/copilot-cli/customize-copilot/add-mcp-servers",
            _in_own_folder("COPILOT_HOME", ".copilot", "mcp-config.json"),
            ".github/mcp.json",
            shape=_copilot,
            variable="${HF_TOKEN}",
            programs=("copilot",),
        ),
        Host(
            "kiro",
            "Kiro",
            "https://kiro.dev/docs/mcp/configuration/",
            _in_home(".kiro", "settings", "mcp.json"),
            ".kiro/settings/mcp.json",
            variable="${HF_TOKEN}",
            programs=("kiro", "kiro-cli"),
        ),
    )
}
"""By the name of each on the command line."""
