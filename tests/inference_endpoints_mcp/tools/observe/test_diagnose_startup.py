"""Why an endpoint does not start: each cause is produced, and diagnosed."""

import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.host import Host
from tests.support.planes.diagnosis import (
    FOUR,
    GPU,
    LONG_S,
    VLLM,
    create_broken,
    diagnose,
    next_tools,
    tiny_or_real,
    wait_for_log,
)
from tests.support.planes.plane_driver import Driver, PlaneOf

from inference_endpoints_local.state.clock import ControllableClock
from inference_endpoints_mcp.privacy.lent_secrets import LentSecrets

pytestmark = pytest.mark.anyio


@pytest.fixture
async def driver(plane_of: PlaneOf, anyio_backend: str) -> AsyncIterator[Driver]:
    """The back-off of real processes is shortened; the clock of the simulation stands still."""
    async with plane_of(clock=ControllableClock(speed=100), cloud_quota=8, programs=tiny_or_real) as driver:
        yield driver


async def test_an_image_that_cannot_be_pulled(driver: Driver, host: Host) -> None:
    await create_broken(driver, "image_pull_failure", model={"image": {"tgi": {"url": "ghcr.io/x/tgi:9.9.9"}}})
    facts = await diagnose(host)
    assert (facts["state"], facts["cause"], facts["backend"]) == ("failed", "image_pull_failure", "simulated")
    assert facts["confidence"] >= 0.9
    assert 'Failed to pull image "ghcr.io/x/tgi:9.9.9": manifest unknown' in facts["quotes"]
    assert facts["evidence"] == ["The registry has no image of that name and tag."]
    fix = facts["next"][0]
    assert fix["arguments"]["config"] == {"model": {"image": {"tgi": {"url": "ghcr.io/x/tgi:latest"}}}}
    await host.call(fix["tool"], **fix["arguments"])


async def test_an_update_that_failed_can_be_put_back_where_its_own_remedy_would_cost_more(
    driver: Driver, host: Host
) -> None:
    await driver.create(compute=GPU, model={"repository": "Qwen/Qwen2.5-1.5B-Instruct", "image": VLLM})
    await driver.advance(850)
    await driver.call("PUT", "/v2/endpoint/acme/chat", {"model": {"repository": "Qwen/Qwen2.5-72B-Instruct"}})
    await driver.advance(LONG_S)
    facts = await diagnose(host)
    assert (facts["state"], facts["cause"]) == ("updateFailed", "out_of_accelerator_memory")
    assert "What its last update changed (repository) can be put back: that served before." in facts["now"]
    assert "it needs 161 GB, and with less it would fail alike" in facts["now"]
    back = facts["next"][0]
    assert back["arguments"]["repository"] == "Qwen/Qwen2.5-1.5B-Instruct"
    assert "update_endpoint" not in next_tools(facts)[1:], "nothing that cannot hold it"
    await host.call(back["tool"], **back["arguments"])
    await driver.advance(850)
    assert await driver.state("chat") == "running"


async def test_an_update_that_failed_can_be_put_back_also_beside_a_correction(driver: Driver, host: Host) -> None:
    await driver.create(compute=GPU, model={"image": VLLM, "env": {"MODE": "slow"}})
    await driver.advance(850)
    image = {"custom": {"url": "ghcr.io/x/engine:9", "port": 8000}}
    env = {"MODE": "fast", "SIMULATED_FAULT": "image_pull_failure"}
    await driver.call("PUT", "/v2/endpoint/acme/chat", {"model": {"image": image, "env": env}})
    await driver.advance(LONG_S)
    facts = await diagnose(host)
    assert (facts["state"], facts["cause"]) == ("updateFailed", "image_pull_failure")
    corrected, back = (call["arguments"] for call in facts["next"])
    assert corrected["config"]["model"]["image"] == {"custom": image["custom"] | {"url": "ghcr.io/x/engine:latest"}}
    assert back["config"]["model"]["image"] == VLLM
    assert back["env"] == {"MODE": "slow"}
    assert "A variable that it added stays." in facts["now"]


