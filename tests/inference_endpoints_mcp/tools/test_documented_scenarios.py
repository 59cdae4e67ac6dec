"""The seven example prompts of the guide to Hugging Face's hosted MCP server, each done as an agent would do it.

From `guides/mcp_server` of the documentation of Inference Endpoints, August 2026. Arguments come from the prompt, the
published contract or an earlier answer; organizations are those of the test.
"""

from datetime import UTC, datetime, timedelta

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

pytestmark = pytest.mark.anyio


async def test_deploy_a_model_on_gpu_and_report_when_it_runs(driver: Driver, host_of: HostOf) -> None:
    """Deploy `meta-llama/Llama-3.2-1B-Instruct` on GPU under my org, with autoscaling between 0 and 3 replicas, and
    let me know once it's running."""
    async with host_of(**LENDS_A_TOKEN) as host, at_work(host, at_most=3) as agent:
        config = await agent.call(
            "get_recommended_config", repository="meta-llama/Llama-3.2-1B-Instruct", namespace="acme"
        )
        created = await agent.follow(config["next"][0], min_replica=0, max_replica=3)
        await finish_starts(driver)
        waited = await agent.follow(created["next"][0])
    assert waited["reached"] is True
    document = await driver.get(created["endpoint_name"])
    assert document["compute"]["accelerator"] == "gpu"
    assert document["compute"]["scaling"].items() >= {"minReplica": 0, "maxReplica": 3}.items()


async def test_find_whether_load_or_errors_make_it_slow(driver: Driver, modern: Host) -> None:
    """My `chatbot-prod` endpoint feels slow. Check its metrics and recent logs over the last 30 minutes and tell me
    whether it's a scaling issue or an error spike."""
    await driver.create("chatbot-prod", compute=L4, model={"env": {"SIMULATED_FAULT": "overload"}, "image": VLLM})
    await finish_all_attempts(driver)
    before = configuration(await driver.get("chatbot-prod"))
    chatbot = {"endpoint_name": "chatbot-prod"}
    async with at_work(modern, at_most=3) as agent:
        metrics = await agent.call("get_endpoint_metric", **chatbot, minutes=30)
        logs = await agent.call("get_endpoint_logs", **chatbot, since="30", level="warning")
        found = await agent.call("diagnose_endpoint", **chatbot)
    assert "response-status-code" not in {row["metric"] for row in metrics["metrics"]}, "no errors were answered"
    assert "Model is overloaded" in logs["lines"]
    assert found["cause"] == "overload"
    assert found["next"][0]["arguments"]["max_replica"] == 2
    assert configuration(await driver.get("chatbot-prod")) == before, "the prompt wants a reason, not a change"


async def test_compare_gpu_quotas_and_name_the_cheapest_place_with_room(organizations: Host) -> None:
    """Compare GPU quotas across my orgs and suggest the cheapest provider and region I still have quota for."""
    async with at_work(organizations, at_most=3) as agent:
        quotas = (await agent.call("get_quotas", namespace="*"))["quotas"]
        left = {row["namespace"]: row["left"] for row in quotas}
        offers = [
            (await agent.call("get_vendors", namespace=namespace, accelerator="gpu", limit=1))["hardware"]
            for namespace, free in left.items()
            if free
        ]
    assert left == {"acme": 0, "lab": 8}
    assert [(row["hardware"], row["quota_left"]) for (row,) in offers] == [("aws-us-east-1-nvidia-l4-x1", 8)]


async def test_show_how_an_endpoint_differs_from_what_is_recommended(driver: Driver, modern: Host) -> None:
    """Check if `Qwen/Qwen2.5-7B-Instruct` is in the catalog; if not, get a recommended config for it and show me the
    diff against my existing `qwen-endpoint`."""
    model = "Qwen/Qwen2.5-7B-Instruct"
    await driver.create("qwen-endpoint", compute=L4, model={"repository": model})
    before = configuration(await driver.get("qwen-endpoint"))
    async with at_work(modern, at_most=3) as agent:
        known = await agent.call("has_catalog_item", repository=model)
        config = (await agent.follow(known["next"][0]))["config"]
        compared = await agent.call("update_endpoint", endpoint_name="qwen-endpoint", config=config, dry_run=True)
    assert known["in_catalog"] is True
    assert {change["setting"] for change in compared["plan"]["changes"]} == {"model.task", "model.image"}
    assert configuration(await driver.get("qwen-endpoint")) == before


