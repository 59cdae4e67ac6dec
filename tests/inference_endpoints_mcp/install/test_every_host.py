"""`install` and `uninstall` as a person runs them, on the files of each host."""

import stat
from pathlib import Path

import pytest
from tests.inference_endpoints_mcp.install.host_files import put
from tests.support.command import Run

from inference_endpoints_mcp.install.hosts import HOSTS, Host
from inference_endpoints_mcp.install.machine import Machine, System

SECRETS = ("ctx7sk-0d2f6f0e", "correct-horse", "ghp_16C7")
TOKEN = "hf_" + "a" * 34


@pytest.mark.parametrize("host", HOSTS.values(), ids=lambda host: host.id)
def test_installing_adds_one_entry_and_uninstalling_takes_it_out(run: Run, machine: Machine, host: Host) -> None:
    path = put(host, machine)
    before = path.read_bytes()
    installed = run("install", host.id, "--yes", HF_TOKEN=TOKEN)
    assert installed.returncode == 0, installed.stderr
    text = path.read_text("utf-8")
    kept, entry = host.format.read(before.decode()), host.format.get(text, host.path)
    assert host.format.read(text) == kept | {host.key: {**(kept.get(host.key) or {}), "inference-endpoints": entry}}
    command = entry.get("command") or entry["cmd"]
    program, *arguments = command if isinstance(command, list) else [command, *entry["args"]]
    assert Path(program).is_absolute()
    assert arguments[-2:] == ["--max-price-per-hour", "5"]
    assert TOKEN not in text
    assert host.variable is None or host.variable in text
    for line in before.decode().splitlines():
        assert line.rstrip("{}") in text, "comments, order and style stay"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert not any(secret in installed.stdout for secret in SECRETS)
    assert f"+++ {path}" in installed.stdout
    removed = run("uninstall", host.id, "--yes")
    assert removed.returncode == 0, removed.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize("host", HOSTS.values(), ids=lambda host: host.id)
def test_after_other_changes_only_the_entry_is_taken_out(host: Host, machine: Machine) -> None:
    """In every format: without a copy to go back to, comments and order stay as well."""
    text = put(host, machine).read_text("utf-8")
    if host.id == "gemini-cli":
        text = text.replace("{", '{\n  "mcpServers": {},', 1)
    edited = host.format.remove(host.format.set(text, host.path, host.entry(["server"], local=False)), host.path)
    assert [line.rstrip() for line in edited.splitlines()] == [line.rstrip() for line in text.splitlines()]


@pytest.mark.parametrize("name", ["vscode", "codex", "goose"])
def test_line_ends_and_byte_order_mark_stay(run: Run, machine: Machine, name: str) -> None:
    host = HOSTS[name]
    path = put(host, machine, new="\r\n", before=b"" if name == "codex" else b"\xef\xbb\xbf")
    before = path.read_bytes()
    assert run("install", name, "--yes").returncode == 0
    after = path.read_bytes()
    assert after.startswith(before[:3])
    assert after.count(b"\n") == after.count(b"\r\n") > before.count(b"\r\n")
    assert run("uninstall", name, "--yes").returncode == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["cursor", "codex", "goose"])
@pytest.mark.parametrize("content", [None, b"", b"\n"])
def test_a_file_that_is_missing_or_empty_is_so_again_afterwards(
    run: Run, machine: Machine, name: str, content: bytes | None
) -> None:
    path = HOSTS[name].user_file(machine)
    if content is not None:
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    assert run("install", name, "--yes", "--local").returncode == 0
    assert "--local" in path.read_text("utf-8")
    if content is None:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert run("uninstall", name, "--yes").returncode == 0
    assert (path.read_bytes() if path.exists() else None) == content


@pytest.mark.parametrize(
    ("system", "name", "expected"),
    [
        ("macos", "claude-desktop", "Library/Application Support/Claude/claude_desktop_config.json"),
        ("windows", "claude-desktop", "AppData/Roaming/Claude/claude_desktop_config.json"),
        ("linux", "vscode", ".config/Code/User/mcp.json"),
        ("macos", "vscode", "Library/Application Support/Code/User/mcp.json"),
        ("windows", "vscode", "AppData/Roaming/Code/User/mcp.json"),
        ("windows", "goose", "AppData/Roaming/Block/goose/config/config.yaml"),
        ("macos", "goose", ".config/goose/config.yaml"),
        ("macos", "zed", ".config/zed/settings.json"),
        ("windows", "zed", "AppData/Roaming/Zed/settings.json"),
        ("windows", "cursor", ".cursor/mcp.json"),
        ("linux", "claude-code", ".claude.json"),
        ("windows", "codex", ".codex/config.toml"),
    ],
)
def test_each_system_has_its_files_where_the_host_documents_them(
    tmp_path: Path, system: System, name: str, expected: str
) -> None:
    machine = Machine(system, tmp_path, {}, tmp_path)
    assert HOSTS[name].user_file(machine) == tmp_path / expected


def test_a_folder_that_a_variable_names_is_used(tmp_path: Path) -> None:
    machine = Machine("linux", tmp_path, {"CODEX_HOME": "/codex", "XDG_CONFIG_HOME": "/xdg"}, tmp_path)
    assert HOSTS["codex"].user_file(machine) == Path("/codex/config.toml")
    assert HOSTS["zed"].user_file(machine) == Path("/xdg/zed/settings.json")
