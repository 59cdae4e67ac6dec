"""One call for several endpoints: exactly which, with price and effect of each; approved once; told for each."""

from typing import Any

import pytest
from mcp.types import ElicitResult
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.host import Host, Mode
from tests.support.planes.plane_driver import CAN_SLEEP, Driver
from tests.support.planes.scenarios import L4, finish_starts

from inference_endpoints_local.state.faults import Fault
from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy

pytestmark = pytest.mark.anyio

PLANS = ApprovalPolicy(ApprovalMethod.PLAN, include_simulated=True)


async def fleet(driver: Driver, *names: str, **changes: Any) -> None:
    for name in names:
        assert (await driver.create(name, compute=L4 | CAN_SLEEP, **changes)).status == 200
    await driver.advance(850)


async def names(driver: Driver) -> set[str]:
    items = (await driver.call("GET", "/v2/endpoint/acme?limit=100")).body["items"]
    return {document["name"] for document in items}


def outcomes(facts: dict[str, Any]) -> dict[str, str]:
    return {name: row["outcome"] for row in facts["endpoints"] for name in row["endpoint_names"]}


async def test_named_endpoints_are_paused_in_one_call_with_the_outcome_of_each(driver: Driver, host: Host) -> None:
    await fleet(driver, "a", "b", "c")
    await driver.do("b", "pause")
    facts = await host.call("pause_endpoint", names=["c", "a", "b", "a"])
    assert outcomes(facts) == {"a": "changed", "b": "unchanged", "c": "changed"}
    assert (
        "2 of 3 endpoints are paused; 1 unchanged. Together they cost $1.60/h before, and $0.00/h now." in facts["now"]
    )
    assert (facts["changed"], facts["namespace"], "endpoint_name" in facts) == (True, "acme", False)
    assert [await driver.state(name) for name in "abc"] == ["paused"] * 3


async def test_a_filter_shows_exactly_which_match_with_their_prices_before_anything_is_done(
    driver: Driver, host: Host
) -> None:
    await fleet(driver, "ci-1", "ci-2", tags=["eval"])
    await fleet(driver, "ci-3", "prod")
    facts = await host.call("scale_endpoint_to_zero", where="name=ci-* tag=eval", dry_run=True)
    assert outcomes(facts) == {"ci-1": "planned", "ci-2": "planned"}
    assert facts["endpoints"] == [
        {
            "endpoint_names": ["ci-1", "ci-2"],
            "state": "running",
            "outcome": "planned",
            "cost_now_usd": 0.8,
            "cost_after_usd": 0.0,
            "cost_at_most_usd": 0.8,
        }
    ], "those alike are one row"
    plan = facts["plan"]
    assert [plan[f"per_hour_{when}_usd"] for when in ("now", "after", "at_most")] == [1.6, 0.0, 1.6]
    assert plan["interrupts"] == "Its replicas end, and the next call waits for a new one."
    await host.call("scale_endpoint_to_zero", where="name=ci-* tag=eval")
    states = {name: await driver.state(name) for name in await names(driver)}
    assert states == {"ci-1": "scaledToZero", "ci-2": "scaledToZero", "ci-3": "running", "prod": "running"}


