"""What `install` writes, read by the hosts' own commands. Those that try a server connect to it."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.command import COMMAND, INHERITED
from tests.support.hang import HANG_TIMEOUT_S

from inference_endpoints_mcp.install.hosts import HOSTS
from inference_endpoints_mcp.install.machine import Machine

MODULES = Path(sys.prefix, "hosts", "node_modules")
PROGRAMS = {
    "gemini-cli": MODULES / ".bin" / "gemini",
    "codex": MODULES / ".bin" / "codex",
    "opencode": MODULES / "opencode-linux-x64-baseline" / "bin" / "opencode",
}
TOKEN = "hf_" + "a" * 34
_RECORDER = """#!{python}
import os, sys
with open({log!r}, "a") as log:
    log.write(repr(os.environ.get("HF_TOKEN")) + "\\n")
os.execv(sys.executable, [sys.executable, "-m", "inference_endpoints_mcp", *sys.argv[1:]])
"""
"""Writes down the token that it was started with, and is the server then."""


@dataclass
class Person:
    """A home with a project in it, and the few variables that every terminal has."""

    home: Path

    def runs(self, *command: str | Path, **variables: str) -> str:
        """What a command prints, without colours."""
        kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
        path = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
        ended = subprocess.run(
            [str(part) for part in command],
            env={**kept, "PATH": path, "HOME": str(self.home), "OPENCODE_DISABLE_AUTOUPDATE": "1", **variables},
            cwd=self.home / "project",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=HANG_TIMEOUT_S,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return re.sub(r"\x1b\[[\d;]*m", "", ended.stdout + ended.stderr)

    def installs(self, host: str, *flags: str) -> Path:
        """The file that was written."""
        self.runs(*COMMAND, "install", host, "--yes", *flags)
        return HOSTS[host].user_file(Machine("linux", self.home, {}, self.home))

    def lists_servers(self, host: str, **variables: str) -> str:
        return self.runs(PROGRAMS[host], "mcp", "list", **variables)


@pytest.fixture
def person(tmp_path: Path) -> Person:
    project = tmp_path / "project"
    project.mkdir()
    trusted = tmp_path / ".gemini" / "trustedFolders.json"
    trusted.parent.mkdir()
    trusted.write_text(json.dumps({str(project): "TRUST_FOLDER"}))
    return Person(tmp_path)


@pytest.mark.parametrize("host", ["gemini-cli", "opencode"])
def test_a_host_starts_the_server_and_passes_on_the_token_of_the_user(person: Person, host: str) -> None:
    recorder, log = person.home / "recorder", person.home / "log"
    recorder.write_text(_RECORDER.format(python=sys.executable, log=str(log)))
    recorder.chmod(0o700)
    file = person.installs(host)
    command = HOSTS[host].format.get(file.read_text("utf-8"), HOSTS[host].path)["command"]
    written = command[0] if isinstance(command, list) else command
    file.write_text(file.read_text("utf-8").replace(written, str(recorder)), "utf-8")
    for variables, received in (({"HF_TOKEN": TOKEN}, TOKEN), ({}, "")):
        assert "connected" in person.lists_servers(host, **variables).lower()
        assert log.read_text().splitlines()[-1] == repr(received)
    person.runs(*COMMAND, "uninstall", host, "--yes")
    assert "inference-endpoints" not in person.lists_servers(host)


def test_codex_reads_every_field_of_the_entry(person: Person) -> None:
    person.installs("codex", "--local")
    shown = person.runs(PROGRAMS["codex"], "mcp", "get", "inference-endpoints")
    fields = dict(re.findall(r"^  (\w+): (.+)$", shown, re.MULTILINE))
    assert fields["enabled"] == "true"
    assert fields["transport"] == "stdio"
    assert fields["args"] == "--local"
    assert fields["tool_timeout_sec"] == "120"
    person.runs(*COMMAND, "uninstall", "codex", "--yes")
    assert "inference-endpoints" not in person.lists_servers("codex")
