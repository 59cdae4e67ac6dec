"""Endpoints on a cluster: real workers behind the program for nodes, and a stand-in for Ray itself.

`make test-cluster` does the same with Ray.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from tests.support.planes.plane_driver import CAN_SLEEP, Driver, PlaneOf
from tests.support.planes.ray_stand_in import RayStandIn, standing_in
from tests.support.polling import eventually, until_ended

from inference_endpoints_local.control.managed_endpoint import ManagedEndpoint
from inference_endpoints_local.daemon.cluster.cluster_engine import Cluster
from inference_endpoints_local.engines.ray import ray_engine
from inference_endpoints_local.engines.ray.cluster_hardware import ClusterPrices
from inference_endpoints_local.engines.ray.ray_engine import ClusterRefused

pytestmark = pytest.mark.anyio

ON_CLUSTER: dict[str, Any] = {"provider": {"region": "rack"}}
PRICES = ClusterPrices(region="rack", label="Third rack", cpu_per_hour=0.25)
OnCluster = Callable[..., AbstractAsyncContextManager[Driver]]


@pytest.fixture
async def ray(anyio_backend: str) -> AsyncIterator[RayStandIn]:
    async with standing_in() as cluster:
        yield cluster


@pytest.fixture
def plane_on(plane_of: PlaneOf) -> OnCluster:
    @asynccontextmanager
    async def serving(ray: RayStandIn, **choices: Any) -> AsyncIterator[Driver]:
        async with plane_of(cluster=Cluster(ray.address, PRICES, **choices)) as driver:
            await eventually(
                lambda: not driver.plane.lifecycle.instances.own.unavailable_reason, "the cluster is known"
            )
            yield driver

    return serving


@pytest.fixture
async def driver(ray: RayStandIn, plane_on: OnCluster) -> AsyncIterator[Driver]:
    async with plane_on(ray) as driver:
        yield driver


async def deploy(driver: Driver, name: str = "tiny", **changes: Any) -> dict[str, Any]:
    created = await driver.create_local(name, **ON_CLUSTER | changes)
    assert created.status == 200, created.body
    return await driver.reach(name, "running", "failed")


async def serves(driver: Driver, name: str = "tiny") -> None:
    """Its replica is ready. The endpoint's state is that of its last reconciliation, which may be older."""
    await driver.wait_until(driver.endpoint(name), lambda endpoint: bool(endpoint.ready))


async def lost(driver: Driver) -> None:
    await driver.wait_until(driver.endpoint("tiny"), lambda endpoint: not endpoint.ready)


async def pid_of(driver: Driver, name: str = "tiny") -> int:
    return int((await driver.call_endpoint(name=name)).body["pid"])


async def test_an_endpoint_runs_on_the_cluster_and_leaves_it_with_a_pause(driver: Driver, ray: RayStandIn) -> None:
    status = (await deploy(driver))["status"]
    assert (status["engine"], status["state"], status["readyReplica"]) == ("ray", "running", 1)
    answer = await driver.call_endpoint("/v1/echo?q=a%2Fb", {"inputs": "hi"})
    assert (answer.status, answer.body["path"], answer.body["body"]) == (200, "/v1/echo?q=a%2Fb", '{"inputs": "hi"}')
    assert (await driver.do("tiny", "pause")).body["status"]["state"] == "paused"
    await until_ended(answer.body["pid"])
    await driver.wait_until(driver.endpoint("tiny"), lambda endpoint: not endpoint.replicas)
    assert not ray.applications


async def test_the_hardware_is_what_the_cluster_has_with_the_operators_names_and_prices(
    driver: Driver, ray: RayStandIn
) -> None:
    ray.nodes = {"n1": 2.0, "n2": 4.0}
    await eventually(lambda: driver.plane.lifecycle.instances.own.quota("cpu") == 6)
    offered = (await driver.call("GET", "/v2/provider/acme")).body["vendors"][0]
    region = offered["regions"][0]
    assert (offered["name"], region["name"], region["label"]) == ("local", "rack", "Third rack")
    assert {each["instanceSize"]: each["pricePerHour"] for each in region["computes"]} == {
        "x1": 0.25,
        "x2": 0.5,
        "x4": 1.0,
    }
    await deploy(driver, compute={"instanceSize": "x2"})
    quotas = (await driver.call("GET", "/v2/provider/quotas/acme")).body["vendors"][0]["quotas"]
    assert [(each["usedAccelerators"], each["maxAccelerators"]) for each in quotas] == [(2, 6)]


async def test_without_room_an_endpoint_is_pending_with_the_reason_until_a_node_comes(
    driver: Driver, ray: RayStandIn
) -> None:
    ray.nodes |= {"n2": 1.0, "n3": 1.0}
    await eventually(lambda: driver.plane.lifecycle.instances.own.quota("cpu") == 4)
    await deploy(driver, "a", compute={"instanceSize": "x2"})
    await driver.create_local("b", **ON_CLUSTER, compute={"instanceSize": "x2"})
    waiting = (await driver.get("b"))["status"]
    assert (waiting["state"], waiting["message"]) == (
        "pending",
        "Endpoint waiting to be scheduled: no node of the cluster has 2 free CPUs (2 of 4 are free, on 3 nodes)",
    )
    ray.nodes["n4"] = 2.0
    await driver.reach("b", "running")


