"""What the command prints and how it exits."""

import json
import stat
from pathlib import Path

import pytest
from tests.support.command import Run, Start
from tests.support.hang import HANG_TIMEOUT_S

from inference_endpoints.transport.http import httpx
from inference_endpoints_mcp.cli.settings.server import ServerSettings

COMMANDS = [
    [], ["serve"], ["demo"], ["doctor"], ["control-plane"], ["control-plane", "stop"],
    ["install"], ["uninstall"], ["skills"]
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_on_its_own_settings(run: Run, command: list[str]) -> None:
    ended = run(*command, "--help")
    assert ended.returncode == 0
    assert ("--data-dir" in ended.stdout) is (command not in (["demo"], ["install"], ["uninstall"], ["skills"]))
    assert ("--simulated" in ended.stdout) is (command in ([], ["serve"], ["doctor"], ["control-plane"]))


def test_every_setting_of_the_server_has_a_line_of_help(run: Run) -> None:
    text = run("--help").stdout
    for name, field in ServerSettings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in text
        assert field.description


@pytest.mark.parametrize(
    ("arguments", "known"),
    [
        (["deploy"], "doctor"),
        (["audit", "verfy", "--audit-file", "trail"], "Say what to do: verify."),
        (["audit"], "Say what to do: verify."),
        (["keys", "ad", "--keys", "keys"], "Say what to do: add, list, remove."),
    ],
)
def test_an_unknown_command_is_refused_with_the_known_ones(run: Run, arguments: list[str], known: str) -> None:
    ended = run(*arguments)
    assert ended.returncode == 2
    assert known in ended.stderr


@pytest.mark.parametrize("command", [["audit", "--help"], ["keys", "-h"], ["keys", "add", "--help"]])
def test_help_of_a_command_with_actions_is_no_error(run: Run, command: list[str]) -> None:
    ended = run(*command)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "PATH" in ended.stdout


def test_variables_of_a_server_change_no_command_for_which_they_mean_something_else(run: Run) -> None:
    variables = {"JSON": "1", "INFERENCE_ENDPOINTS_PORT": "none", "INFERENCE_ENDPOINTS_DOCUMENT": "openapi.json"}
    assert "needs --live" not in run("doctor", **variables).stderr
    ended = run("control-plane", "--data-dir", "/proc/none", **variables)
    assert ended.returncode != 0
    assert "--port" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "variables", "flag"),
    [
        (["--max-price-per-hour", "-1"], {}, "--max-price-per-hour"),
        (["--confirm", "maybe"], {}, "--confirm"),
        (["--confirm-effects", "destroys,costs"], {}, "--confirm-effects"),
        (["--confirm-above", "-1"], {}, "--confirm-above"),
        ([], {"INFERENCE_ENDPOINTS_ANSWER_WITHIN": "0"}, "--answer-within"),
        ([], {"INFERENCE_ENDPOINTS_HOLD": "soon"}, "--hold"),
        (["--no-such-flag"], {}, "--no-such-flag"),
        (["--simulated"], {}, "--simulated needs --local."),
        (["doctor"], {"INFERENCE_ENDPOINTS_SIMULATED_SPEED": "6"}, "--simulated-speed needs --local."),
        (["doctor", "--report", "report.json"], {}, "--report needs --live."),
        (["serve", "--keys", "callers"], {}, "--keys needs --http."),
        (["serve"], {"INFERENCE_ENDPOINTS_METRICS": "127.0.0.1:9464"}, "--metrics needs --http."),
        (
            ["serve", "--http", "--profiles", "p.toml", "--api-key-file", "key"],
            {},
            "--profiles needs callers who sign in",
        ),
        (["keys", "list", "--keys", "no-such-file"], {}, "no-such-file (--keys) cannot be read"),
        (["doctor", "--live", "--report", "no/such/folder.json"], {}, "its folder does not exist"),
        (["doctor", "--live", "--document", "no-such.json"], {}, "no-such.json cannot be read"),
    ],
)
def test_an_invalid_setting_is_refused_in_a_plain_sentence(
    run: Run, arguments: list[str], variables: dict[str, str], flag: str
) -> None:
    ended = run(*arguments, **variables)
    assert ended.returncode == 2
    assert flag in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_control_plane_prints_its_address_in_one_line(start: Start, run: Run, tmp_path: Path) -> None:
    folder = str(tmp_path / "plane")
    options = ("--port", "0", "--data-dir", folder, "--namespace", "acme", "--no-payment-method")
    process = start("control-plane", "--json", *options)
    assert process.stdout is not None
    where = json.loads(process.stdout.readline())
    token_file = Path(where["token_file"])
    assert where["namespace"] == "acme"
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
    bearer = {"Authorization": f"Bearer {token_file.read_text().strip()}"}
    assert httpx.get(f"{where['url']}/v2/endpoint/acme", headers=bearer).json()["items"] == []
    assert httpx.get(f"{where['url']}/api/whoami-v2", headers=bearer).json()["canPay"] is False
    stopped = run("control-plane", "stop", "--data-dir", folder)
    assert stopped.returncode == 0
    assert process.wait(HANG_TIMEOUT_S) == 0
    assert "No control plane runs" in run("control-plane", "stop", "--data-dir", folder).stdout


def test_a_port_in_use_is_reported_plainly(start: Start, run: Run, tmp_path: Path) -> None:
    process = start("control-plane", "--json", "--port", "0", "--data-dir", str(tmp_path / "one"))
    assert process.stdout is not None
    port = json.loads(process.stdout.readline())["url"].rpartition(":")[2]
    ended = run("control-plane", "--port", port, "--data-dir", str(tmp_path / "two"))
    assert ended.returncode != 0
    assert port in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.models
def test_the_demo_ends_with_one_object_and_nothing_left(run: Run) -> None:
    ended = run("demo", "--json")
    assert ended.returncode == 0, ended.stderr
    (line,) = ended.stdout.splitlines()
    report = json.loads(line)
    assert report["backend"] == "local"
    assert all(step["ok"] for step in report["steps"])
    assert {"running", "paused", "scaledToZero"} <= set(report["states_seen"])
    assert report["progress_notifications"] > 0
    assert report["chat"]["text"].strip()
    assert report["embedding_dimensions"] == 384
    assert report["endpoints_left"] == 0
