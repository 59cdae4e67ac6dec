"""Endpoints get secrets by name only: the values that the operator lends are sent and never shown."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.inference_endpoints_mcp.approval.test_approval_by_person import EVERYTHING, NEW, never, world
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.command import Run
from tests.support.hosts.host import Mode
from tests.support.planes.plane_driver import TOKEN, Driver

from inference_endpoints.errors import BadRequest
from inference_endpoints_local.state.faults import Fault
from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.privacy.lent_secrets import LentSecrets, LentSecretsError

pytestmark = pytest.mark.anyio

VALUE, OTHER = "plain-looking-canary", "another-canary"
LENT = LentSecrets({"HF_TOKEN": VALUE, "WANDB_KEY": OTHER})
ONE = NEW | {"secret_names": ["HF_TOKEN"]}


def secrets_of(driver: Driver, name: str = "new") -> dict[str, str]:
    """What the endpoint was really given."""
    return dict(driver.endpoint(name).record.spec["model"]["secrets"])


async def test_a_lent_secret_is_sent_and_shown_nowhere(
    driver: Driver, host_of: HostOf, mode: Mode, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trail = tmp_path / "audit.jsonl"
    seen: list[str] = []

    def approve(question: str) -> bool:
        seen.append(question)
        return True

    approval = ApprovalPolicy(effects=EVERYTHING, include_simulated=True)
    options = {"lent": LENT, "approval": approval, "audit_file": trail}
    async with host_of(mode, answer=approve, **options) as host:
        facts = await host.call("create_endpoint", **ONE, dry_run=True)
        assert facts["plan"]["payload"]["model"]["secrets"] == {"HF_TOKEN": "***"}
        for tool, arguments in (
            ("create_endpoint", ONE),
            ("create_endpoint", ONE),
            ("update_endpoint", {"endpoint_name": "new", "secret_names": ["WANDB_KEY"]}),
            ("get_endpoint", {"endpoint_name": "new"}),
        ):
            result = await host.send(tool, **arguments)
            assert not result.is_error
            seen.append(result.model_dump_json())
    assert secrets_of(driver) == {"HF_TOKEN": VALUE, "WANDB_KEY": OTHER}
    everything = " ".join([*seen, trail.read_text("utf-8"), caplog.text, json.dumps(facts)])
    assert VALUE not in everything
    assert OTHER not in everything
    assert 'model.secrets.HF_TOKEN: "***"' in seen[0]


async def test_creating_again_compares_secrets_by_name(driver: Driver, host_of: HostOf) -> None:
    async with host_of(lent=LENT, answer=lambda _: True) as host:
        await host.call("create_endpoint", **ONE)
        assert (await host.call("create_endpoint", **ONE))["changed"] is False
        assert (await host.call("create_endpoint", **NEW))["changed"] is False
        text = await host.refused("create_endpoint", "ALREADY_EXISTS", **NEW, secret_names=["WANDB_KEY"])
    assert "model.secrets" in text
    assert secrets_of(driver) == {"HF_TOKEN": VALUE}


async def test_a_lost_answer_still_makes_one_endpoint_with_its_secrets(driver: Driver, host_of: HostOf) -> None:
    driver.plane.faults.arm(Fault.DROP_ANSWER, "create_endpoint")
    async with host_of(lent=LENT, answer=lambda _: True) as host:
        assert (await host.call("create_endpoint", **ONE))["changed"] is True
    assert secrets_of(driver) == {"HF_TOKEN": VALUE}
    assert len(await world(driver)) == 1


async def test_an_update_of_a_secret_alone_is_a_change(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    await driver.create("new", model={"secrets": {"KEPT": "kept-value"}})
    async with host_of(mode, lent=LENT, answer=lambda _: True) as host:
        facts = await host.call("update_endpoint", endpoint_name="new", secret_names=["HF_TOKEN"])
    assert [change["setting"] for change in facts["plan"]["changes"]] == ["model.secrets"]
    assert secrets_of(driver) == {"KEPT": "kept-value", "HF_TOKEN": VALUE}


async def test_a_plan_with_a_secret_is_carried_out_with_its_value(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    async with host_of(
        mode, lent=LENT, approval=ApprovalPolicy(method=ApprovalMethod.PLAN, include_simulated=True)
    ) as host:
        facts = await host.call("create_endpoint", **ONE)
        await host.call("create_endpoint", **ONE, plan_token=facts["plan_token"])
    assert secrets_of(driver) == {"HF_TOKEN": VALUE}


@pytest.mark.parametrize(("lent", "hint"), [(LENT, "It lends HF_TOKEN, WANDB_KEY."), (LentSecrets(), "It lends none.")])
async def test_a_name_that_is_not_lent_is_refused_with_the_lent_names(
    driver: Driver, host_of: HostOf, mode: Mode, lent: LentSecrets, hint: str
) -> None:
    await driver.create()
    before = await world(driver)
    async with host_of(mode, answer=never, lent=lent) as host:
        for tool, arguments in (("create_endpoint", NEW), ("update_endpoint", {"endpoint_name": "chat"})):
            text = await host.refused(tool, "BAD_REQUEST", **arguments, secret_names=["PATH"])
            assert hint in text
            assert "PATH" not in text
            assert "--lend" in text
    assert await world(driver) == before


@pytest.mark.parametrize(
    "wish",
    [
        {"env": {"HF_TOKEN": "anything"}},
        {"env": {"OPENAI_API_KEY": "anything"}},
        {"env": {"CLIENT_SECRET": "anything"}},
        {"env": {"PASSWORD": "anything"}},
        {"env": {"NOTE": "hf_" + "anything" * 4}},
        {"env": {"NOTE": "sk-" + "anything" * 4}},
        {"env": {"NOTE": "see AKIAIOSFODNN7ANYTHIN"}},
        {"env": {"NOTE": "ghp_" + "anything" * 5}},
        {"env": {"NOTE": TOKEN}},
        {"env": {"NOTE": VALUE}},
        {"config": {"model": {"env": {"HF_TOKEN": "anything"}}}},
        {"config": {"model": {"args": ["--key", "sk-" + "anything" * 4]}}},
        {"config": {"model": {"image": {"custom": {"url": "https://robot:anything@registry/x"}}}}},
    ],
)
async def test_an_inline_secret_is_refused_with_a_hint_and_is_not_repeated(
    driver: Driver, host_of: HostOf, mode: Mode, tmp_path: Path, wish: dict[str, Any]
) -> None:
    trail = tmp_path / "audit.jsonl"
    await driver.create()
    before = await world(driver)
    async with host_of(mode, answer=never, lent=LENT, audit_file=trail) as host:
        for tool, arguments in (("create_endpoint", NEW), ("update_endpoint", {"endpoint_name": "chat"})):
            for dry_run in (True, False):
                text = await host.refused(tool, "BAD_REQUEST", **arguments, **wish, dry_run=dry_run)
                assert "like a secret" in text
                assert "secret_names" in text
                assert not any(value in text for value in ("anything", "ANYTHIN", TOKEN, VALUE))
    assert await world(driver) == before
    assert trail.read_text("utf-8") == ""


async def test_variables_that_only_sound_like_secrets_are_accepted(driver: Driver, host_of: HostOf) -> None:
    env = {"MAX_TOTAL_TOKENS": "4096", "TOKENIZERS_PARALLELISM": "false", "USE_AUTH": "off", "MONKEY": "banana"}
    async with host_of() as host:
        await host.call("create_endpoint", **NEW, env=env)
    assert (await driver.get("new"))["model"]["env"] == env


@pytest.fixture
def private(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file of `NAME=value` lines."""

    def write(text: str, mode: int = 0o600) -> Path:
        path = tmp_path / "lent.env"
        path.write_text(text, "utf-8")
        path.chmod(mode)
        return path

    return write


