"""Twelve everyday jobs as an agent does them: in how few calls, and with the right state of the world afterwards.

Another command line finished seven of them in 91 calls. Each is given as a person asks for it.
"""

from collections.abc import AsyncIterator

import pytest
from mcp.types import ElicitResult
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.budgeted_agent import at_work
from tests.support.hosts.host import Host
from tests.support.planes.plane_driver import CAN_SLEEP, Driver, PlaneOf
from tests.support.planes.scenarios import HOUR, L4, LENDS_A_TOKEN, configuration, finish_all_attempts, finish_starts

pytestmark = pytest.mark.anyio

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
TOKEN = {"HF_TOKEN": "hf_" + "x" * 30}
CHAT = {"endpoint_name": "chat"}


@pytest.fixture
async def driver(plane_of: PlaneOf, anyio_backend: str) -> AsyncIterator[Driver]:
    async with plane_of(cloud_quota=1_000) as driver:
        yield driver


async def names(driver: Driver) -> set[str]:
    found: set[str] = set()
    cursor = ""
    while True:
        page = (await driver.call("GET", f"/v2/endpoint/acme?limit=100{cursor}")).body
        found |= {document["name"] for document in page["items"]}
        if not page.get("nextCursor"):
            return found
        cursor = f"&cursor={page['nextCursor']}"


async def test_what_do_all_cost_and_what_saves_most(driver: Driver, modern: Host) -> None:
    """What do our endpoints cost in all, and what is the best saving?"""
    for name, minutes in (("a", 15), ("b", 600)):
        scaling = {"scaling": {"minReplica": 0, "maxReplica": 1, "scaleToZeroTimeout": minutes}}
        await driver.create(name, compute=L4 | scaling)
    await driver.advance(850)
    async with at_work(modern, at_most=1) as agent:
        costs = await agent.call("get_costs")
    assert (costs["cost_now_per_hour_usd"], costs["savings"][0]["endpoint_name"]) == (1.6, "b")


async def test_why_does_a_gated_model_fail(driver: Driver, modern: Host) -> None:
    """Why does `chat` not start?"""
    await driver.create("chat", compute=L4, model={"repository": LLAMA})
    await finish_all_attempts(driver)
    before = await driver.get("chat")
    async with at_work(modern, at_most=1) as agent:
        found = await agent.call("diagnose_endpoint", **CHAT)
    assert (found["cause"], found["next"]) == ("gated_model", [])
    assert f"https://huggingface.co/{LLAMA}" in found["now"]
    assert await driver.get("chat") == before


async def test_mend_a_model_that_is_too_large_for_its_hardware(driver: Driver, host_of: HostOf) -> None:
    """Get `chat` to run under its name, on the cheapest hardware that holds it."""
    small = L4 | {"instanceType": "nvidia-t4"}
    model = {"repository": LLAMA, "task": "text-generation", "image": {"vLLM": {"url": "vllm/vllm-openai:v0.23.0"}}}
    await driver.create("chat", compute=small, model=model | {"args": ["--max-model-len", "8192"], "secrets": TOKEN})
    await finish_all_attempts(driver)
    async with host_of(**LENDS_A_TOKEN) as host, at_work(host, at_most=3) as agent:
        found = await agent.call("diagnose_endpoint", **CHAT)
        moved = await agent.follow(found["next"][0])
        await finish_starts(driver)
        assert (await agent.follow(moved["next"][0]))["reached"] is True
    assert (await driver.get("chat"))["compute"]["instanceType"] == "nvidia-l4"


async def test_mend_a_wrong_port(driver: Driver, modern: Host) -> None:
    """`chat` never becomes ready. Mend it."""
    image = {"custom": {"url": "vllm/vllm-openai:v0.23.0", "port": 80}}
    await driver.create("chat", compute=L4, model={"image": image, "framework": "custom"})
    await finish_all_attempts(driver)
    async with at_work(modern, at_most=3) as agent:
        mended = await agent.follow((await agent.call("diagnose_endpoint", **CHAT))["next"][0])
        await finish_starts(driver)
        assert (await agent.follow(mended["next"][0]))["reached"] is True
    assert (await driver.get("chat"))["model"]["image"]["custom"]["port"] == 8000