async def test_what_ray_stores_of_an_endpoint_has_no_secret(driver: Driver, ray: RayStandIn) -> None:
    await deploy(driver, model={"secrets": {"KEY": "a-secret-value"}})
    assert (await driver.call_endpoint()).body["environment"]["KEY"] == "a-secret-value"
    assert "a-secret-value" not in str(ray.puts)


async def test_callers_cannot_reach_what_the_plane_tells_a_replica(driver: Driver, ray: RayStandIn) -> None:
    await deploy(driver)
    assert (await driver.call("PUT", await driver.path_of("tiny") + "/.replica/order", {})).status in (404, 501)
    (name,) = ray.ours
    direct = Driver.__mro__[1](f"http://127.0.0.1:{ray.port}")
    assert (await direct.call("GET", f"/{name}/.replica/report")).status == 401
    assert (await direct.call("POST", f"/{name}/")).status == 401


async def test_applications_of_others_stay_as_they_are(driver: Driver, ray: RayStandIn) -> None:
    ray.deploy_other()
    await deploy(driver)
    assert set(ray.applications) == {"team-app", *ray.ours}
    await driver.call("DELETE", "/v2/endpoint/acme/tiny")
    await eventually(lambda: set(ray.applications) == {"team-app"})


async def test_a_replica_that_another_program_ended_comes_back_and_the_log_says_so(
    driver: Driver, ray: RayStandIn
) -> None:
    await deploy(driver)
    seen: list[str] = []

    def reason_was_shown(endpoint: ManagedEndpoint) -> bool:
        seen.append(endpoint.status.message)
        return any("Another program ended it" in message for message in seen)

    await ray.apply([])
    await driver.wait_until(driver.endpoint("tiny"), reason_was_shown)
    await driver.reach("tiny", "running")


async def test_a_worker_that_dies_is_replaced_and_its_last_words_are_kept(driver: Driver) -> None:
    await deploy(driver)
    await driver.call_endpoint("/die")
    await driver.wait_until(driver.endpoint("tiny"), lambda endpoint: bool(endpoint.ended))
    await driver.reach("tiny", "running")
    assert [ended.exit_code for ended in driver.endpoint("tiny").ended] == [3]
    lines = (await driver.call("GET", "/v2/endpoint/acme/tiny/logs")).body
    assert b"the tiny worker dies on request" in lines


async def test_a_model_that_cannot_start_fails_with_its_last_words(driver: Driver) -> None:
    failed = (await deploy(driver, model={"env": {"TINY_FAILS": "ERROR no such tensor"}}))["status"]
    assert failed["state"] == "failed"
    assert "no such tensor" in failed["errorMessage"]


async def test_a_node_without_our_program_is_named_as_the_cause(driver: Driver, ray: RayStandIn) -> None:
    ray.fails_with = "ModuleNotFoundError: No module named 'inference_endpoints_local'"
    failed = (await deploy(driver))["status"]
    assert failed["state"] == "failed"
    assert "with the extra ray-node" in failed["errorMessage"]
    assert "No module named" in failed["errorMessage"]


async def test_the_old_version_serves_until_the_new_one_does(driver: Driver) -> None:
    await deploy(driver, model={"env": {"VERSION": "1"}})
    old = await pid_of(driver)
    change = {"model": {"env": {"VERSION": "2"}}}
    assert (await driver.call("PUT", "/v2/endpoint/acme/tiny", change)).body["status"]["state"] == "updating"
    assert (await driver.call_endpoint()).body["environment"]["VERSION"] == "1"
    await driver.reach("tiny", "running")
    assert (await driver.call_endpoint()).body["environment"]["VERSION"] == "2"
    await until_ended(old)


async def test_a_call_wakes_an_endpoint_that_is_scaled_to_zero(driver: Driver, ray: RayStandIn) -> None:
    await deploy(driver, compute=CAN_SLEEP)
    assert (await driver.do("tiny", "scale-to-zero")).body["status"]["state"] == "scaledToZero"
    await eventually(lambda: not ray.ours)
    asleep = await driver.call_endpoint()
    assert (asleep.status, 0 < int(asleep.headers["retry-after"]) <= 60) == (503, True)
    assert (await driver.call_endpoint(x_scale_up_timeout="300")).status == 200


async def test_a_replica_that_ray_starts_again_gets_its_configuration_again(driver: Driver, ray: RayStandIn) -> None:
    await deploy(driver)
    before = await pid_of(driver)
    await ray.restart_replicas()
    await lost(driver)
    await serves(driver)
    assert await pid_of(driver) != before
    assert "Ray has started this replica again" in str((await driver.call("GET", "/v2/endpoint/acme/tiny/logs")).body)


