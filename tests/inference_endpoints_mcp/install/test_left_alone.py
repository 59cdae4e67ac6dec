"""What `install` leaves as it is, and what it asks first."""

import os
import pty
import subprocess
from pathlib import Path

import pytest
from tests.inference_endpoints_mcp.install.host_files import FILES, everything
from tests.support.command import COMMAND, Run
from tests.support.hang import HANG_TIMEOUT_S

from inference_endpoints_mcp.install.hosts import HOSTS
from inference_endpoints_mcp.install.machine import Machine


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
