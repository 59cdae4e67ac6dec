"""`install` and `uninstall` as a person runs them, on files such as people have."""

import os
import pty
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp.client.stdio import StdioServerParameters, stdio_client
from tests.support.command import COMMAND, INHERITED, Run
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.host import connected

from inference_endpoints_mcp.install.hosts import HOSTS, Host
from inference_endpoints_mcp.install.machine import Machine, System

FILES = Path(__file__).parents[1] / "install" / "files"
SECRETS = ("ctx7sk-0d2f6f0e", "correct-horse", "ghp_16C7")
TOKEN = "hf_" + "a" * 34


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine("linux", tmp_path, {}, tmp_path)


@pytest.fixture
def cursor(machine: Machine) -> Path:
    """Cursor's file, with other servers in it."""
    return put(HOSTS["cursor"], machine)


def put(host: Host, machine: Machine, *, old: str = "\n", new: str = "\n", before: bytes = b"") -> Path:
    """A person's file of this host, with other line ends if they are given."""
    (source,) = FILES.glob(f"{host.id}.*")
    path = host.user_file(machine)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(before + source.read_bytes().replace(old.encode(), new.encode()))
    path.chmod(0o640)
    return path


def entry_in(file: Path) -> dict[str, Any]:
    """The entry in Cursor's file."""
    entry: dict[str, Any] = HOSTS["cursor"].format.get(file.read_text("utf-8"), HOSTS["cursor"].path)
    return entry


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the copies that are kept."""
    files = (path for path in folder.rglob("*") if path.is_file() and "backups" not in path.parts)
    return {str(path): path.read_bytes() for path in files}


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
    ("name", "content", "reason"),
    [
        ("cursor", b'{"mcpServers": {"a": {"command": "x"}', "line 1"),
        ("cursor", b'{\n "mcpServers": {},\n "mcpServers": {}\n}', "a key twice"),
        ("cursor", b'{"mcpServers": ["a"]}', "mcpServers is no object"),
        ("cursor", b"[" * 100_000, "nested too deeply"),
        ("cursor", b"[]", "no object"),
        ("cursor", '{"name": "Zoë"}'.encode("latin-1"), "UTF-8"),
        ("codex", b"[mcp_servers\n", "no valid TOML"),
        ("goose", b"extensions: [a: b", "no valid YAML"),
        ("goose", b"a: 1\n---\nb: 2\n", "single document"),
        ("goose", b"- a\n", "no object"),
    ],
)
def test_what_cannot_be_read_is_left_as_it_is(
    run: Run, machine: Machine, name: str, content: bytes, reason: str
) -> None:
    path = HOSTS[name].user_file(machine)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    ended = run("install", name, "--yes")
    assert ended.returncode == 1
    assert str(path) in ended.stderr
    assert reason in ended.stderr
    assert "Traceback" not in ended.stderr
    assert path.read_bytes() == content


def test_files_that_are_not_simply_this_persons_are_left_alone(run: Run, machine: Machine, cursor: Path) -> None:
    content = cursor.read_bytes()
    cursor.chmod(0o440)
    assert "read-only" in run("install", "cursor", "--yes").stderr
    cursor.unlink()
    cursor.symlink_to("nothing.json")
    assert "link to nothing" in run("install", "cursor", "--yes").stderr
    cursor.unlink()
    cursor.mkdir()
    assert "is no file" in run("install", "cursor", "--yes").stderr
    cursor.rmdir()
    mine = machine.home / "dotfiles.json"
    mine.write_bytes(content)
    cursor.symlink_to(mine)
    followed = run("install", "cursor", "--yes")
    assert f"Behind a link: {mine}" in followed.stdout
    assert cursor.is_symlink()
    assert "inference-endpoints" in mine.read_text()


def test_a_strangers_project_cannot_lead_the_change_out_of_itself(run: Run, machine: Machine) -> None:
    outside = machine.home / "outside"
    outside.mkdir()
    project = machine.home / "project"
    project.mkdir()
    (project / ".cursor").symlink_to(outside)
    ended = subprocess.run(
        [*COMMAND, "install", "cursor", "--yes", "--scope", "project"],
        env=os.environ | {"HOME": str(machine.home)},
        cwd=project,
        capture_output=True,
        text=True,
        timeout=HANG_TIMEOUT_S,
        check=False,
    )
    assert ended.returncode == 1
    assert "leads out of this project" in ended.stderr
    assert list(outside.iterdir()) == []


def test_what_a_stranger_wrote_cannot_control_the_terminal(run: Run, cursor: Path) -> None:
    cursor.write_text('{\n  // \x1b]0;title\x07 \u202e reversed\n  "mcpServers": {}\n}\n', "utf-8")
    shown = run("install", "cursor", "--dry-run").stdout
    assert "reversed" in shown
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)


def test_without_a_terminal_or_a_yes_nothing_is_changed(run: Run, machine: Machine, cursor: Path) -> None:
    before = everything(machine.home)
    assert "--yes" in run("install", "cursor").stderr
    assert "dry run" in run("install", "cursor", "--dry-run").stdout
    for answer, installed in ((b"n\n", False), (b"\n", False), (b"\x04", False), (b"y\n", True)):
        mine, theirs = pty.openpty()
        os.write(mine, answer)
        ended = subprocess.run(
            [*COMMAND, "install", "cursor"],
            env={"HOME": str(machine.home), "PATH": os.environ["PATH"]},
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=HANG_TIMEOUT_S,
            check=True,
        )
        os.close(mine)
        os.close(theirs)
        assert "Change this file?" in ended.stdout
        assert (everything(machine.home) != before) is installed


def test_what_the_person_changed_since_stays(run: Run, cursor: Path) -> None:
    assert run("install", "cursor", "--yes").returncode == 0
    assert "already" in run("install", "cursor", "--yes").stdout
    cursor.write_text(cursor.read_text("utf-8").replace("linear", "linear2", 1), "utf-8")
    assert run("install", "cursor", "--yes", "--local").returncode == 0, "the entry is replaced"
    assert cursor.read_text("utf-8").count('"inference-endpoints"') == 1
    assert run("uninstall", "cursor", "--yes").returncode == 0
    expected = (FILES / "cursor.json").read_text("utf-8").replace("linear", "linear2", 1)
    assert cursor.read_text("utf-8") == expected
    assert "is not installed" in run("uninstall", "cursor", "--yes").stdout


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