def test_secrets_are_lent_by_name_from_the_environment_and_all_from_a_file(private: Callable[..., Path]) -> None:
    file = private("# keys\nWANDB_KEY='with $HOME in it'\nexport DB_URL=postgres://x/y\n\n")
    lent = LentSecrets.load(["HF_TOKEN"], file, {"HF_TOKEN": VALUE, "OTHER": "not-lent-at-all"})
    assert lent.values == {"HF_TOKEN": VALUE, "WANDB_KEY": "with $HOME in it", "DB_URL": "postgres://x/y"}
    assert VALUE not in repr(lent)
    with pytest.raises(BadRequest):
        lent.mask(["OTHER"])


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_that_other_users_can_read_is_refused(private: Callable[..., Path], mode: int) -> None:
    with pytest.raises(LentSecretsError, match="chmod 600"):
        LentSecrets.load([], private("A_KEY=long-enough\n", mode))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--lend", "MISSING"], "MISSING cannot be lent (--lend): it is not in the server's environment."),
        (["--lend", "SHORT"], "SHORT cannot be lent"),
        (["--lend", "TWICE", "--lend-file", "FILE"], "TWICE is lent twice"),
        (["--lend", "LONG:acme/*,LONG"], "LONG is lent twice (--lend), and not bound each time"),
        (["--lend-file", "/nowhere/secrets"], "/nowhere/secrets (--lend-file) cannot be read"),
    ],
)
@pytest.mark.parametrize("command", [[], ["serve", "--http", "--port", "0"]])
def test_a_secret_that_cannot_be_lent_is_reported_at_the_start(
    run: Run, private: Callable[..., Path], command: list[str], flags: list[str], message: str
) -> None:
    file = private("TWICE=value-from-the-file\n")
    given = [str(file) if flag == "FILE" else flag for flag in flags]
    ended = run(*command, *given, SHORT="x", TWICE="value-from-the-environment")
    assert (ended.returncode, ended.stdout) == (2, "")
    (sentence,) = ended.stderr.splitlines()
    assert sentence.startswith(message)
    assert "value-from" not in sentence


def test_a_secret_of_the_environment_or_the_file_can_be_bound(private: Callable[..., Path]) -> None:
    file = private("IN_FILE=file-canary-value\n")
    names = ["HF_TOKEN:acme/*", "HF_TOKEN:ghcr.io/acme/*", "IN_FILE:acme/m", "FREE"]
    environment = {"HF_TOKEN": "token-canary-value", "FREE": "free-canary-value"}
    lent = LentSecrets.load(names, file, environment)
    assert lent.values.keys() == {"HF_TOKEN", "IN_FILE", "FREE"}
    assert lent.bindings == {"HF_TOKEN": ("acme/*", "ghcr.io/acme/*"), "IN_FILE": ("acme/m",)}
