"""A head and a node, on machines of their own: the whole life of an endpoint, and the loss of each part."""

import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from huggingface_hub.errors import HfHubHTTPError
from tests.cluster.machines import TwoMachines, two_machines, why_no_machines
from tests.cluster.plane import GERMAN, MODEL, ON_CLUSTER, REGION, WORKER, ClusterPlane, is_running, says_german
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.polling import eventually

from inference_endpoints_local.models import weights
from inference_endpoints_local.models.catalogue import resolve_model

REASON = why_no_machines()
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.timeout(2 * HANG_TIMEOUT_S),
    pytest.mark.skipif(bool(REASON), reason=REASON),
]
CHAT = "HuggingFaceTB/SmolLM2-135M-Instruct"

ON_ACCELERATORS: dict[str, Any] = {
    "name": "chat",
    "type": "authenticated",
    "provider": {"vendor": "local", "region": REGION},
    "compute": {
        "accelerator": "gpu",
        "instanceType": "a100",
        "instanceSize": "x1",
        "scaling": {"minReplica": 1, "maxReplica": 1},
    },
    "model": {
        "repository": "org/model",
        "framework": "custom",
        "task": "text-generation",
        "image": {"vLLM": {"url": "vllm/vllm-openai"}},
    },
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[TwoMachines]:
    resolve_model(MODEL).files(weights.default_cache_dir())  # the machines have no way out
    with two_machines() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def plane(cluster: TwoMachines) -> Iterator[ClusterPlane]:
    plane = ClusterPlane([f"--ray-address={cluster.address}", f"--ray-token-file={cluster.token_file}"])
    try:
        plane.start()
        yield plane
    finally:
        plane.clear()


@pytest.fixture(autouse=True)
async def nothing_left(plane: ClusterPlane, anyio_backend: str) -> AsyncIterator[None]:
    """Every test has both machines, and leaves no endpoint."""
    await plane.until_cpus(2)
    yield
    with plane.hub() as hub:
        for endpoint in hub.list_inference_endpoints():
            endpoint.delete()


async def test_huggingface_hub_deploys_scales_pauses_wakes_and_deletes(
    plane: ClusterPlane, cluster: TwoMachines
) -> None:
    with plane.hub() as hub:
        endpoint = hub.create_inference_endpoint("lang", min_replica=0, **ON_CLUSTER)
        assert endpoint.wait(timeout=200, refresh_every=1).status == "running"
        assert endpoint.client.text_classification(GERMAN)[0].label == "de"
        assert endpoint.scale_to_zero().status == "scaledToZero"
        assert says_german(await plane.call("lang"))
        assert endpoint.update(min_replica=2, max_replica=2).status in {"running", "updating"}
        await plane.until("lang", lambda status: status["readyReplica"] == 2)
        assert endpoint.pause().status == "paused"
        assert endpoint.resume().wait(timeout=200, refresh_every=1).status == "running"
        endpoint.delete()
    await eventually(lambda: not workers(cluster))


async def test_our_tools_deploy_wait_call_update_and_delete(plane: ClusterPlane, cluster: TwoMachines) -> None:
    where: dict[str, Any] = {"endpoint_name": "lang"}
    async with plane.host() as host:
        created = await host.call("create_endpoint", **where, repository=MODEL, min_replica=1)
        assert (created["hardware"], created["price_per_hour_usd"]) == (f"local-{REGION}-cpu-x1", 0.25)
        assert (await host.call("wait_for_endpoint", **where, timeout_s=200))["state"] == "running"
        assert "de" in str(await host.call("call_endpoint", **where, text=GERMAN))
        assert "ready in" in str(await host.call("get_endpoint_logs", **where))
        old = workers(cluster)
        await host.call("update_endpoint", **where, task="text-classification", config={"model": {"revision": "main"}})
        assert (await host.call("wait_for_endpoint", **where, timeout_s=200))["state"] == "running"
        await eventually(lambda: not set(old) & set(workers(cluster)))
        await host.call("delete_endpoint", **where)
    await eventually(lambda: not workers(cluster))


async def test_endpoints_are_on_both_machines_and_another_waits_with_the_reason(
    plane: ClusterPlane, cluster: TwoMachines
) -> None:
    big = ON_CLUSTER | {"repository": CHAT, "task": "text-generation"}
    resolve_model(CHAT).files(weights.default_cache_dir())
    with plane.hub() as hub:
        for name in ("one", "two"):
            hub.create_inference_endpoint(name, **big)
        for name in ("one", "two"):
            await plane.until(name, is_running)
        assert cluster.head.pids_of("llamacpp.chat")
        assert cluster.node.pids_of("llamacpp.chat")
        with pytest.raises(HfHubHTTPError, match="Quota exceeded"):
            hub.create_inference_endpoint("three", **big)
        cluster.node.lose_power()
        # Which of them was there, Ray chose.
        await plane.until_any(("one", "two"), lambda status: status["state"] in {"pending", "initializing"})
        cluster.start_node()
        for name in ("one", "two"):
            await plane.until(name, is_running)


async def test_a_plane_that_is_killed_finds_its_replicas_again(plane: ClusterPlane, cluster: TwoMachines) -> None:
    await deploy(plane)
    before = workers(cluster)
    plane.stop(signal.SIGKILL)
    plane.start()
    await plane.until("lang", is_running)
    assert says_german(await plane.call("lang"))
    assert workers(cluster) == before


async def test_vllm_gets_the_accelerators_of_the_node(plane: ClusterPlane, cluster: TwoMachines) -> None:
    await plane.deploy(ON_ACCELERATORS)
    await plane.until("chat", is_running)
    answer = await plane.call("chat", {"model": "org/model"}, "/v1/chat/completions")
    told = answer.body["told"]
    assert told["words"][:2] == ["serve", "org/model"]
    assert told["environment"]["CUDA_VISIBLE_DEVICES"] == "0"
    assert told["pid"] in cluster.node.pids()
    with plane.hub() as hub:
        hub.delete_inference_endpoint("chat")
    await eventually(lambda: told["pid"] not in cluster.node.pids())


async def test_a_cut_between_plane_and_cluster_ends_nothing_and_loses_no_change(
    plane: ClusterPlane, cluster: TwoMachines
) -> None:
    await deploy(plane)
    before = workers(cluster)
    with cluster.cut_off():
        await plane.until("lang", lambda status: "does not answer" in status["message"])
        refused = await plane.call("lang", waiting_s=0)
        assert (refused.status, int(refused.headers["retry-after"]) > 0) == (503, True)
        with plane.hub() as hub:
            hub.create_inference_endpoint("late", **ON_CLUSTER)
    await plane.until("lang", is_running)
    assert set(before) <= set(workers(cluster))
    await plane.until("late", is_running)


@pytest.mark.parametrize("victim", [WORKER, "ray::ServeReplica"])
async def test_a_process_of_a_replica_that_is_killed_comes_back(
    victim: str, plane: ClusterPlane, cluster: TwoMachines
) -> None:
    await deploy(plane)
    before = workers(cluster)
    for machine in (cluster.head, cluster.node):
        machine.kill(machine.pids_of(victim))
    await eventually(lambda: len(workers(cluster)) == 1 and workers(cluster) != before)
    await plane.until("lang", is_running)
    assert says_german(await plane.call("lang"))


async def test_an_endpoint_survives_the_loss_of_either_machine(plane: ClusterPlane, cluster: TwoMachines) -> None:
    await deploy(plane)
    cluster.node.lose_power()
    await plane.until_cpus(1)
    await plane.until("lang", is_running)
    assert says_german(await plane.call("lang"))
    cluster.start_node()
    await plane.until_cpus(2)


async def test_a_lost_head_is_told_of_and_a_new_one_gets_everything(plane: ClusterPlane, cluster: TwoMachines) -> None:
    await deploy(plane)
    for machine in (cluster.node, cluster.head):
        machine.lose_power()
    await plane.until("lang", lambda status: not is_running(status))
    with plane.hub() as hub:
        hub.create_inference_endpoint("late", **ON_CLUSTER)
    await plane.until("late", lambda status: "does not answer" in status["message"])
    cluster.start_head()
    cluster.start_node()
    await plane.until("lang", is_running)
    await plane.until("late", is_running)
    assert says_german(await plane.call("lang"))


async def deploy(plane: ClusterPlane) -> None:
    with plane.hub() as hub:
        hub.create_inference_endpoint("lang", **ON_CLUSTER)
    await plane.until("lang", is_running)


def workers(cluster: TwoMachines) -> list[int]:
    return [*cluster.head.pids_of(WORKER), *cluster.node.pids_of(WORKER)]