async def test_whoever_deletes_several_types_their_number_and_the_filter(
    driver: Driver, host_of: HostOf, mode: Mode
) -> None:
    await fleet(driver, "ci-1", "ci-2", "prod")
    questions: list[str] = []
    content: dict[str, str | int | float | bool | list[str] | None] = {}

    def answer(question: str) -> ElicitResult:
        questions.append(question)
        return ElicitResult(action="accept", content=content)

    async with host_of(mode, answer=answer) as host:
        wrong_answers: list[dict[str, Any]] = [{"count": 3, "pattern": "name=ci-*"}, {"count": 2, "pattern": "ci-*"}]
        for wrong in [*wrong_answers, {"name": "ci-1"}]:
            content = {**wrong}
            assert "nothing was deleted" in await host.refused("delete_endpoint", "REFUSED", where=" name=ci-*")
        assert await names(driver) == {"ci-1", "ci-2", "prod"}
        content = {"count": 2, "pattern": " name=ci-* "}
        facts = await host.call("delete_endpoint", where="name=ci-*  ")
        assert outcomes(facts) == {"ci-1": "changed", "ci-2": "changed"}
        assert await names(driver) == {"prod"}
        content = {"count": 1, "pattern": "prod"}
        again = await host.call("delete_endpoint", names=["prod", "ci-1"])
    assert outcomes(again) == {"ci-1": "unchanged", "prod": "changed"}
    first, warning, cost, interrupts, type_, chosen, one, *_ = questions[0].splitlines()
    assert (first, warning) == ("Delete these 2 endpoints?", "This cannot be undone.")
    assert cost.startswith("Together they cost $1.6 per hour now, and nothing afterwards.")
    assert interrupts == "It stops answering for good."
    assert type_ == "To approve, type 2 and: name=ci-*"
    assert chosen == "Those that match name=ci-*, in acme:"
    assert one.startswith(
        '- ci-1: running, $0.8/h. It runs "gpt2" in a huggingface container on aws-us-east-1-nvidia-l4-x1'
    )


async def test_a_set_that_changes_while_a_person_reads_is_shown_again(
    driver: Driver, host_of: HostOf, mode: Mode
) -> None:
    await fleet(driver, "ci-1", "ci-2")

    async def answer(_: str) -> ElicitResult:
        if "ci-3" not in await names(driver):
            await driver.create("ci-3", compute=L4)
        return ElicitResult(action="accept", content={"count": 2, "pattern": "name=ci-*"})

    async with host_of(mode, answer=answer) as host:
        result = await host.send("delete_endpoint", where="name=ci-*")
    assert result.is_error
    assert "so it was not approved: nothing was deleted" in str(result.content)
    assert "ci-3" in str(result.content), "the set as it is now"
    assert await names(driver) == {"ci-1", "ci-2", "ci-3"}


async def test_a_plans_token_covers_exactly_the_set_that_was_shown(driver: Driver, host_of: HostOf) -> None:
    await fleet(driver, "ci-1", "ci-2", "other")
    async with host_of(approval=PLANS) as host:
        planned = await host.call("delete_endpoint", where="name=ci-*")
        token = planned["plan_token"]
        again = planned["next"][0]["arguments"]
        assert again["where"] == "name=ci-*"
        for other in ({"names": ["ci-1", "ci-2"]}, {"where": "name=c*"}, {"endpoint_name": "ci-1"}):
            await host.refused("delete_endpoint", "REFUSED", **other, plan_token=token)
        await fleet(driver, "ci-3")
        message = await host.refused("delete_endpoint", "REFUSED", **again)
        assert "not the one the plan was made for: nothing was deleted" in message
        await driver.call("DELETE", "/v2/endpoint/acme/ci-3")
        assert (await host.call("delete_endpoint", **again))["changed"] is True
    assert await names(driver) == {"other"}


async def test_one_that_fails_stops_no_other_and_says_why(driver: Driver, host: Host) -> None:
    await fleet(driver, "a", "b", "c")
    driver.plane.faults.arm(Fault.RATE_LIMITED, "pause_endpoint", 20)
    facts = await host.call("pause_endpoint", names=["a", "b", "c"])
    failed = [row for row in facts["endpoints"] if row["outcome"] == "failed"]
    assert failed
    assert all(row["why"].startswith("RATE_LIMITED: ") for row in failed)
    assert f"{len(failed)} failed" in facts["now"]


async def test_one_that_cannot_be_changed_is_shown_and_left_out(driver: Driver, host: Host) -> None:
    await fleet(driver, "a", "b")
    await driver.do("b", "pause")
    facts = await host.call("scale_endpoint_to_zero", names=["a", "b"])
    assert outcomes(facts) == {"a": "changed", "b": "refused"}
    assert "is paused: it costs nothing" in facts["endpoints"][1]["why"]
    assert "1 of 2 endpoints are scaled to zero; 1 refused." in facts["now"]


