"""Nine everyday jobs in which something is in the way, as an agent does them: in how few calls, and with the right
state of the world afterwards.

Each is given as a person asks for it. Arguments come from there, from the published contract or an earlier answer.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.budgeted_agent import at_work
from tests.support.host import Host
from tests.support.plane_driver import CAN_SLEEP, Driver, PlaneOf
from tests.support.scenarios import L4, LENDS_A_TOKEN, VLLM, age, configuration, finish_all_attempts, finish_starts
from tests.support.scripted_upstream import Upstream

from inference_endpoints_mcp.policy.limits import Limits

pytestmark = pytest.mark.anyio

CHAT = {"endpoint_name": "chat"}
SMALL, LARGE = "Qwen/Qwen2.5-1.5B-Instruct", "Qwen/Qwen2.5-72B-Instruct"
QUOTA = 320


@pytest.fixture
async def driver(plane_of: PlaneOf, anyio_backend: str) -> AsyncIterator[Driver]:
    async with plane_of(cloud_quota=QUOTA) as driver:
        yield driver


async def states(driver: Driver, *names: str) -> dict[str, str]:
    return {name: await driver.state(name) for name in names}


async def test_pause_what_is_idle_in_all_organizations(organizations: Host, upstream: Upstream) -> None:
    """Pause whatever nobody has called for a week, in all my organizations."""
    async with at_work(organizations, at_most=1) as agent:
        paused = await agent.call("pause_endpoint", where="state=running idle>7d", namespace="*")
    assert [row["outcome"] for row in paused["endpoints"]] == ["changed", "changed"]
    changes = [seen.path for seen in upstream.seen if seen.method != "GET"]
    assert sorted(changes) == ["/v2/endpoint/acme/chat/pause", "/v2/endpoint/lab/chat/pause"]


async def test_make_room_in_a_used_quota(driver: Driver, modern: Host) -> None:
    """Deploy Qwen2.5-1.5B as `qwen` on an L4 in us-east-1. If there is no quota left, pause what is idle longest."""
    half = L4 | {"scaling": {"minReplica": 1, "maxReplica": QUOTA // 2}}
    for name, idle in (("old", 9), ("older", 30)):
        await driver.create(name, compute=half)
        age(driver, name, timedelta(days=idle))
    wish = {"endpoint_name": "qwen", "repository": SMALL, "hardware": "aws-us-east-1-nvidia-l4-x1"}
    async with at_work(modern, at_most=4) as agent:
        message = await agent.refused("create_endpoint", "QUOTA_EXCEEDED", **wish)
        assert f"0 of {QUOTA} are left." in message
        where = message.partition("where='")[2].partition("'")[0]
        listed = await agent.call("list_endpoints", where=where, sort="idle")
        await agent.call("pause_endpoint", endpoint_name=listed["endpoints"][0]["endpoint_name"])
        await agent.call("create_endpoint", **wish)
    await finish_starts(driver)
    assert await states(driver, "old", "older", "qwen") == {"old": "running", "older": "paused", "qwen": "running"}


async def test_undo_the_update_of_someone_else_that_failed(driver: Driver, modern: Host) -> None:
    """Somebody changed `chat`, and the update failed. Find out why, and put back what served."""
    await driver.create("chat", compute=L4, model={"repository": SMALL, "image": VLLM})
    await finish_starts(driver)
    before = configuration(await driver.get("chat"))
    await driver.call("PUT", "/v2/endpoint/acme/chat", {"model": {"repository": LARGE}})
    await finish_all_attempts(driver)
    async with at_work(modern, at_most=3) as agent:
        found = await agent.call("diagnose_endpoint", **CHAT)
        assert (found["state"], found["cause"]) == ("updateFailed", "out_of_accelerator_memory")
        back = await agent.follow(found["next"][0])
        assert back["plan"]["per_hour_after_usd"] == back["plan"]["per_hour_now_usd"], "at the same price"
        await finish_starts(driver)
        assert (await agent.follow(back["next"][0], until="updated"))["reached"] is True
    assert configuration(await driver.get("chat")) == before


async def test_start_again_where_there_is_no_hardware(driver: Driver, host_of: HostOf) -> None:
    """Start `chat` again. If its hardware is not to be had, take the cheapest that is."""
    await driver.create("chat", compute=L4, model={"repository": SMALL})
    await driver.do("chat", "pause")
    scarce = {"hardware": "aws-us-east-1-nvidia-l4-x1", "replicas": 0}
    assert (await driver.call("POST", "/local/capacity", scarce)).status == 200
    async with host_of(host_timeout_s=0.5) as host, at_work(host, at_most=5) as agent:
        resumed = await agent.call("resume_endpoint", **CHAT)
        waited = await agent.follow(resumed["next"][0])
        assert "It waits for hardware, which is listed as not available" in waited["now"]
        assert "expected_left_s" not in waited
        found = await agent.follow(waited["next"][1])
        assert found["cause"] == "no_capacity"
        moved = await agent.follow(found["next"][0])
        await finish_starts(driver)
        assert (await agent.follow(moved["next"][0]))["reached"] is True
    assert (await driver.get("chat"))["compute"]["instanceType"] == "nvidia-t4"


async def test_move_to_another_region(driver: Driver, modern: Host) -> None:
    """`chat` is in the wrong region: move it to eu-west-1, on the cheapest GPU that holds its model."""
    await driver.create("chat", compute=L4 | CAN_SLEEP, model={"repository": SMALL, "image": VLLM}, tags=["blue"])
    await finish_starts(driver)
    before = configuration(await driver.get("chat"))
    async with at_work(modern, at_most=3) as agent:
        there = await agent.call("get_vendors", region="eu-west-1", accelerator="gpu", holds_model=SMALL)
        moved = await agent.call("update_endpoint", **CHAT, hardware=there["hardware"][0]["hardware"])
        assert "its URL may change" in str(moved["plan"]["warnings"])
        await finish_starts(driver)
        assert (await agent.follow(moved["next"][0], until="updated"))["reached"] is True
    after = configuration(await driver.get("chat"))
    assert (after["provider"]["region"], after["compute"]["instanceType"]) == ("eu-west-1", "nvidia-t4")
    assert after["compute"]["scaling"] == before["compute"]["scaling"]
    for kept in ("model", "tags", "type"):
        assert after[kept] == before[kept]


async def test_put_the_idle_ones_of_a_fleet_of_three_hundred_to_sleep(driver: Driver, modern: Host) -> None:
    """Three hundred endpoints run. Let those sleep that nobody called for a week, and tell me what that saves."""
    idle = {f"e-{number:03d}" for number in range(0, 300, 5)}
    for number in range(300):
        name = f"e-{number:03d}"
        await driver.create(name, compute=L4 | CAN_SLEEP if name in idle else {})
    await finish_starts(driver)
    for name in idle:
        age(driver, name, timedelta(days=9))
    async with at_work(modern, at_most=1) as agent:
        facts = await agent.call("scale_endpoint_to_zero", where="state=running idle>7d")
    assert "60 of 60 endpoints are scaled to zero. Together they cost $48.00/h before, and $0.00/h now." in facts["now"]
    asleep: set[str] = set()
    arguments: dict[str, Any] = {"state": "scaledToZero", "limit": 100}
    while arguments:
        page = await modern.call("list_endpoints", **arguments)
        asleep |= {row["endpoint_name"] for row in page["endpoints"]}
        arguments = page["next"][0]["arguments"] if page["next"] else {}
    assert asleep == idle


async def test_start_as_many_as_the_limit_allows(driver: Driver, host_of: HostOf) -> None:
    """Start `a`, `b` and `c` again. If that is too expensive, start only `a` and `b`."""
    for name in "abc":
        await driver.create(name, compute=L4)
        await driver.do(name, "pause")
    async with host_of(limits=Limits(max_price_per_hour=2.0)) as host, at_work(host, at_most=3) as agent:
        message = await agent.refused("resume_endpoint", "REFUSED", names=["a", "b", "c"])
        assert "This may cost $2.4/h at 3 replica(s)." in message
        assert "Fewer than these 3 may keep to it" in message
        resumed = await agent.call("resume_endpoint", names=["a", "b"])
        await finish_starts(driver)
        assert (await agent.follow(resumed["next"][0]))["reached"] is True
    assert await states(driver, *"abc") == {"a": "running", "b": "running", "c": "paused"}


async def test_give_a_gated_model_the_token_that_the_operator_lends(driver: Driver, host_of: HostOf) -> None:
    """`chat` does not start. I have accepted the model's terms: get it to run."""
    await driver.create("chat", compute=L4, model={"repository": "meta-llama/Llama-3.2-1B-Instruct", "env": {"A": "1"}})
    await finish_all_attempts(driver)
    async with host_of(**LENDS_A_TOKEN) as host, at_work(host, at_most=3) as agent:
        found = await agent.call("diagnose_endpoint", **CHAT)
        updated = await agent.follow(found["next"][0])
        assert updated["plan"]["exposes"] == ["HF_TOKEN"]
        await finish_starts(driver)
        assert (await agent.follow(updated["next"][0]))["reached"] is True
    model = (await driver.get("chat"))["model"]
    assert (list(model["secrets"]), model["env"]) == (["HF_TOKEN"], {"A": "1"})


async def test_restore_the_limits_that_someone_changed(driver: Driver, modern: Host) -> None:
    """`chat` has been slow since somebody changed its replicas. Who was it? Restore what was there before."""
    await driver.create("chat", compute=L4 | {"scaling": {"minReplica": 2, "maxReplica": 4}}, tags=["blue"])
    await finish_starts(driver)
    before = configuration(await driver.get("chat"))
    await driver.call("PUT", "/v2/endpoint/acme/chat", {"compute": {"scaling": {"minReplica": 1, "maxReplica": 1}}})
    await driver.call("PUT", "/v2/endpoint/acme/chat", {"tags": ["green"]})
    async with at_work(modern, at_most=2) as agent:
        audited = await agent.call("get_audit_logs", **CHAT)
        (change,) = [row for row in audited["entries"] if "replica.minReplica" in row.get("changes", ())]
        assert change["user"] == "acme"
        assert '"replica.minReplica": [2, 1], "replica.maxReplica": [4, 1]' in change["more"]
        await agent.call("update_endpoint", **CHAT, min_replica=2, max_replica=4)
    await finish_starts(driver)
    assert configuration(await driver.get("chat")) == before | {"tags": ["green"]}
