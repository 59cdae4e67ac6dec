"""The command that starts this server later, from any folder and without this process."""

import json
import re
import shutil
import sys
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path

PACKAGE = "inference-endpoints-mcp"
_TEMPORARY = re.compile(r"(archive|builds|environments)-v\d+")
"""Folders in uv's cache, with the environments of `uvx`. uv deletes them when it likes."""


def find_command() -> list[str]:
    """The command line that runs this installation from any folder: a checkout's, a wheel's or a tool's."""
    for name in (PACKAGE, f"{PACKAGE}.exe"):
        script = Path(sys.executable).with_name(name)
        if script.exists():
            return [str(script)]
    return [sys.executable, "-m", "inference_endpoints_mcp"]


def find_lasting_command(variables: Mapping[str, str], *, local: bool) -> list[str]:
    """`find_command`, or where uvx runs this: the call of uvx that does so again, by its absolute path."""
    if not any(_TEMPORARY.fullmatch(part) for part in Path(sys.prefix).parts):
        return find_command()
    return uvx_command(local=local, uvx=_find_uvx(variables), source=_source())


def uvx_command(*, local: bool, uvx: str = "uvx", source: str | None = None) -> list[str]:
    """How uvx runs this package. The engines of `local` are an extra of it."""
    if source is None and not local:
        return [uvx, PACKAGE]
    requirement = PACKAGE + ("[local]" if local else "")
    return [uvx, "--from", f"{requirement} @ {source}" if source else requirement, PACKAGE]


def _find_uvx(variables: Mapping[str, str]) -> str:
    """By its absolute path, since programs with windows have another PATH than a terminal. uv names itself in UV."""
    beside = Path(variables.get("UV", "uv")).with_name("uvx.exe" if sys.platform == "win32" else "uvx")
    return str(beside) if beside.is_absolute() and beside.exists() else shutil.which("uvx") or "uvx"


def _source() -> str | None:
    """The wheel, folder or repository that was installed in place of the package from an index (PEP 610)."""
    recorded = distribution(PACKAGE).read_text("direct_url.json")
    if not recorded:
        return None
    source = json.loads(recorded)
    version_control = source.get("vcs_info")
    if version_control:
        return f"{version_control['vcs']}+{source['url']}@{version_control['commit_id']}"
    return str(source["url"])