async def test_deploy_always_on_at_the_best_price(driver: Driver, modern: Host) -> None:
    """Deploy Qwen2.5-7B-Instruct so that it never sleeps, as cheaply as possible."""
    async with at_work(modern, at_most=2) as agent:
        created = await agent.call(
            "create_endpoint", endpoint_name="qwen", repository="Qwen/Qwen2.5-7B-Instruct", min_replica=1
        )
        await finish_starts(driver)
        assert (await agent.follow(created["next"][0]))["reached"] is True
    document = await driver.get("qwen")
    assert document["compute"]["scaling"]["minReplica"] == 1
    assert created["plan"]["per_hour_after_usd"] == created["plan"]["per_hour_at_most_usd"] <= 0.8


async def test_delete_a_filtered_set_and_nothing_else(driver: Driver, host_of: HostOf) -> None:
    """Delete the paused experiments."""
    for name in ("exp-1", "exp-2", "exp-3", "exp-live", "prod"):
        await driver.create(name, tags=["experiment"] if name != "prod" else [])
        if name != "exp-live":
            await driver.do(name, "pause")

    def typed(question: str) -> ElicitResult:
        assert "- exp-1: paused" in question
        return ElicitResult(action="accept", content={"count": 3, "pattern": "state=paused tag=experiment"})

    async with host_of(answer=typed) as host, at_work(host, at_most=1) as agent:
        await agent.call("delete_endpoint", where="state=paused tag=experiment")
    assert await names(driver) == {"exp-live", "prod"}


async def test_resume_with_other_limits(driver: Driver, modern: Host) -> None:
    """Start `chat` again, with one to four replicas."""
    await driver.create("chat", compute=L4)
    await driver.do("chat", "pause")
    async with at_work(modern, at_most=3) as agent:
        await agent.call("update_endpoint", **CHAT, min_replica=1, max_replica=4)
        resumed = await agent.call("resume_endpoint", **CHAT)
        await finish_starts(driver)
        assert (await agent.follow(resumed["next"][0]))["reached"] is True
    scaling = (await driver.get("chat"))["compute"]["scaling"]
    assert (scaling["minReplica"], scaling["maxReplica"]) == (1, 4)


async def test_try_a_local_model_and_delete_it(driver: Driver, host_of: HostOf) -> None:
    """Try tiny/echo on this machine with `hello`, and clean up."""
    async with host_of(answer=lambda _: "echo") as host, at_work(host, at_most=4) as agent:
        created = await agent.call("create_endpoint", endpoint_name="echo", repository="tiny/echo")
        assert created["backend"] == "local"
        await agent.follow(created["next"][0])
        answer = await agent.call("call_endpoint", endpoint_name="echo", text="hello")
        assert "hello" in str(answer)
        await agent.call("delete_endpoint", endpoint_name="echo")
    assert await names(driver) == set()


async def test_the_price_of_a_sleeper_without_waking_it(driver: Driver, modern: Host) -> None:
    """What would `chat` cost if I called it?"""
    await driver.create("chat", compute=L4 | CAN_SLEEP)
    await driver.advance(850)
    await driver.put_to_sleep("chat")
    async with at_work(modern, at_most=1) as agent:
        chat = await agent.call("get_endpoint", **CHAT)
    assert (chat["price_per_hour_usd"], chat["cost_now_per_hour_usd"]) == (0.8, 0)
    assert await driver.state("chat") == "scaledToZero"


async def test_who_did_what_and_when(driver: Driver, modern: Host) -> None:
    """Who paused `chat`, and what was changed before?"""
    await driver.create("chat")
    await driver.call("PUT", "/v2/endpoint/acme/chat", {"compute": {"scaling": {"maxReplica": 3}}})
    await driver.do("chat", "pause")
    async with at_work(modern, at_most=1) as agent:
        audited = await agent.call("get_audit_logs", **CHAT)
    assert [row["action"] for row in audited["entries"]] == ["paused", "updated", "created"]
    assert audited["entries"][0]["user"] == "acme"
    assert audited["entries"][1]["changes"] == ["replica.maxReplica"]


