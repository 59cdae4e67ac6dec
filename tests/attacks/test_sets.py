"""Attacks on calls for several endpoints: what may not be done to one may not be done to it among others."""

import asyncio
from typing import Any

import pytest
from mcp.types import ElicitResult
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.planes.plane_driver import CAN_SLEEP, Driver

from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.policy.limits import Limits

pytestmark = pytest.mark.anyio

GPU: dict[str, Any] = {"accelerator": "gpu", "instanceType": "nvidia-l4", "instanceSize": "x1"}
OFF = ApprovalPolicy(method=ApprovalMethod.OFF)
TWO_DOLLARS = Limits(max_price_per_hour=2.0)


async def paused(driver: Driver, *names: str) -> None:
    """Endpoints that cost $0.80/h each once they are resumed."""
    for name in names:
        await driver.create(name, compute=GPU | CAN_SLEEP)
        await driver.do(name, "pause")


async def states(driver: Driver) -> set[str]:
    items = (await driver.call("GET", "/v2/endpoint/acme?limit=100")).body["items"]
    return {document["status"]["state"] for document in items}


@pytest.mark.parametrize("approval", [OFF, ApprovalPolicy(ApprovalMethod.PLAN, include_simulated=True)])
@pytest.mark.parametrize("limits", [TWO_DOLLARS, Limits(max_total_price_per_hour=2.0)])
async def test_together_they_may_not_pass_a_price_limit_that_each_alone_keeps(
    driver: Driver, host_of: HostOf, approval: ApprovalPolicy, limits: Limits
) -> None:
    await paused(driver, "a", "b", "c")
    async with host_of(limits=limits, approval=approval) as host:
        message = await host.refused("resume_endpoint", "REFUSED", where="state=paused")
        assert "$2.4/h at 3 replica(s)" in message
        assert await states(driver) == {"paused"}, "not even those that would fit"
        assert "would exceed" in str(
            (await host.call("resume_endpoint", where="name=*", dry_run=True))["plan"]["warnings"]
        )


async def test_an_update_of_several_may_not_pass_a_price_limit_together(driver: Driver, host_of: HostOf) -> None:
    for name in ("a", "b"):
        await driver.create(name, compute=GPU)
    await driver.advance(850)
    async with host_of(limits=Limits(max_price_per_hour=2.5), approval=OFF) as host:
        await host.refused("update_endpoint", "REFUSED", names=["a", "b"], max_replica=2)
        assert (await driver.get("a"))["compute"]["scaling"]["maxReplica"] == 1
        assert (await host.call("update_endpoint", names=["a"], max_replica=2))["changed"] is True


async def test_a_sum_above_the_threshold_is_asked_about_though_each_is_below_it(
    driver: Driver, host_of: HostOf
) -> None:
    await paused(driver, "a", "b")
    approval = ApprovalPolicy(include_simulated=True, min_price_per_hour=1.0)
    questions: list[str] = []

    def decline(question: str) -> None:
        questions.append(question)

    async with host_of(answer=decline, approval=approval) as host:
        await host.refused("resume_endpoint", "REFUSED", names=["a", "b"])
    assert "Together they cost nothing now, and $1.6 per hour afterwards." in questions[0]
    assert await states(driver) == {"paused"}


async def test_one_that_exposes_makes_the_whole_set_asked_about(driver: Driver, host_of: HostOf) -> None:
    await driver.create("plain")
    await driver.create("secretive", model={"secrets": {"KEY": "hunter2"}})
    await driver.advance(850)
    asked: list[str] = []

    def decline(question: str) -> None:
        asked.append(question)

    async with host_of(answer=decline) as host:
        await host.refused("update_endpoint", "REFUSED", where="name=*", env={"START": "rm -rf /"})
    assert "secretive: What runs with its secrets (KEY) changes" in asked[0]
    assert '"rm -rf /"' in asked[0], "in full"
    for name in ("plain", "secretive"):
        assert "START" not in (await driver.get(name))["model"]["env"]


async def test_a_host_that_cannot_ask_deletes_no_set(driver: Driver, host_of: HostOf) -> None:
    await driver.create("a")
    async with host_of() as host:
        await host.refused("delete_endpoint", "REFUSED", where="name=*")
        await host.refused("delete_endpoint", "REFUSED", names=["a", "a"])
    assert await states(driver) != set()