async def test_secrets_and_what_was_unset_are_not_put_back(driver: Driver, host: Host) -> None:
    for change in ({"secrets": {"KEY": "k"}}, {"args": ["--x"]}):
        await driver.create(compute=GPU, model={"image": VLLM})
        await driver.advance(850)
        broken = {"env": {"SIMULATED_FAULT": "crash_on_start"}}
        await driver.call("PUT", "/v2/endpoint/acme/chat", {"model": change | broken})
        await driver.advance(LONG_S)
        facts = await diagnose(host)
        assert facts["state"] == "updateFailed"
        assert "put back" not in facts["now"]
        await driver.call("DELETE", "/v2/endpoint/acme/chat")
        await driver.advance(850)


async def test_a_gated_model(driver: Driver, host: Host) -> None:
    await create_broken(driver, "", compute=GPU, model={"repository": "meta-llama/Llama-3.1-8B-Instruct"})
    facts = await diagnose(host)
    assert facts["cause"] == "gated_model"
    assert facts["evidence"][0] == "The endpoint has no secret named HF_TOKEN."
    assert "you are not in the authorized list" in facts["quotes"]
    assert "A person must accept the terms at https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct." in facts["now"]
    assert "--lend HF_TOKEN" in facts["now"]
    assert facts["next"] == [], "no call that spends helps before that"


async def test_a_gated_model_gets_the_token_the_operator_lends(driver: Driver, host_of: HostOf) -> None:
    await create_broken(driver, "gated_model")
    async with host_of(answer=lambda _: True, lent=LentSecrets({"HF_TOKEN": "hf_" + "y" * 30})) as host:
        fix = (await diagnose(host))["next"][0]
        assert fix["arguments"]["secret_names"] == ["HF_TOKEN"]
        await host.call(fix["tool"], **fix["arguments"])
    assert list((await driver.get("chat"))["model"]["secrets"]) == ["HF_TOKEN"]


async def test_a_gated_model_that_the_token_may_not_read(driver: Driver, modern: Host) -> None:
    await create_broken(driver, "gated_model", model={"secrets": {"HF_TOKEN": "hf_" + "x" * 30}})
    facts = await diagnose(modern)
    assert "that token's account has no access" in facts["evidence"][0]
    assert facts["next"] == []


async def test_a_model_that_does_not_exist(driver: Driver, host: Host) -> None:
    await create_broken(driver, "missing_model", model={"repository": "org/mimilm"})
    facts = await diagnose(host)
    assert facts["cause"] == "missing_model"
    assert (
        "[logs] Simulated: OSError: org/mimilm is not a local folder and is not a valid model identifier"
        in facts["quotes"]
    )
    assert facts["next"] == [{"tool": "list_catalog_items", "arguments": {"search": "mimilm"}}]


async def test_a_revision_that_does_not_exist(driver: Driver, modern: Host) -> None:
    await create_broken(driver, "missing_revision", model={"revision": "v7"})
    facts = await diagnose(modern)
    assert facts["cause"] == "missing_model"
    assert facts["next"][0]["arguments"]["revision"] == "main"


async def test_a_model_that_does_not_fit_into_the_accelerator(driver: Driver, host: Host) -> None:
    await create_broken(driver, "out_of_memory", compute=GPU, model={"image": {"tei": {"url": "tei:1"}}})
    facts = await diagnose(host)
    assert facts["cause"] == "out_of_accelerator_memory"
    assert facts["confidence"] >= 0.9
    assert "CUDA out of memory" in facts["quotes"]
    assert "24 GB in all" in facts["evidence"][0]
    fix = facts["next"][0]
    assert fix["arguments"]["hardware"] == "aws-us-east-1-nvidia-l40s-x1", "the cheapest with more on each accelerator"
    assert next_tools(facts) == ["update_endpoint"]
    assert (await host.call(fix["tool"], **fix["arguments"], dry_run=True))["plan"]["changes"]


LLAMA = {
    "repository": "meta-llama/Llama-3.1-8B-Instruct",
    "task": "text-generation",
    "image": VLLM,
    "secrets": {"HF_TOKEN": "hf_" + "x" * 30},
}