async def test_several_are_updated_alike_and_each_keeps_its_other_settings(driver: Driver, host: Host) -> None:
    await fleet(driver, "a", model={"env": {"A": "old", "B": "1"}})
    await fleet(driver, "b", model={"env": {"A": "new"}})
    await fleet(driver, "c")
    facts = await host.call("update_endpoint", names=["a", "b", "c"], env={"A": "new"})
    assert outcomes(facts) == {"a": "changed", "b": "unchanged", "c": "changed"}
    assert facts["endpoints"][0]["changes"] == ["model.env"]
    assert (await driver.get("a"))["model"]["env"] == {"A": "new", "B": "1"}
    assert facts["next"] == [{"tool": "wait_for_endpoint", "arguments": {"names": ["a", "c"], "namespace": "acme"}}]


async def test_names_that_do_not_exist_change_nothing_and_get_similar_ones(driver: Driver, host: Host) -> None:
    await fleet(driver, "chat-large", "prod")
    message = await host.refused("pause_endpoint", "NOT_FOUND", names=["prod", "chat-larg"])
    assert "1 of the names do not exist (acme/chat-larg): nothing was done. Nearest: chat-large." in message
    assert "Nearest: chat-large." in await host.refused("resume_endpoint", "NOT_FOUND", endpoint_name="chat-larg")
    assert "Nearest: chat-large." in await host.refused("get_endpoint", "NOT_FOUND", endpoint_name="chat-larg")
    assert await driver.state("prod") == "running"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "not clear which endpoints"),
        ({"endpoint_name": "a", "names": ["a"]}, "not clear which endpoints"),
        ({"where": "a"}, "A condition of the filter is not valid"),
        ({"where": "state=runing"}, "has no such state"),
        ({"where": "name=a name=b"}, "A condition of the filter is not valid"),
        ({"where": "idle>7 days"}, "A condition of the filter is not valid"),
        ({"endpoint_name": "a", "namespace": "*"}, "goes with where"),
        ({"names": ["a"], "namespace": "*"}, "goes with where"),
    ],
)
async def test_what_is_not_clear_is_refused_before_anything_is_done(
    driver: Driver, modern: Host, given: dict[str, Any], words: str
) -> None:
    await driver.create("a")
    assert words in await modern.refused("pause_endpoint", "BAD_REQUEST", **given)
    assert await driver.state("a") != "paused"


async def test_a_filter_that_matches_nothing_changes_nothing(driver: Driver, modern: Host) -> None:
    await driver.create("a")
    facts = await modern.call("delete_endpoint", where="state=failed")
    assert (facts["changed"], facts["now"]) == (False, "No endpoint matches. Nothing was sent.")
    assert facts["namespace"] == "acme"


async def test_a_wait_for_all_ends_when_the_last_is_there_and_for_the_first_at_once(
    driver: Driver, host_of: HostOf
) -> None:
    await fleet(driver, "a", "b", "c")
    await driver.do("c", "pause")
    await driver.do("b", "pause")
    async with host_of(host_timeout_s=0.5) as host:
        first = await host.wait_on(names=["a", "b"], first=True)
        assert (first["reached"], outcomes(first)["a"], first["backend"]) == (True, "reached", "simulated")
        both = await host.wait_on(where="state=paused", until="paused")
        assert (both["reached"], outcomes(both)) == (True, {"b": "reached", "c": "reached"})
        cannot = await host.wait_on(names=["a", "b"])
        assert cannot["reached"] is False
        assert "will not become running: it is paused" in cannot["endpoints"][1]["why"]
        assert cannot["next"][0]["tool"] == "diagnose_endpoint"
        await driver.do("b", "resume")
        later = await host.call("wait_for_endpoint", names=["a", "b"], timeout_s=600)
        while outcomes(later)["a"] == "waiting":
            later = await host.call("wait_for_endpoint", **later["next"][0]["arguments"])
        assert (later["reached"], outcomes(later)) == (False, {"a": "reached", "b": "waiting"})
        assert later["next"][0]["arguments"]["names"] == ["b"]
        await finish_starts(driver)
        assert (await host.wait_on(**later["next"][0]["arguments"]))["reached"] is True
