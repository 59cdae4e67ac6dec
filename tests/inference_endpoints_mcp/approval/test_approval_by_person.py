"""Changes that need a person's approval, requested through the host, in both eras. Simulated prices count here."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp.types import ElicitResult
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Answer, Mode
from tests.support.planes.plane_driver import CAN_SLEEP, TOKEN, Driver

from inference_endpoints.transport.backend import HUGGING_FACE, Backend, local
from inference_endpoints.transport.effect import Effect
from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.policy.limits import Limits

pytestmark = pytest.mark.anyio

L4 = "aws-us-east-1-nvidia-l4-x1"
NEW: dict[str, Any] = {"endpoint_name": "new", "repository": "org/model", "hardware": L4}
CHAT = {"endpoint_name": "chat"}
EVERYTHING = frozenset({Effect.DESTROYS, Effect.SPENDS, Effect.DISRUPTS})
CHANGES: dict[str, dict[str, Any]] = {
    "create_endpoint": NEW,
    "update_endpoint": CHAT | {"max_replica": 3},
    "pause_endpoint": CHAT,
    "resume_endpoint": CHAT,
    "scale_endpoint_to_zero": CHAT,
    "delete_endpoint": CHAT,
    "call_endpoint": CHAT | {"text": "x"},
}


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


async def prepared(driver: Driver, tool: str) -> None:
    """An endpoint `chat` in a state in which the tool has something to do."""
    await driver.create(compute=CAN_SLEEP | {"accelerator": "gpu", "instanceType": "nvidia-l4"})
    await driver.advance(200)
    if tool in {"resume_endpoint", "call_endpoint"}:
        await (driver.do("chat", "pause") if tool == "resume_endpoint" else driver.put_to_sleep("chat"))


async def world(driver: Driver) -> Any:
    return (await driver.call("GET", "/v2/endpoint/acme")).body["items"]


def lines(trail: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in trail.read_text("utf-8").splitlines()]


def never(question: str) -> Any:
    raise AssertionError(question)


async def test_the_question_shows_the_plan_and_its_price_and_approval_carries_it_out(
    driver: Driver, host_of: HostOf, mode: Mode
) -> None:
    questions: list[str] = []

    def approve(question: str) -> bool:
        questions.append(question)
        return True

    async with host_of(mode, answer=approve, approval=ApprovalPolicy(include_simulated=True)) as host:
        spec = NEW | {"max_replica": 2, "type": "public", "env": {"MAX_LENGTH": "4096"}}
        facts = await host.call("create_endpoint", **spec)
    assert facts["changed"] is True
    (question,) = questions
    lines = question.splitlines()
    assert lines[:2] == ["Create endpoint acme/new?", "Anyone on the internet may call it, without a token."]
    assert lines[2].startswith("It costs nothing now. ")
    assert f'It will run "org/model" in a huggingface container on {L4}.' in lines
    assert "$0.8, and at most $1.6 per hour," in question
    assert "a month" in question
    assert "simulated, so nothing is billed" in question
    assert 'type: "public"' in question
    assert 'model.env.MAX_LENGTH: "4096"' in question


@pytest.mark.parametrize("tool", CHANGES)
@pytest.mark.parametrize(
    "answer",
    [
        lambda _: False,
        lambda _: None,
        lambda _: ElicitResult(action="cancel"),
        lambda _: ElicitResult(action="accept"),
        lambda _: ElicitResult(action="accept", content={}),
        lambda _: ElicitResult(action="accept", content={"approve": "yes", "name": 5}),
    ],
    ids=["no", "declined", "cancelled", "no content", "nothing", "of the wrong kind"],
)
async def test_without_approval_nothing_changes(
    driver: Driver, host_of: HostOf, mode: Mode, tool: str, answer: Answer
) -> None:
    await prepared(driver, tool)
    before = await world(driver)
    async with host_of(
        mode, answer=answer, approval=ApprovalPolicy(effects=EVERYTHING, include_simulated=True)
    ) as host:
        message = await host.refused(tool, "REFUSED", **CHANGES[tool])
    assert "not approved" in message
    assert await world(driver) == before


@pytest.mark.parametrize("tool", CHANGES)
async def test_an_approved_change_is_made(driver: Driver, host_of: HostOf, mode: Mode, tool: str) -> None:
    await prepared(driver, tool)
    before = await world(driver)
    questions: list[str] = []

    def approve(question: str) -> Any:
        questions.append(question)
        return "chat" if tool == "delete_endpoint" else True

    async with host_of(
        mode, answer=approve, host_timeout_s=0.5, approval=ApprovalPolicy(effects=EVERYTHING, include_simulated=True)
    ) as host:
        result = await host.send(tool, **CHANGES[tool])
    assert len(questions) == 1
    assert tool == "call_endpoint" or not result.is_error
    assert await world(driver) != before


@pytest.mark.parametrize("tool", [tool for tool in CHANGES if tool not in {"create_endpoint", "delete_endpoint"}])
async def test_an_endpoint_that_changed_before_the_answer_is_left_alone(
    driver: Driver, host_of: HostOf, mode: Mode, tool: str
) -> None:
    await prepared(driver, tool)
    changed: list[Any] = []

    async def approve(_: str) -> bool:
        await driver.call("PUT", "/v2/endpoint/acme/chat", {"tags": ["meanwhile"]})
        changed.append(await world(driver))
        return True

    async with host_of(
        mode, answer=approve, approval=ApprovalPolicy(effects=EVERYTHING, include_simulated=True)
    ) as host:
        message = await host.refused(tool, "REFUSED", **CHANGES[tool])
    assert "is different now" in message
    assert [await world(driver)] == changed


async def test_a_name_that_was_taken_before_the_answer_stays_with_its_endpoint(
    driver: Driver, host_of: HostOf, mode: Mode
) -> None:
    async def approve(_: str) -> bool:
        await driver.create("new")
        return True

    async with host_of(mode, answer=approve, approval=ApprovalPolicy(include_simulated=True)) as host:
        result = await host.send("create_endpoint", **NEW)
    assert result.is_error
    (only,) = await world(driver)
    assert only["model"]["repository"] == "gpt2"


@pytest.mark.parametrize("tool", ["create_endpoint", "delete_endpoint", "call_endpoint"])
async def test_a_late_answer_does_not_count(driver: Driver, host_of: HostOf, mode: Mode, tool: str) -> None:
    await prepared(driver, tool)
    before = await world(driver)
    clock = Clock()

    async def later(_: str) -> Any:
        clock.at += 61
        if mode == "legacy":
            await asyncio.Event().wait()
        return "chat" if tool == "delete_endpoint" else True

    within = 0.2 if mode == "legacy" else 60.0
    async with host_of(
        mode, answer=later, clock=clock, approval=ApprovalPolicy(include_simulated=True, answer_timeout_s=within)
    ) as host:
        async with asyncio.timeout(HANG_TIMEOUT_S):
            message = await host.refused(tool, "REFUSED", **CHANGES[tool])
    assert "not approved in time" in message
    assert await world(driver) == before


async def test_by_default_only_changes_that_may_cost_more_need_approval(
    driver: Driver, host_of: HostOf, mode: Mode
) -> None:
    await prepared(driver, "update_endpoint")
    questions: list[str] = []
    async with host_of(mode, answer=questions.append, approval=ApprovalPolicy(include_simulated=True)) as host:
        change: dict[str, Any]
        for change in ({"env": {"A": "1"}}, {"config": {"tags": ["a"]}}):
            assert (await host.call("update_endpoint", **CHAT, **change))["changed"] is True
        assert questions == []
        await driver.advance(200)
        for change in ({"max_replica": 2}, {"hardware": "aws-us-east-1-nvidia-l4-x4"}):
            await host.refused("update_endpoint", "REFUSED", **CHAT, **change)
        assert len(questions) == 2
        for tool in ("scale_endpoint_to_zero", "pause_endpoint"):
            assert (await host.call(tool, **CHAT))["changed"] is True
        assert len(questions) == 2
        await host.refused("resume_endpoint", "REFUSED", **CHAT)
    assert len(questions) == 3


@pytest.mark.parametrize(("above", "question_count"), [(0.79, 1), (0.8, 0)])
async def test_below_the_operators_price_no_approval_is_needed(
    driver: Driver, host_of: HostOf, mode: Mode, above: float, question_count: int
) -> None:
    questions: list[str] = []
    async with host_of(
        mode, answer=questions.append, approval=ApprovalPolicy(include_simulated=True, min_price_per_hour=above)
    ) as host:
        await host.send("create_endpoint", **NEW)
    assert len(questions) == question_count


async def test_an_unknown_price_needs_approval(driver: Driver, host_of: HostOf) -> None:
    questions: list[str] = []
    config = {"compute": {"instanceType": "nvidia-next"}}
    async with host_of(
        answer=questions.append, approval=ApprovalPolicy(include_simulated=True, min_price_per_hour=1_000)
    ) as host:
        await host.refused("create_endpoint", "REFUSED", **NEW, config=config)
    assert "Its price is not published." in questions[0]


async def test_a_change_without_cost_needs_no_approval(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    async with host_of(mode, answer=never) as host:
        assert (await host.call("create_endpoint", endpoint_name="tiny", repository="tiny/echo"))["changed"] is True
        assert (await host.call("create_endpoint", **NEW))["backend"] == "simulated"


@pytest.mark.parametrize("tool", ["create_endpoint", "resume_endpoint", "call_endpoint"])
async def test_on_the_real_service_spending_needs_approval_unless_configured_otherwise(
    driver: Driver, host_of: HostOf, mode: Mode, tool: str
) -> None:
    await prepared(driver, tool)
    before = await world(driver)

    async def open_backend(_: AsyncExitStack) -> Backend:
        return replace(local(driver.plane.url, TOKEN), name=HUGGING_FACE)

    questions: list[str] = []
    async with host_of(mode, answer=questions.append, open_backend=open_backend) as host:
        await host.refused(tool, "REFUSED", **CHANGES[tool])
    assert "$0.8 per hour" in questions[0]
    assert "simulated" not in questions[0]
    assert await world(driver) == before
    async with host_of(mode, open_backend=open_backend) as host:
        result = await host.send(tool, **CHANGES[tool])
    assert result.is_error or (result.structured_content or {})["plan_token"]
    assert await world(driver) == before
    async with host_of(
        mode,
        answer=never,
        open_backend=open_backend,
        host_timeout_s=0.5,
        approval=ApprovalPolicy(min_price_per_hour=1.0),
    ) as host:
        await host.send(tool, **CHANGES[tool])
    assert await world(driver) != before


async def test_a_refused_change_is_not_put_to_a_person(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    await driver.create("taken")
    async with host_of(
        mode,
        answer=never,
        limits=Limits(max_replicas=1, max_price_per_hour=0.5),
        approval=ApprovalPolicy(include_simulated=True),
    ) as host:
        message = await host.refused("create_endpoint", "REFUSED", **NEW, max_replica=2)
        assert "at most 1 replica(s)" in message
        assert "limit of $0.5/h" in await host.refused("create_endpoint", "REFUSED", **NEW)
        await host.refused("create_endpoint", "ALREADY_EXISTS", **NEW | {"endpoint_name": "taken"})
        await host.call("create_endpoint", **NEW, dry_run=True)


async def test_without_elicitation_a_call_does_not_wake_and_names_resume_endpoint(
    driver: Driver, host_of: HostOf, mode: Mode
) -> None:
    await prepared(driver, "call_endpoint")
    async with host_of(mode, approval=ApprovalPolicy(include_simulated=True)) as host:
        for tool, prompt in (("call_endpoint", {"text": "x"}), ("chat_with_endpoint", {"message": "x"})):
            message = await host.refused(tool, "REFUSED", **CHAT, **prompt)
            assert "$0.8/h" in message
            assert "resume_endpoint" in message
    assert await driver.state("chat") == "scaledToZero"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (lambda _: True, "approved"),
        (lambda _: None, "declined"),
        (lambda _: ElicitResult(action="cancel"), "cancelled"),
        (lambda _: ElicitResult(action="accept", content={}), "malformed"),
    ],
)
async def test_each_plan_and_each_approval_is_a_line_of_the_audit_trail(
    driver: Driver, host_of: HostOf, mode: Mode, tmp_path: Path, answer: Callable[[str], Any], outcome: str
) -> None:
    trail = tmp_path / "audit.jsonl"
    async with host_of(mode, answer=answer, audit_file=trail, approval=ApprovalPolicy(include_simulated=True)) as host:
        await host.send("create_endpoint", **NEW, max_replica=2)
    plan, approval, *change = lines(trail)
    assert (plan["event"], approval["event"]) == ("plan", "approval")
    assert plan["plan"] == approval["plan"]
    for line in (plan, approval):
        assert (line["operation"], line["endpoint"], line["effect"]) == ("create_endpoint", "acme/new", "spends")
        assert (line["price_per_hour_at_most_usd"], line["by"]) == (1.6, "person")
    assert "acme/new" in plan["question"]
    assert approval["outcome"] == outcome
    assert [line["event"] for line in change] == (["change"] if outcome == "approved" else [])


async def test_confirm_off_asks_nobody(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    await prepared(driver, "delete_endpoint")
    off = ApprovalPolicy(ApprovalMethod.OFF, EVERYTHING, include_simulated=True)
    async with host_of(mode, answer=never, approval=off) as host:
        assert (await host.call("create_endpoint", **NEW))["changed"] is True
        assert (await host.call("delete_endpoint", **CHAT))["changed"] is True


async def test_an_approval_counts_once(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    await prepared(driver, "resume_endpoint")
    questions: list[str] = []

    def once(question: str) -> bool:
        questions.append(question)
        return len(questions) == 1

    async with host_of(mode, answer=once, approval=ApprovalPolicy(include_simulated=True)) as host:
        assert (await host.call("resume_endpoint", **CHAT))["changed"] is True
        await host.call("pause_endpoint", **CHAT)
        await host.refused("resume_endpoint", "REFUSED", **CHAT)
    assert len(questions) == 2