async def test_a_context_that_does_not_fit_is_computed_and_set_to_what_fits(driver: Driver, host_of: HostOf) -> None:
    await create_broken(driver, "", compute=GPU, model=LLAMA)
    async with host_of(answer=lambda _: True) as host:
        facts = await diagnose(host)
        assert facts["cause"] == "out_of_accelerator_memory"
        assert "16.00 GiB KV cache is needed" in facts["quotes"]
        assert (
            "It needs 38 GB (16.1 GB of weights, 17.2 GB of KV cache for 1 request of 131,072" in facts["evidence"][1]
        )
        assert facts["evidence"][1].endswith("aws-us-east-1-nvidia-l4-x1 has 24 GB.")
        assert "aws-us-east-1-nvidia-l40s-x1 (48 GB, $1.8/h)" in facts["now"]
        fix = facts["next"][0]
        assert fix["arguments"]["config"]["model"]["args"] == ["--max-model-len", "33792"]
        await host.call(fix["tool"], **fix["arguments"])
        await driver.advance(LONG_S)
        assert await driver.state("chat") == "running", "what is proposed helps"


async def test_weights_that_do_not_fit_lead_to_the_cheapest_hardware_that_holds_them(
    driver: Driver, modern: Host
) -> None:
    small = {**GPU, "instanceType": "nvidia-t4"}
    await create_broken(driver, "", compute=small, model=LLAMA | {"args": ["--max-model-len", "8192"]})
    facts = await diagnose(modern)
    assert "CUDA out of memory" in facts["quotes"]
    assert "It needs 20.1 GB" in facts["evidence"][1]
    assert facts["next"][0]["arguments"]["hardware"] == "aws-us-east-1-nvidia-l4-x1"
    there = "aws-us-east-1-nvidia-l4-x1 (24 GB, $0.8/h for each replica, now $0.5/h)"
    assert f"Move it to {there}, the cheapest that holds it." in facts["now"], "the price before and after"


async def test_a_remedy_that_did_not_help_is_not_proposed_again(driver: Driver, modern: Host) -> None:
    await create_broken(driver, "out_of_memory", compute=GPU, model={"image": {"tei": {"url": "tei:1"}}})
    first = await diagnose(modern)
    fix = first["next"][0]
    await modern.call(fix["tool"], **fix["arguments"])
    for _ in range(4):
        await driver.advance(LONG_S)
    again = await diagnose(modern)
    assert again["cause"] == "out_of_accelerator_memory"
    assert again["confidence"] < first["confidence"]
    tried = next(one for one in again["evidence"] if "did not help" in one)
    assert tried.startswith("Its last change (updated instance.")
    assert "update_endpoint" not in next_tools(again)
    assert "look for another reason" in again["now"]


async def test_an_engine_that_shards_by_itself_may_get_more_accelerators(driver: Driver, modern: Host) -> None:
    await create_broken(driver, "out_of_memory", compute={**GPU, "instanceType": "nvidia-l40s"}, model={"image": TGI})
    facts = await diagnose(modern)
    assert facts["cause"] == "out_of_accelerator_memory"
    assert facts["next"][0]["arguments"]["hardware"] == "aws-us-east-1-nvidia-a100-x1"


TGI = {"tgi": {"url": "ghcr.io/huggingface/text-generation-inference:3.1.1"}}


async def test_a_container_that_takes_too_much_main_memory(driver: Driver, host: Host) -> None:
    await create_broken(driver, "out_of_host_memory")
    facts = await diagnose(host)
    assert facts["cause"] == "out_of_host_memory"
    assert "OOMKilled: exit code 137" in facts["quotes"]
    assert facts["next"][0]["arguments"]["hardware"] == "aws-us-east-1-intel-spr-x2"


