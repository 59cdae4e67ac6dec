"""Ten scenarios harder than the guide's, each done as an agent would, in no more calls than a careful engineer makes.

Arguments come from the prompt, the published contract or an earlier answer; the outcome is read from the
plane directly, or of two namespaces from what was sent to a scripted control plane.
"""

from datetime import timedelta

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.budgeted_agent import at_work
from tests.support.hosts.host import Host
from tests.support.planes.plane_driver import Driver
from tests.support.planes.scenarios import (
    L4,
    LENDS_A_TOKEN,
    VLLM,
    age,
    configuration,
    finish_all_attempts,
    finish_starts,
)
from tests.support.service.scripted_upstream import Upstream

pytestmark = pytest.mark.anyio

LLAMA = "meta-llama/Llama-3.3-70B-Instruct"
LLAMA_GB = 141 * 1.3
"""Its weights, and room to serve them."""
KEPT_AWAKE = L4 | {"scaling": {"minReplica": 1, "maxReplica": 1}}


async def test_deploy_the_cheapest_that_runs_a_large_model_within_a_price(driver: Driver, host_of: HostOf) -> None:
    """Deploy the cheapest thing that runs Llama-3.3-70B-Instruct; spend no more than $10 an hour."""
    vendors = (await driver.call("GET", "/v2/provider/acme")).body["vendors"]
    offers = [one for vendor in vendors for region in vendor["regions"] for one in region["computes"]]
    holding = [one for one in offers if (one["gpuMemoryGb"] or 0) >= LLAMA_GB and one["status"] == "available"]
    cheapest = min(one["pricePerHour"] for one in holding)
    async with host_of(**LENDS_A_TOKEN) as host, at_work(host, at_most=3) as agent:
        config = await agent.call("get_recommended_config", repository=LLAMA)
        assert config["price_per_hour_usd"] <= 10
        created = await agent.follow(config["next"][0], max_replica=1)
        await finish_starts(driver)
        assert (await agent.follow(created["next"][0]))["reached"] is True
    assert created["plan"]["per_hour_at_most_usd"] == cheapest <= 10
    document = await driver.get(created["endpoint_name"])
    accelerators = int(document["compute"]["instanceSize"].removeprefix("x"))
    assert accelerators > 1
    assert document["model"]["image"]["vLLM"]["tensorParallelSize"] == accelerators, "all that is billed is used"


async def test_let_all_idle_endpoints_scale_to_zero(driver: Driver, modern: Host) -> None:
    """Some of our endpoints run day and night though nobody calls them. Let those scale to zero."""
    names = ("idle-a", "idle-b", "busy")
    for name in names:
        await driver.create(name, compute=KEPT_AWAKE)
        age(driver, name, timedelta(hours=5))
    await finish_starts(driver)
    await driver.call("POST", await driver.path_of("busy"), {"inputs": "hello"})
    async with at_work(modern, at_most=1 + 1) as agent:
        (together,) = (await agent.call("get_costs"))["next"]
        assert (await agent.follow(together))["changed"] is True
    least = {name: (await driver.get(name))["compute"]["scaling"]["minReplica"] for name in names}
    assert least == {"idle-a": 0, "idle-b": 0, "busy": 1}


async def test_find_why_a_resume_is_refused_and_follow_the_proposals_until_it_runs(
    driver: Driver, modern: Host
) -> None:
    """`chat` cannot be resumed. Find out why, and get it to run, on other hardware if need be."""
    four = L4 | {"instanceSize": "x4"}
    await driver.create("chat", compute=four)
    await driver.do("chat", "pause")
    for number in range(4):
        assert (await driver.create(f"other-{number}", compute=four)).status == 200
    async with at_work(modern, at_most=5) as agent:
        await agent.refused("resume_endpoint", "QUOTA_EXCEEDED", endpoint_name="chat")
        found = await agent.call("diagnose_endpoint", endpoint_name="chat")
        assert found["cause"] == "quota_exceeded"
        (fix,) = [call for call in found["next"] if call["tool"] == "update_endpoint"]
        await agent.follow(fix)
        resumed = await agent.call("resume_endpoint", endpoint_name="chat")
        await finish_starts(driver)
        assert (await agent.follow(resumed["next"][0]))["reached"] is True
    document = await driver.get("chat")
    assert document["status"]["state"] == "running"
    assert document["compute"]["instanceType"] != "nvidia-l4"
    assert [await driver.state(f"other-{number}") for number in range(4)] == ["running"] * 4, "nobody else was touched"


async def test_copy_an_endpoint_under_another_name(driver: Driver, modern: Host) -> None:
    """Make me a second `prod`, named `staging`, with exactly its settings."""
    scaling = {"minReplica": 0, "maxReplica": 2, "scaleToZeroTimeout": 42}
    await driver.create("prod", compute=L4 | {"scaling": scaling}, model={"image": VLLM, "env": {"MODE": "fast"}})
    async with at_work(modern, at_most=2) as agent:
        prod = await agent.call("get_endpoint", endpoint_name="prod", response_format="detailed")
        given = {key: prod[key] for key in ("repository", "hardware", "config")}
        await agent.call("create_endpoint", endpoint_name="staging", **given)
    assert configuration(await driver.get("staging")) == configuration(await driver.get("prod"))


