"""The operator's limits from a TOML file, variables and flags, as the command reads them."""

from pathlib import Path

import pytest
from tests.support.command import Run

from inference_endpoints_mcp.policy.limits import Limits


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return tmp_path / "policy.toml"


def printed_limits(run: Run, *flags: str, **variables: str) -> str:
    """The limits that hold, as `doctor` prints them."""
    printed = run("doctor", *flags, **variables).stdout.splitlines()
    return next(line.split(maxsplit=2)[2] for line in printed if line.split()[1:2] == ["limits"])


def test_every_limit_can_stand_in_the_file(run: Run, policy: Path) -> None:
    policy.write_text(
        """
        read_only = true
        toolsets = ["lifecycle", "catalog"]
        tools = ["create_endpoint"]
        namespaces = ["acme"]
        hardware = ["aws-*-l4-*", "*-intel-*"]
        repositories = ["acme/*"]
        images = ["ghcr.io/acme/*"]
        model_folders = ["/models"]
        types = ["private"]
        max_replicas = 2
        no_always_on = true
        max_price_per_hour = 5
        max_total_price_per_hour = 7.5
        budget = "warn"
        no_wake = true
        """
    )
    limits = printed_limits(run, "--policy", str(policy))
    assert limits == (
        "--read-only --toolsets lifecycle,catalog --tools create_endpoint --namespaces acme "
        "--hardware aws-*-l4-*,*-intel-* --repositories acme/* "
        "--images ghcr.io/acme/* --model-folders /models --types private --max-replicas 2 --no-always-on "
        "--max-price-per-hour 5.0 --max-total-price-per-hour 7.5 --budget warn --no-wake"
    )
    assert limits.count("--") == len(Limits.model_fields)


def test_a_flag_goes_before_a_variable_and_a_variable_before_the_file(run: Run, policy: Path) -> None:
    policy.write_text('max_replicas = 1\nhardware = ["file"]\ntypes = ["public"]\nread_only = true\n')
    limits = printed_limits(
        run,
        "--max-replicas",
        "3",
        INFERENCE_ENDPOINTS_POLICY=str(policy),
        INFERENCE_ENDPOINTS_MAX_REPLICAS="2",
        INFERENCE_ENDPOINTS_HARDWARE="variable, other",
        INFERENCE_ENDPOINTS_READ_ONLY="false",
    )
    assert limits == "--hardware variable,other --types public --max-replicas 3"


def test_an_empty_file_and_an_empty_variable_limit_nothing(run: Run, policy: Path) -> None:
    policy.write_text("")
    assert printed_limits(run, "--policy", str(policy), INFERENCE_ENDPOINTS_TOOLS="") == "none"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("max_replica = 2", "max_replica: there is no such setting"),
        ("[limits]\nread_only = true", "limits: there is no such setting"),
        ("audit_file = 'x'", "audit_file: there is no such setting"),
        ('max_replicas = "few"', "max_replicas: Input should be a valid integer"),
        ("max_replicas = 0", "max_replicas: Input should be greater than or equal to 1"),
        ("max_price_per_hour = nan", "max_price_per_hour: Input should be greater than 0"),
        ("hardware = [1]", "hardware.0: Input should be a valid string"),
        ('budget = "maybe"', "budget: Input should be 'off', 'warn' or 'enforce'"),
        ('types = ["secret"]', "types.0: Input should be 'public', 'authenticated' or 'private'"),
        ("read_only = \n", "is not TOML: Invalid value (at line 1"),
        ("a = 1\na = 2\n", "is not TOML: Cannot overwrite a value (at line 2"),
        ('tools = ["create_endpoints"]', "These tools do not exist: create_endpoints."),
        ('toolsets = ["lifecycle", "everything"]', "These toolsets do not exist: everything."),
    ],
)
def test_a_wrong_file_is_one_plain_sentence_and_nothing_is_served(
    run: Run, policy: Path, content: str, expected: str
) -> None:
    policy.write_text(content)
    ended = run("--policy", str(policy))
    assert (ended.returncode, ended.stdout) == (2, "")
    (sentence,) = ended.stderr.splitlines()
    assert expected in sentence


@pytest.mark.parametrize("command", [[], ["serve", "--http", "--port", "0"], ["doctor"]])
@pytest.mark.parametrize("flags", [["--policy", "/nowhere/policy.toml"], ["--policy", "/"], ["--toolsets", "x"]])
def test_every_command_that_serves_reports_what_is_wrong(run: Run, command: list[str], flags: list[str]) -> None:
    ended = run(*command, *flags)
    assert (ended.returncode, ended.stdout) == (2, "")
    (sentence,) = ended.stderr.splitlines()
    assert flags[1] in sentence


def test_bytes_that_are_no_text_are_no_policy(run: Run, policy: Path) -> None:
    policy.write_bytes(b"read_only = true # \xff\xfe")
    ended = run("--policy", str(policy))
    assert ended.returncode == 2
    (sentence,) = ended.stderr.splitlines()
    assert "is not TOML" in sentence
