"""The command that `install` writes, and what is shown of it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp.client.stdio import StdioServerParameters, stdio_client
from tests.inference_endpoints_mcp.install.host_files import entry_in, put
from tests.support.command import INHERITED, Run
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import connected

from inference_endpoints_mcp.install.hosts import HOSTS
from inference_endpoints_mcp.install.machine import Machine


def test_the_list_says_what_is_found_and_where_it_is_installed(run: Run, machine: Machine, cursor: Path) -> None:
    put(HOSTS["zed"], machine)
    put(HOSTS["goose"], machine).write_text("a: [")
    assert run("install", "cursor", "--yes", "--local").returncode == 0
    listed = run("install", "--list")
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in listed.stdout.splitlines()}
    assert rows["cursor"] == "yes ~/.cursor/mcp.json (--local)"
    assert rows["zed"] == "yes no"
    assert rows["windsurf"] == "no no"
    assert "no valid YAML" in rows["goose"]
    assert set(HOSTS) < set(rows)
    assert run("install").stdout == listed.stdout


def test_flags_of_the_server_stand_behind_two_dashes_and_are_checked(run: Run, cursor: Path) -> None:
    assert run("install", "cursor", "--yes", "--", "--read-only", "--namespaces", "acme").returncode == 0
    entry = entry_in(cursor)
    assert entry["args"] == ["--read-only", "--namespaces", "acme"]
    wrong = run("install", "cursor", "--yes", "--", "--max-replicas", "many")
    assert wrong.returncode == 2
    assert "--max-replicas" in wrong.stderr
    unknown = run("install", "emacs", "--yes")
    assert unknown.returncode == 1
    assert "claude-code" in unknown.stderr
    assert run("install", "goose", "--yes", "--scope", "project").returncode == 1


@pytest.mark.anyio
async def test_the_command_that_is_written_starts_a_server_with_tools(run: Run, cursor: Path, tmp_path: Path) -> None:
    """From another folder, and with the few variables that hosts pass to servers."""
    assert run("install", "cursor", "--yes", "--local", "--", "--data-dir", str(tmp_path / "plane")).returncode == 0
    entry = entry_in(cursor)
    assert "env" not in entry, "no token is needed on this machine"
    variables = {name: os.environ[name] for name in INHERITED if name in os.environ}
    server = StdioServerParameters(command=entry["command"], args=entry["args"], env=variables, cwd="/")
    async with connected(stdio_client(server), "auto", name="cursor-vscode") as host:
        tools = await host.client.list_tools()
        assert "create_endpoint" in {tool.name for tool in tools.tools}


@pytest.fixture
def temporary_environment(tmp_path: Path) -> Iterator[Path]:
    """A Python such as uvx makes: in uv's cache, with a uvx beside the uv that it names."""
    folder = tmp_path / "cache" / "uv" / "archive-v0" / "b2b7rGkAL0"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=HANG_TIMEOUT_S)
    (packages,) = folder.glob("lib/python*/site-packages")
    here = [path for path in sys.path if path.endswith(("site-packages", "src"))]
    (packages / "here.pth").write_text("\n".join(here))
    uvx = tmp_path / "bin" / "uvx"
    uvx.parent.mkdir()
    uvx.write_text("")
    yield folder / "bin" / "python"
    shutil.rmtree(folder)


def test_under_uvx_the_entry_calls_uvx_and_not_its_passing_environment(
    temporary_environment: Path, machine: Machine
) -> None:
    uvx = str(machine.home / "bin" / "uvx")
    for flags, expected in ((["--local"], ["--from", "inference-endpoints-mcp[local]"]), ([], [])):
        subprocess.run(
            [temporary_environment, "-m", "inference_endpoints_mcp", "install", "cursor", "--yes", *flags],
            env={"HOME": str(machine.home), "UV": str(machine.home / "bin" / "uv"), "PATH": os.environ["PATH"]},
            check=True,
            capture_output=True,
            timeout=HANG_TIMEOUT_S,
        )
        entry = entry_in(HOSTS["cursor"].user_file(machine))
        assert entry["command"] == uvx
        requirement, rest = " ".join(entry["args"][: len(expected)]), entry["args"][len(expected) :]
        # This package was installed from a folder here, and uvx is told which.
        assert requirement.startswith(" ".join(expected)) or "@ file://" in requirement
        assert str(temporary_environment) not in " ".join(entry["args"])
        assert "inference-endpoints-mcp" in rest or "inference-endpoints-mcp" in entry["args"]