async def test_a_port_nobody_listens_on(driver: Driver, host: Host) -> None:
    await create_broken(driver, "", compute=GPU, model={"image": {"custom": {"url": "vllm/vllm-openai:v0.11.0"}}})
    facts = await diagnose(host)
    assert facts["cause"] == "wrong_port_or_health_route"
    assert "The container listens on port 8000; the endpoint is set to port 80." in facts["evidence"]
    assert "connect: connection refused" in facts["quotes"]
    fix = facts["next"][0]
    assert fix["arguments"]["config"]["model"]["image"] == VLLM
    await host.call(fix["tool"], **fix["arguments"])
    await driver.advance(LONG_S)
    assert await driver.state("chat") == "running", "what is proposed helps"


async def test_a_health_route_that_a_real_worker_does_not_have(driver: Driver, host: Host) -> None:
    image = {"custom": {"url": "registry/x", "healthRoute": "/up"}}
    await driver.create_local(model={"env": {"TINY_HEALTH": "404"}, "image": image})
    await wait_for_log(driver, "Readiness probe failed")
    facts = await diagnose(host, "tiny")
    assert (facts["state"], facts["backend"]) == ("initializing", "local")
    assert facts["cause"] == "wrong_port_or_health_route"
    assert "Readiness probe failed: HTTP probe failed with statuscode: 404" in facts["quotes"]
    assert "health route: /up" in facts["quotes"]
    assert facts["next"][0]["arguments"]["config"]["model"]["image"]["custom"]["healthRoute"] == "/health"


async def test_a_running_worker_whose_health_route_stops_answering(driver: Driver, host: Host, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    await driver.create_local(model={"env": {"TINY_LOADS_UNTIL": str(gate)}})
    await driver.reach("tiny", "running")
    assert (await diagnose(host, "tiny"))["cause"] == "healthy"
    gate.unlink()
    facts = await diagnose(host, "tiny")
    assert (facts["cause"], facts["state"]) == ("wrong_port_or_health_route", "running")
    assert "its health route answers 503" in facts["evidence"][0]


async def test_a_real_worker_that_crashes_each_time_it_starts(driver: Driver, host: Host) -> None:
    await driver.create_local(model={"env": {"TINY_FAILS": "ValueError: the model is odd"}})
    await driver.reach("tiny", "failed")
    facts = await diagnose(host, "tiny")
    assert facts["cause"] == "crash_loop"
    assert "ValueError: the model is odd" in facts["quotes"]
    assert "[status] The worker exited with code 1." in facts["quotes"]
    assert "3 replica(s) ended since the last change." in facts["evidence"]
    assert "Exit codes: 3 x 1." in facts["evidence"]
    assert next_tools(facts) == ["get_endpoint_logs"], "starting it again would fail again"


async def test_a_gguf_file_that_no_engine_can_load(driver: Driver, modern: Host, tmp_path: Path) -> None:
    file = tmp_path / "broken.gguf"
    one_tensor = struct.pack("<QcIQIQ", 1, b"t", 1, 8, 0, 0)
    file.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + one_tensor + bytes(128))
    assert (await driver.create_local(model={"repository": str(file)})).status == 200
    await driver.reach("tiny", "failed")
    facts = await diagnose(modern, "tiny")
    assert facts["cause"] == "crash_loop"
    # Not the worker's own last line: llama.cpp logs from a thread of its own, so the two are in any order.
    assert "failed to load model" in facts["quotes"]


async def test_a_simulated_crash_on_start(driver: Driver, modern: Host) -> None:
    await create_broken(driver, "crash_on_start")
    facts = await diagnose(modern)
    assert facts["cause"] == "crash_loop"
    assert "weights are not in a known format" in facts["quotes"]


async def test_failures_before_the_last_change_are_ignored(driver: Driver, modern: Host) -> None:
    await create_broken(driver, "out_of_memory", compute=GPU)
    await driver.call("PUT", "/v2/endpoint/acme/chat", {"model": {"env": {"SIMULATED_FAULT": None}}})
    assert (await diagnose(modern))["cause"] == "slow_start"
    await driver.advance(LONG_S)
    facts = await diagnose(modern)
    assert facts["cause"] == "healthy"
    assert facts["other_causes"] == []