async def test_find_why_an_endpoint_failed(driver: Driver, modern: Host) -> None:
    """Why did my `my-endpoint` endpoint fail last night? Check its status, replicas, and logs around the time it went
    down."""
    await driver.create("my-endpoint", compute=L4, model={"env": {"SIMULATED_FAULT": "out_of_memory"}, "image": VLLM})
    await finish_all_attempts(driver)
    async with at_work(modern, at_most=3) as agent:
        facts = await agent.call("get_endpoint", endpoint_name="my-endpoint")
        found = await agent.follow(facts["next"][0])
    assert facts["state"] == "failed"
    assert found["cause"] == "out_of_accelerator_memory"
    assert "[logs] Simulated: CUDA out of memory" in found["quotes"]
    assert {"status and settings", "replicas", "logs"} <= set(found["sources_read"])
    assert await driver.state("my-endpoint") == "failed"


async def test_name_who_paused_an_endpoint_and_resume_it(driver: Driver, modern: Host) -> None:
    """Who paused the `summarizer-prod` endpoint, and when? Resume it if it's currently paused."""
    await driver.create("summarizer-prod")
    await driver.do("summarizer-prod", "pause")
    async with at_work(modern, at_most=3) as agent:
        newest = (await agent.call("get_audit_logs", endpoint_name="summarizer-prod"))["entries"][0]
        assert (newest["action"], newest["user"]) == ("paused", "acme")
        assert datetime.fromisoformat(newest["at"]) <= datetime.now(UTC)
        resumed = await agent.call("resume_endpoint", endpoint_name="summarizer-prod")
    assert resumed["changed"] is True
    await finish_all_attempts(driver)
    assert await driver.state("summarizer-prod") == "running"


async def test_delete_endpoints_at_zero_for_more_than_a_day_each_after_approval(
    driver: Driver, host_of: HostOf
) -> None:
    """List every endpoint across my namespaces that's been scaled to zero for more than a day, and delete the ones I no
    longer need. Ask me to confirm each one first."""
    for name, days in (("old", 3), ("wanted", 2)):
        await driver.create(name)
        await driver.put_to_sleep(name)
        age(driver, name, timedelta(days=days))
    await driver.create("fresh", compute={"scaling": {"minReplica": 0, "scaleToZeroTimeout": 15}})
    age(driver, "fresh", timedelta(days=5))
    await finish_all_attempts(driver)  # it falls asleep by itself, just now
    await driver.create("busy")

    def person(question: str) -> str | None:
        return "old" if "acme/old" in question else None

    deleted: list[str] = []
    kept: list[str] = []
    async with host_of(answer=person) as host, at_work(host, at_most=1 + 1 + 2) as agent:
        asleep = (await agent.call("list_endpoints", namespace="*", state="scaledToZero"))["endpoints"]
        since: dict[tuple[str, str], datetime] = {}
        for namespace in {row["namespace"] for row in asleep}:
            for entry in (await agent.call("get_audit_logs", namespace=namespace, limit=100))["entries"]:
                if entry["action"] == "scaledToZero":  # newest first
                    since.setdefault((namespace, entry["endpoint_name"]), datetime.fromisoformat(entry["at"]))
        for (namespace, name), at in since.items():
            if datetime.now(UTC) - at > timedelta(days=1):
                result = await agent.send("delete_endpoint", endpoint_name=name, namespace=namespace)
                (kept if result.is_error else deleted).append(name)
    assert {row["endpoint_name"] for row in asleep} == {"old", "wanted", "fresh"}
    assert (deleted, kept) == (["old"], ["wanted"])
    left = (await driver.call("GET", "/v2/endpoint/acme")).body["items"]
    assert {document["name"] for document in left} == {"wanted", "fresh", "busy"}
