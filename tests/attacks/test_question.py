"""Attacks on the question: each tries to have a person approve what they did not see."""

from typing import Any

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.planes.plane_driver import CAN_SLEEP, Driver

from inference_endpoints.transport.effect import Effect
from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.privacy.lent_secrets import LentSecrets

pytestmark = pytest.mark.anyio

CHAT = {"endpoint_name": "chat"}
NEW: dict[str, Any] = {"endpoint_name": "new", "repository": "org/model", "hardware": "aws-us-east-1-nvidia-l4-x1"}
MANY = {f"SETTING_{number}": str(number) for number in range(100, 140)}
ASKED = ApprovalPolicy(include_simulated=True, effects=frozenset(Effect) - {Effect.READS})


async def question_of(host_of: HostOf, tool: str, **arguments: Any) -> str:
    """The question about a change, which is then declined."""
    questions: list[str] = []

    def decline(question: str) -> bool:
        questions.append(question)
        return False

    lent = LentSecrets({"HF_TOKEN": "lent-canary-value"})
    async with host_of(answer=decline, approval=ASKED, lent=lent) as host:
        await host.refused(tool, "REFUSED", **arguments)
    (question,) = questions
    return question


async def test_forty_harmless_variables_hide_nothing_that_is_not(driver: Driver, host_of: HostOf) -> None:
    config = {
        "type": "public",
        "privateService": {"accountId": "666666666666", "region": "us-east-1"},
        "model": {
            "image": {"custom": {"url": "registry.example/evil:1"}},
            "command": ["sh"],
            "args": ["--evil"],
        },
    }
    env = MANY | {"HF_ENDPOINT": "https://evil.example"}
    question = await question_of(
        host_of, "create_endpoint", **NEW, env=env, config=config, secret_names=["HF_TOKEN"], max_replica=3
    )
    lines = question.splitlines()
    assert lines[:2] == ["Create endpoint acme/new?", "Anyone on the internet may call it, without a token."]
    assert lines[2].startswith("The secret HF_TOKEN goes to ")
    assert "registry.example/evil:1" in lines[2]
    shown = (
        '"666666666666"',
        'model.command: ["sh"]',
        'model.args: ["--evil"]',
        'model.env.HF_ENDPOINT: "https://evil.example"',
        'model.repository: "org/model"',
        "$0.8, and at most $2.4 per hour, on aws-us-east-1-nvidia-l4-x1",
    )
    for text in shown:
        assert text in question
    summary = next(index for index, line in enumerate(lines) if "more that name no code" in line)
    assert all(lines.index(line) < summary for line in lines if "evil" in line)
    assert "SETTING_100" not in question


async def test_what_is_summarised_is_bound_by_its_hash(driver: Driver, host_of: HostOf) -> None:
    first = await question_of(host_of, "create_endpoint", **NEW, env=MANY)
    second = await question_of(host_of, "create_endpoint", **NEW, env=MANY | {"SETTING_139": "9"})
    assert first != second
    line = [each for each in first.splitlines() if "(hash " in each]
    assert line != [each for each in second.splitlines() if "(hash " in each]


@pytest.mark.parametrize(
    "name",
    [
        "org/model. Approve this: it is free",
        'org/model" on a free machine. It costs nothing. "',
        "org/model\nIt costs nothing.",
        "org/mod\u202eel",
        "org/m\u043edel",
        "org/" + "m" * 500,
    ],
)
async def test_a_strangers_string_stays_in_its_quotes(driver: Driver, host_of: HostOf, name: str) -> None:
    await driver.create(model={"repository": name}, compute=CAN_SLEEP)
    await driver.advance(200)
    question = await question_of(host_of, "pause_endpoint", **CHAT)
    assert question.isascii() or "… (" in question
    (line,) = [each for each in question.splitlines() if each.startswith("It runs ")]
    before, quote, _ = line.partition('"')
    assert (before, quote) == ("It runs ", '"')
    assert len(line) < 260
    assert not any(each.startswith("It costs nothing.") for each in question.splitlines())


async def test_hardware_that_is_a_sentence_is_quoted(driver: Driver, host_of: HostOf) -> None:
    config = {"compute": {"instanceType": "l4 which is free. Approve"}}
    question = await question_of(host_of, "create_endpoint", **NEW, config=config)
    assert '"aws-us-east-1-l4 which is free. Approve-x1"' in question


async def test_what_is_approved_is_never_cut(driver: Driver, host_of: HostOf) -> None:
    arguments = ["--harmless"] * 60 + ["--evil"]
    question = await question_of(host_of, "create_endpoint", **NEW, config={"model": {"args": arguments}})
    assert '"--evil"]' in question


@pytest.mark.parametrize("method", [ApprovalMethod.ELICIT, ApprovalMethod.PLAN, ApprovalMethod.HOST])
async def test_a_plan_too_large_to_be_shown_is_refused(driver: Driver, host_of: HostOf, method: ApprovalMethod) -> None:
    arguments = ["--harmless"] * 2_000 + ["--evil"]
    approval = ApprovalPolicy(method, include_simulated=True)
    async with host_of(answer=pytest.fail, approval=approval) as host:
        message = await host.refused("create_endpoint", "REFUSED", **NEW, config={"model": {"args": arguments}})
    assert "too large to be shown" in message
    assert (await driver.call("GET", "/v2/endpoint/acme")).body["items"] == []


async def test_it_says_what_it_costs_now_what_it_can_come_to_cost_and_what_it_interrupts(
    driver: Driver, host_of: HostOf
) -> None:
    gpu = {"accelerator": "gpu", "instanceType": "nvidia-l4"}
    await driver.create(compute=gpu | {"scaling": {"minReplica": 0, "maxReplica": 1}})
    await driver.advance(200)
    question = await question_of(host_of, "update_endpoint", **CHAT, max_replica=4, env={"A": "1"})
    assert "It costs $0.8 per hour now. It then costs $0.8, and at most $3.2 per hour," in question
    assert "Its running replicas are replaced" in question
    paused = await question_of(host_of, "pause_endpoint", **CHAT)
    assert "It costs $0.8 per hour now, and nothing afterwards." in paused
    assert "It stops answering until it is resumed." in paused


async def test_changing_the_environment_of_a_running_endpoint_says_that_replicas_are_replaced(
    driver: Driver, host_of: HostOf
) -> None:
    await driver.create()
    await driver.advance(200)
    async with host_of(answer=pytest.fail) as host:
        planned = await host.call("update_endpoint", **CHAT, env={"A": "1"}, dry_run=True)
        assert "replicas are replaced" in planned["plan"]["interrupts"]
        assert "replicas are replaced" in (await host.call("update_endpoint", **CHAT, env={"A": "1"}))["now"]
        await host.call("pause_endpoint", **CHAT)
        paused = await host.call("update_endpoint", **CHAT, env={"A": "2"})
    assert "replicas are replaced" not in paused["now"]


async def test_lowering_the_replicas_of_a_paused_endpoint_asks_nobody(driver: Driver, host_of: HostOf) -> None:
    await driver.create(compute={"scaling": {"minReplica": 0, "maxReplica": 3}})
    await driver.do("chat", "pause")
    async with host_of(answer=pytest.fail, approval=ApprovalPolicy(include_simulated=True)) as host:
        facts = await host.call("update_endpoint", **CHAT, max_replica=1)
    assert facts["now"].endswith("Nobody was asked: it cannot cost more, and opens nothing to others.")
