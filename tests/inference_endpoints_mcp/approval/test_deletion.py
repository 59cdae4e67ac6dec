"""Deleting: a person approves this very endpoint, or nothing happens."""

import asyncio
from typing import Any

import pytest
from mcp.types import ElicitResult
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Answer, Mode
from tests.support.planes.plane_driver import Driver

from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.policy.limits import Limits

pytestmark = pytest.mark.anyio

CHAT = {"endpoint_name": "chat"}


async def exists(driver: Driver) -> bool:
    return (await driver.call("GET", "/v2/endpoint/acme/chat")).status == 200


async def test_with_the_typed_name_it_is_deleted_and_the_question_describes_it(
    driver: Driver, host_of: HostOf, mode: Mode
) -> None:
    created = (await driver.create()).body
    questions: list[str] = []

    def approve(question: str) -> str:
        questions.append(question)
        return "chat"

    async with host_of(mode, answer=approve) as host:
        facts = await host.call("delete_endpoint", **CHAT)
    assert facts["changed"] is True
    assert not await exists(driver)
    (question,) = questions
    first, warning, cost, interrupts, runs, *_ = question.splitlines()
    assert (first, warning) == ("Delete endpoint acme/chat?", "This cannot be undone.")
    assert "per hour now, and nothing afterwards" in cost
    assert interrupts == "It stops answering for good."
    assert runs.startswith('It runs "gpt2" in a huggingface container on aws-us-east-1-intel-spr-x1, created ')
    assert created["status"]["createdAt"] in question


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: "Chat",
        lambda _: "",
        lambda _: "\u0441hat",  # the first letter is Cyrillic
        lambda _: None,
        lambda _: ElicitResult(action="cancel"),
        lambda _: ElicitResult(action="accept", content={}),
        lambda _: ElicitResult(action="accept", content={"name": 5}),
    ],
    ids=["another name", "nothing", "a look-alike", "declined", "cancelled", "no name", "a number"],
)
async def test_any_other_answer_deletes_nothing(driver: Driver, host_of: HostOf, mode: Mode, answer: Answer) -> None:
    await driver.create()
    async with host_of(mode, answer=answer) as host:
        message = await host.refused("delete_endpoint", "REFUSED", **CHAT)
    assert "nothing was deleted" in message
    assert await exists(driver)


async def test_a_host_that_cannot_ask_is_refused_with_the_operators_switch(
    driver: Driver, host_of: HostOf, mode: Mode
) -> None:
    await driver.create()
    async with host_of(mode) as host:
        for arguments in (CHAT, CHAT | {"confirm": True}):
            message = await host.refused("delete_endpoint", "REFUSED", **arguments)
            assert "--confirm" in message
            assert "Pausing stops the billing" in message
    assert await exists(driver)


async def test_confirm_is_no_consent(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    await driver.create()
    async with host_of(mode, answer=lambda _: None) as host:
        await host.refused("delete_endpoint", "REFUSED", **CHAT, confirm=True)
    assert await exists(driver)


async def test_the_operator_can_switch_confirmation_off(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    await driver.create()
    async with host_of(mode, approval=ApprovalPolicy(method=ApprovalMethod.OFF)) as host:
        assert (await host.call("delete_endpoint", **CHAT))["changed"] is True
    assert not await exists(driver)


async def test_a_dry_run_and_what_does_not_exist_ask_nobody(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    def never(question: str) -> Any:
        raise AssertionError(question)

    async with host_of(mode, answer=never) as host:
        facts = await host.call("delete_endpoint", **CHAT)
        assert facts["changed"] is False
        assert facts["now"].startswith("There is no such endpoint: nothing to delete.")
        await driver.create()
        facts = await host.call("delete_endpoint", **CHAT, dry_run=True)
        assert (facts["changed"], facts["plan"]["effect"]) == (False, "destroys")
    assert await exists(driver)


async def test_an_endpoint_that_took_the_name_meanwhile_is_not_deleted(
    driver: Driver, host_of: HostOf, mode: Mode
) -> None:
    await driver.create()
    questions: list[str] = []

    async def replace(question: str) -> str | None:
        questions.append(question)
        if len(questions) > 1:
            return None
        await driver.call("DELETE", "/v2/endpoint/acme/chat")
        await driver.create(model={"repository": "org/precious"})
        return "chat"

    async with host_of(mode, answer=replace) as host:
        await host.refused("delete_endpoint", "REFUSED", **CHAT)
    assert await exists(driver)


async def test_the_question_stays_the_same_while_the_endpoint_moves_on(
    driver: Driver, host_of: HostOf, mode: Mode
) -> None:
    await driver.create()
    questions: list[str] = []

    async def approve(question: str) -> str:
        questions.append(question)
        await driver.advance(70)
        return "chat"

    async with host_of(mode, answer=approve) as host:
        await host.call("delete_endpoint", **CHAT)
    assert len(questions) == 1


async def test_a_host_that_never_answers_does_not_block_the_call(driver: Driver, host_of: HostOf) -> None:
    await driver.create()
    question_received = asyncio.Event()

    async def never_answer(_: str) -> str:
        question_received.set()
        await asyncio.Event().wait()
        return "chat"

    async with host_of("legacy", answer=never_answer, approval=ApprovalPolicy(answer_timeout_s=0.2)) as host:
        async with asyncio.timeout(HANG_TIMEOUT_S):
            message = await host.refused("delete_endpoint", "REFUSED", **CHAT)
    assert question_received.is_set()
    assert "not approved" in message
    assert await exists(driver)


async def test_deleting_is_refused_where_everything_is(driver: Driver, host_of: HostOf) -> None:
    await driver.create()
    async with host_of(answer=lambda _: "chat", limits=Limits(read_only=True)) as host:
        await host.refused("delete_endpoint", "REFUSED", **CHAT)
    assert await exists(driver)