async def test_several_accelerators_of_which_the_engine_uses_one(driver: Driver, host: Host) -> None:
    await create_broken(
        driver, "out_of_memory", compute=FOUR, model={"image": VLLM, "args": ["--max-model-len", "8192"]}
    )
    facts = await diagnose(host)
    assert facts["cause"] == "missing_parallelism"
    assert "A replica has 4 accelerator(s); the engine's settings use 1." in facts["evidence"]
    assert facts["other_causes"][0]["cause"] == "out_of_accelerator_memory"
    fix = facts["next"][0]
    args = ["--max-model-len", "8192", "--tensor-parallel-size", "4"]
    assert fix["arguments"]["config"] == {"model": {"args": args}}
    await host.call(fix["tool"], **fix["arguments"])
    await driver.advance(1)
    assert (await driver.get("chat"))["model"]["args"] == args


async def test_unused_accelerators_are_named_even_while_it_runs(driver: Driver, modern: Host) -> None:
    await driver.create(compute=FOUR, model={"image": TGI, "env": {"NUM_SHARD": "2"}})
    await driver.advance(LONG_S)
    facts = await diagnose(modern)
    assert (facts["state"], facts["cause"]) == ("running", "missing_parallelism")
    assert facts["next"][0]["arguments"]["env"] == {"NUM_SHARD": "4", "SHARDED": "true"}


async def test_an_engine_that_uses_all_accelerators_by_itself_needs_no_change(driver: Driver, modern: Host) -> None:
    await driver.create(compute=FOUR, model={"image": TGI})
    await driver.advance(LONG_S)
    assert (await diagnose(modern))["cause"] == "healthy"


async def test_a_machine_without_a_free_core(driver: Driver, host: Host) -> None:
    await driver.create_local()
    await driver.reach("tiny", "running")
    await driver.put_to_sleep("tiny")
    assert (await driver.create_local("first", compute={"instanceSize": "x2"})).status == 200
    await driver.reach("first", "running")
    assert (await driver.call("POST", await driver.path_of("tiny"))).status == 503
    facts = await diagnose(host, "tiny")
    assert (facts["state"], facts["cause"]) == ("initializing", "no_capacity")
    assert "no core is free" in facts["quotes"]
    assert facts["next"][0] == {"tool": "list_endpoints", "arguments": {"namespace": "acme", "state": "running"}}


async def test_a_cloud_whose_hardware_others_have(driver: Driver, host: Host) -> None:
    scarce = {"hardware": "aws-us-east-1-nvidia-l4-x1", "replicas": 1}
    assert (await driver.call("POST", "/local/capacity", scarce)).status == 200
    for name in ("other", "chat"):
        await driver.create(name, compute=GPU, model={"repository": "Qwen/Qwen2.5-1.5B-Instruct"})
    await driver.advance(850)
    facts = await diagnose(host)
    assert (facts["state"], facts["cause"], facts["confidence"]) == ("pending", "no_capacity", 0.9)
    assert "The hardware listing marks its hardware as low_availability." in facts["evidence"]
    assert "no aws-us-east-1-nvidia-l4-x1 is free" in facts["quotes"]
    assert "Move it to aws-us-east-1-nvidia-t4-x1 (14 GB, $0.5/h for each replica, now $0.8/h)" in facts["now"]
    (move,) = facts["next"]
    moved = await host.call(move["tool"], **move["arguments"])
    await driver.advance(850)
    assert (await host.call("wait_for_endpoint", **moved["next"][0]["arguments"]))["reached"] is True


async def test_a_cloud_without_capacity(driver: Driver, host: Host) -> None:
    await create_broken(driver, "no_capacity", compute=GPU)
    facts = await diagnose(host)
    assert (facts["state"], facts["cause"]) == ("pending", "no_capacity")
    assert "0/4 nodes are available: 4 Insufficient nvidia.com/gpu." in facts["quotes"]
    assert facts["next"][0]["tool"] == "update_endpoint"
    assert facts["next"][0]["arguments"]["hardware"].startswith("aws-us-east-1-nvidia-")