async def test_a_call_that_rays_proxy_cannot_pass_on_is_told_when_to_try_again(driver: Driver, ray: RayStandIn) -> None:
    await deploy(driver)
    assert "x-inference-endpoints-replica" not in (await driver.call_endpoint()).headers
    for placed in ray.ours.values():
        assert placed.app is not None
        await placed.app.aclose()
        placed.app = None  # the proxy knows of no replica
    refused = await driver.call_endpoint()
    assert (refused.status, refused.body["error"]) == (503, "503 Service Unavailable")
    assert 0 < int(refused.headers["retry-after"]) <= 60


async def test_a_cluster_that_is_lost_gets_everything_again(driver: Driver, ray: RayStandIn) -> None:
    await deploy(driver)
    await ray.restart()
    await lost(driver)
    await serves(driver)
    assert (await driver.call_endpoint()).status == 200


async def test_while_the_cluster_does_not_answer_its_endpoints_do_not_serve_and_new_ones_wait(
    driver: Driver, ray: RayStandIn
) -> None:
    await deploy(driver)
    ray.answers = False
    await lost(driver)
    assert (await driver.call_endpoint()).status == 503
    await driver.create_local("late", **ON_CLUSTER)
    await driver.wait_until(
        driver.endpoint("late"), lambda endpoint: "answers GET with status 504" in endpoint.status.message
    )
    ray.answers = True
    await serves(driver)
    await serves(driver, "late")


async def test_a_head_that_has_no_node_yet_makes_no_request_wrong(driver: Driver, ray: RayStandIn) -> None:
    await deploy(driver)
    await driver.do("tiny", "pause")
    ray.nodes = {}
    hardware = driver.plane.lifecycle.instances.own
    await eventually(lambda: hardware.unavailable_reason)
    refused = await driver.do("tiny", "resume")
    assert (refused.status, "has no node yet" in str(refused.body)) == (503, True)
    ray.nodes = {"n1": 2.0}
    await eventually(lambda: not hardware.unavailable_reason)
    assert (await driver.do("tiny", "resume")).status == 200
    await serves(driver)


async def test_a_head_that_is_lost_for_good_is_told_of_and_another_cluster_gets_everything(
    plane_on: OnCluster, ray: RayStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "LOST_AFTER_S", 0.0)
    async with plane_on(ray) as driver:
        await deploy(driver)
        await deploy(driver, "second", model={"env": {"VERSION": "2"}})
        await driver.do("second", "pause")
        await driver.call_endpoint()
        ray.answers = False
        await driver.wait_until(
            driver.endpoint("tiny"), lambda endpoint: "--ray-address of another cluster" in endpoint.status.message
        )
    async with standing_in() as another, plane_on(another) as driver:
        await driver.reach("tiny", "running")
        assert (await driver.call_endpoint()).status == 200
        assert await driver.state("second") == "paused"
        await driver.do("second", "resume")
        await driver.reach("second", "running")
        assert (await driver.call_endpoint(name="second")).body["environment"]["VERSION"] == "2"
        assert len(another.ours) == 2


async def test_a_killed_planes_replicas_go_on_serving_for_the_next(plane_on: OnCluster, ray: RayStandIn) -> None:
    async with plane_on(ray) as driver:
        await deploy(driver)
        before = await pid_of(driver)
        ray.answers = False  # as if it were killed: its end does not reach the cluster
    ray.answers = True
    async with plane_on(ray) as driver:
        await driver.reach("tiny", "running")
        assert await pid_of(driver) == before
    assert not ray.ours
    await until_ended(before)


async def test_what_a_killed_plane_left_and_nobody_wants_ends(plane_on: OnCluster, ray: RayStandIn) -> None:
    async with plane_on(ray) as driver:
        await deploy(driver)
        ray.answers = False
        await driver.call("DELETE", "/v2/endpoint/acme/tiny")
    ray.answers = True
    assert ray.ours
    async with plane_on(ray):
        await eventually(lambda: not ray.ours)


async def test_a_worker_that_no_plane_asks_for_ends_and_comes_back_with_the_plane(plane_on: OnCluster) -> None:
    async with standing_in(lease_s=3.0) as ray, plane_on(ray) as driver:
        await deploy(driver)
        before = await pid_of(driver)
        ray.answers = False
        await until_ended(before)
        ray.answers = True
        await lost(driver)
        await serves(driver)


async def test_a_cluster_that_answers_without_a_token_is_refused_unless_that_is_accepted(plane_on: OnCluster) -> None:
    async with standing_in(token="") as ray:
        with pytest.raises(ClusterRefused, match="RAY_AUTH_MODE=token"):
            async with plane_on(ray):
                pass
        async with plane_on(ray, allow_open=True) as driver:
            await deploy(driver)


async def test_a_model_file_of_one_machine_is_refused(plane_of: PlaneOf, ray: RayStandIn) -> None:
    async with plane_of(cluster=Cluster(ray.address, PRICES), programs=None) as driver:
        refused = await driver.create_local(**ON_CLUSTER, model={"repository": "/models/own.gguf"})
        assert refused.status == 400
        assert "a file of one machine" in refused.body["error"]
        suggested = await driver.call("GET", "/api/v1/catalog/list")
        assert suggested.status in (200, 404)