async def test_the_traffic_of_the_last_hour(driver: Driver, modern: Host) -> None:
    """How many calls did `tiny` get in the last hour?"""
    await driver.create_local("tiny")
    await driver.reach("tiny", "running")
    for _ in range(3):
        await driver.call_endpoint("/", {"inputs": "a"})
    async with at_work(modern, at_most=1) as agent:
        metrics = await agent.call("get_endpoint_metric", endpoint_name="tiny", metric="response-status-code")
    assert any("200" in str(row) and "3" in str(row) for row in metrics["metrics"])


async def test_change_replicas_and_a_variable_and_nothing_else(driver: Driver, modern: Host) -> None:
    """Give `chat` up to three replicas and LOG_LEVEL=debug; leave the rest alone."""
    await driver.create("chat", compute=L4, model={"env": {"A": "1"}}, tags=["blue"])
    before = configuration(await driver.get("chat"))
    async with at_work(modern, at_most=1) as agent:
        await agent.call("update_endpoint", **CHAT, max_replica=3, env={"LOG_LEVEL": "debug"})
    await driver.advance(1)
    after = configuration(await driver.get("chat"))
    before["compute"]["scaling"]["maxReplica"] = 3
    before["model"]["env"]["LOG_LEVEL"] = "debug"
    assert after == before


async def test_stop_a_fleet_of_three_hundred(driver: Driver, modern: Host) -> None:
    """Pause all two hundred and forty CI endpoints, and nothing else."""
    for number in range(300):
        await driver.create(f"ci-{number:03d}" if number < 240 else f"prod-{number}")
    async with at_work(modern, at_most=1 + 3) as agent:
        assert "at most 100" in await agent.refused("pause_endpoint", "BAD_REQUEST", where="name=ci-*")
        for digit in range(3):
            facts = await agent.call("pause_endpoint", where=f"name=ci-{digit}*")
            assert [row["outcome"] for row in facts["endpoints"]] == ["changed"]
            assert len(str(facts)) < 4_000, "those alike are one row"
    listed = await modern.call("list_endpoints", state="paused", limit=1)
    assert listed["total"] == 240


async def test_a_region_that_does_not_exist_leads_to_one_that_does(driver: Driver, modern: Host) -> None:
    """Deploy org/model-1B on an L4 in eu-west-9."""
    wish = {"endpoint_name": "new", "repository": "org/model-1B"}
    async with at_work(modern, at_most=2) as agent:
        message = await agent.refused("create_endpoint", "BAD_REQUEST", **wish, hardware="aws-us-east-9-nvidia-l4-x1")
        nearest = message.partition("Nearest: ")[2].split(" ")[0]
        created = await agent.call("create_endpoint", **wish, hardware=nearest)
    assert created["hardware"] == nearest
    assert "nvidia-l4-x1" in nearest


async def test_clean_up_what_failed_and_wait_for_the_rest(driver: Driver, host_of: HostOf) -> None:
    """Delete what failed, start the rest again, and tell me when all of it runs."""
    for name in ("bad-1", "bad-2"):
        await driver.create(name, model={"env": {"SIMULATED_FAULT": "crash_on_start"}})
    for name in ("good-1", "good-2"):
        await driver.create(name, compute=L4)
        await driver.do(name, "pause")
    for _ in range(4):
        await driver.advance(HOUR)

    def typed(_: str) -> ElicitResult:
        return ElicitResult(action="accept", content={"count": 2, "pattern": "state=failed"})

    async with host_of(answer=typed) as host, at_work(host, at_most=3) as agent:
        await agent.call("delete_endpoint", where="state=failed")
        resumed = await agent.call("resume_endpoint", where="state=paused")
        await finish_starts(driver)
        waited = await agent.follow(resumed["next"][0])
    assert waited["reached"] is True
    assert await names(driver) == {"good-1", "good-2"}
    assert [await driver.state(name) for name in ("good-1", "good-2")] == ["running"] * 2
