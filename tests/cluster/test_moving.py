"""A cluster that is lost for good, and another one in its place."""

import pytest
from tests.cluster.machines import Machine, TwoMachines, why_no_machines
from tests.cluster.plane import ON_CLUSTER, WORKER, ClusterPlane, is_running, says_german
from tests.support.hang import HANG_TIMEOUT_S

REASON = why_no_machines()
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.timeout(2 * HANG_TIMEOUT_S),
    pytest.mark.skipif(bool(REASON), reason=REASON),
]


async def test_what_a_lost_cluster_ran_is_deployed_on_another_one(cluster: TwoMachines) -> None:
    def flags(head: Machine) -> list[str]:
        return [f"--ray-address={cluster.address_of(head)}", f"--ray-token-file={cluster.token_file}"]

    plane = ClusterPlane(flags(cluster.head))
    try:
        plane.start()
        await plane.until_cpus(2)
        with plane.hub() as hub:
            hub.create_inference_endpoint("lang", **ON_CLUSTER)
            hub.create_inference_endpoint("kept", **ON_CLUSTER).pause()
        await plane.until("lang", is_running)
        before = (await plane.status("lang"))["url"].removeprefix(plane.url)
        for machine in (cluster.node, cluster.head):
            machine.lose_power()
        await plane.until("lang", lambda status: not is_running(status))
        plane.stop()
        cluster.start_head(cluster.node)
        plane.flags = flags(cluster.node)
        plane.start()
        await plane.until("lang", is_running)
        assert says_german(await plane.call("lang"))
        assert (await plane.status("lang"))["url"].removeprefix(plane.url) == before
        assert (await plane.status("kept"))["state"] == "paused"
        assert len(cluster.node.pids_of(WORKER)) == 1
    finally:
        plane.clear()