async def test_creating_the_same_twice_by_mistake_leaves_one(driver: Driver, modern: Host) -> None:
    """Deploy tiny/echo as `echo`. (The agent loses its memory on the way, and begins again.)"""
    # On hardware that starts by the plane's clock: a worker of this machine may run before the second request.
    wish = {"endpoint_name": "echo", "repository": "tiny/echo", "hardware": "aws-us-east-1-nvidia-l4-x1"}
    async with at_work(modern, at_most=3) as agent:
        first = await agent.call("create_endpoint", **wish)
        again = await agent.call("create_endpoint", **wish)
        assert (first["changed"], again["changed"]) == (True, False)
        await finish_starts(driver)
        assert (await agent.follow(again["next"][0]))["reached"] is True
    items = (await driver.call("GET", "/v2/endpoint/acme")).body["items"]
    assert [document["name"] for document in items] == ["echo"]
    audited = (await driver.call("GET", "/v2/audit-logs/acme")).body["list"]
    assert len(audited) == 1, "the repeated call changed nothing"


async def test_call_an_endpoint_at_zero(driver: Driver, modern: Host) -> None:
    """Send `tiny` the word `hello`; it may be asleep."""
    await driver.create_local("tiny")
    await driver.reach("tiny", "running")
    await driver.put_to_sleep("tiny")
    async with at_work(modern, at_most=1) as agent:
        answered = await agent.call("call_endpoint", endpoint_name="tiny", text="hello")
    assert answered["woke"] is True
    assert "hello" in answered["output"]
    assert await driver.state("tiny") == "running"


async def test_pause_unused_endpoints_in_two_namespaces(organizations: Host, upstream: Upstream) -> None:
    """I am in two organizations. Pause whatever nobody has called for a week in either of them."""
    async with at_work(organizations, at_most=1 + 2) as agent:
        for saving in (await agent.call("get_costs"))["savings"]:
            await agent.follow(saving["call"])
    changes = [seen.path for seen in upstream.seen if seen.method != "GET" and not seen.path.endswith("/metrics")]
    assert sorted(changes) == ["/v2/endpoint/acme/chat/pause", "/v2/endpoint/lab/chat/pause"]


async def test_bring_a_fleet_under_a_budget_by_pausing_the_most_expensive(driver: Driver, modern: Host) -> None:
    """We may spend $2 an hour. Pause the dearest until we do; leave `prod` alone."""
    for name, replicas in (("prod", 2), ("large", 3), ("middle", 2), ("small", 1)):
        await driver.create(name, compute=L4 | {"scaling": {"minReplica": replicas, "maxReplica": replicas}})
    await finish_starts(driver)
    async with at_work(modern, at_most=1 + 3) as agent:
        costs = await agent.call("get_costs")
        total = costs["cost_now_per_hour_usd"]
        for row in costs["endpoints"]:
            if total > 2 and row["endpoint_name"] != "prod":
                named = {key: row[key] for key in ("endpoint_name", "namespace")}
                paused = await agent.call("pause_endpoint", **named)
                total -= row["cost_now_per_hour_usd"] - paused["cost_now_per_hour_usd"]
    assert total <= 2
    states = {name: await driver.state(name) for name in ("prod", "large", "middle", "small")}
    assert states == {"prod": "running", "large": "paused", "middle": "paused", "small": "paused"}


async def test_try_an_image_and_restore_the_old_one_when_the_update_fails(driver: Driver, modern: Host) -> None:
    """Try registry.example/next:9 on `chat`, with SIMULATED_FAULT=image_pull_failure. If it does not come up, put back
    what was there."""
    await driver.create("chat", compute=L4, model={"image": VLLM})
    await finish_starts(driver)
    before = await driver.get("chat")
    async with at_work(modern, at_most=4) as agent:
        image = {"custom": {"url": "registry.example/next:9"}}
        env = {"SIMULATED_FAULT": "image_pull_failure"}
        tried = await agent.call("update_endpoint", endpoint_name="chat", env=env, config={"model": {"image": image}})
        await finish_all_attempts(driver)
        assert await driver.state("chat") == "updateFailed"
        wait = tried["next"][0]
        assert "its last update failed" in await agent.refused(wait["tool"], "FAILED", **wait["arguments"])
        old = {change["setting"]: change["before"] for change in tried["plan"]["changes"]}
        config = {"model": {"image": old["model.image"]}}
        back = await agent.call("update_endpoint", endpoint_name="chat", env={"SIMULATED_FAULT": ""}, config=config)
        await finish_starts(driver)
        assert (await agent.follow(back["next"][0], until="updated"))["reached"] is True
    after = await driver.get("chat")
    assert after["status"]["state"] == "running"
    assert after["model"]["image"] == before["model"]["image"]


async def test_pause_instead_where_deletion_is_not_approved(driver: Driver, host_of: HostOf) -> None:
    """Delete `chat`; should that not be allowed, at least stop paying for it."""
    await driver.create("chat")
    await finish_starts(driver)
    async with host_of(answer=lambda _: None) as host, at_work(host, at_most=2) as agent:
        assert "nothing was deleted" in await agent.refused("delete_endpoint", "REFUSED", endpoint_name="chat")
        paused = await agent.call("pause_endpoint", endpoint_name="chat")
    assert paused["cost_now_per_hour_usd"] == 0
    assert await driver.state("chat") == "paused"