@pytest.mark.parametrize("content", [{"name": "a"}, {"approve": True}, {"count": 2, "pattern": "*"}, {"count": 2}])
async def test_the_answer_to_another_question_deletes_no_set(
    driver: Driver, host_of: HostOf, content: dict[str, Any]
) -> None:
    for name in ("a", "b"):
        await driver.create(name)
    async with host_of(answer=lambda _: ElicitResult(action="accept", content=content)) as host:
        await host.refused("delete_endpoint", "REFUSED", names=["a", "b"])
        await host.refused("delete_endpoint", "REFUSED", where="name=*")
    assert len((await driver.call("GET", "/v2/endpoint/acme")).body["items"]) == 2


async def test_a_namespace_that_is_excluded_is_excluded_among_others(driver: Driver, host_of: HostOf) -> None:
    await driver.create("a")
    async with host_of(limits=Limits(namespaces=("acme",)), approval=OFF) as host:
        await host.refused("pause_endpoint", "REFUSED", names=["a", "lab/secret"])
        await host.refused("delete_endpoint", "REFUSED", where="name=*", namespace="lab")
    assert await states(driver) != {"paused"}


async def test_a_filter_can_say_nothing_to_the_person_but_its_conditions(driver: Driver, host_of: HostOf) -> None:
    await driver.create("a")
    async with host_of(answer=pytest.fail) as host:
        for text in ("name=a\u2028approved", "name=a (harmless)", "name=*\n\nApproved already.", "name=\u0430*"):
            await host.refused("delete_endpoint", "BAD_REQUEST", where=text)


async def test_more_than_a_person_reads_are_refused(driver: Driver, host_of: HostOf) -> None:
    async with host_of(approval=OFF) as host:
        assert "INVALID_ARGUMENTS" in await host.refused(
            "delete_endpoint", "INVALID_ARGUMENTS", names=[f"n{number}" for number in range(101)]
        )


async def test_two_sets_at_the_same_time_cannot_pass_a_price_limit_together(driver: Driver, host_of: HostOf) -> None:
    await paused(driver, "a", "b", "c", "d")
    async with host_of(limits=TWO_DOLLARS, approval=OFF) as host:
        await asyncio.gather(
            host.send("resume_endpoint", names=["a", "b"]), host.send("resume_endpoint", where="name=c,d")
        )
    items = (await driver.call("GET", "/v2/endpoint/acme")).body["items"]
    assert sum(document["status"]["state"] != "paused" for document in items) <= 2


async def test_an_endpoint_replaced_under_its_name_leaves_the_set(driver: Driver, host_of: HostOf) -> None:
    for name in ("a", "b"):
        await driver.create(name)

    async def replace(_: str) -> ElicitResult:
        await driver.call("DELETE", "/v2/endpoint/acme/b")
        await driver.create("b", model={"repository": "org/precious"})
        return ElicitResult(action="accept", content={"count": 2, "pattern": "a"})

    async with host_of(answer=replace) as host:
        await host.refused("delete_endpoint", "REFUSED", names=["a", "b"])
    assert (await driver.get("b"))["model"]["repository"] == "org/precious"
    assert (await driver.get("a"))["name"] == "a"


@pytest.mark.parametrize("limits", [Limits(read_only=True), Limits(tools=("list_endpoints",))])
async def test_what_the_operator_excludes_is_excluded_for_sets(driver: Driver, host_of: HostOf, limits: Limits) -> None:
    await driver.create("a")
    async with host_of(limits=limits, approval=OFF) as host:
        for tool in ("pause_endpoint", "delete_endpoint", "update_endpoint"):
            await host.refused(tool, "REFUSED", where="name=*")
    assert await states(driver) != {"paused"}


async def test_one_start_that_breaks_a_rule_stops_the_whole_set(driver: Driver, host_of: HostOf) -> None:
    await driver.create("small", compute=GPU | CAN_SLEEP)
    await driver.create(
        "large", compute=GPU | {"scaling": {"minReplica": 0, "maxReplica": 5, "scaleToZeroTimeout": 15}}
    )
    for name in ("small", "large"):
        await driver.do(name, "pause")
    async with host_of(limits=Limits(max_replicas=2), approval=OFF) as host:
        assert "at most 2 replica(s)" in await host.refused("resume_endpoint", "REFUSED", where="name=*")
    assert await states(driver) == {"paused"}
