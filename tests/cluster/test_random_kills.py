"""Parts of a cluster, and the plane with each of them, are killed at random points while an endpoint is changed.

`CLUSTER_KILLS` says how often, and `CLUSTER_SEED` repeats a run.
"""

import os
import random
import secrets
import signal
import time
from collections.abc import Callable

import pytest
from huggingface_hub import InferenceEndpoint
from huggingface_hub.errors import HfHubHTTPError
from tests.cluster.machines import TwoMachines, why_no_machines
from tests.cluster.plane import ON_CLUSTER, WORKER, ClusterPlane, is_running, says_german
from tests.support.polling import eventually

REASON = why_no_machines()
KILLS = int(os.environ.get("CLUSTER_KILLS", "3"))
SEED = os.environ.get("CLUSTER_SEED") or secrets.token_hex(4)
LATEST_S = 3.0
"""After a change, the latest time at which something is killed."""
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60 * KILLS + 300), pytest.mark.skipif(bool(REASON), reason=REASON)]

VICTIMS = ("plane", "worker", "replica", "node", "head")
CHANGES: dict[str, Callable[[InferenceEndpoint], InferenceEndpoint]] = {
    "paused": InferenceEndpoint.pause,
    "scaledToZero": InferenceEndpoint.scale_to_zero,
    "running": InferenceEndpoint.resume,
}
"""By the state that the endpoint is in once that was acknowledged, whatever happens next."""


async def test_nothing_acknowledged_is_lost_and_nothing_stays_behind(cluster: TwoMachines) -> None:
    chance = random.Random(SEED)
    plane = ClusterPlane([f"--ray-address={cluster.address}", f"--ray-token-file={cluster.token_file}"])
    try:
        plane.start()
        await plane.until_cpus(2)
        with plane.hub() as hub:
            hub.create_inference_endpoint("lang", min_replica=0, **ON_CLUSTER)
        await plane.until("lang", is_running)
        for number in range(KILLS):
            state, victim, with_plane = (
                chance.choice(list(CHANGES)),
                chance.choice(VICTIMS),
                chance.choice([True, False]),
            )
            print(f"{SEED} {number}: {state}, {victim}{' and the plane' if with_plane else ''}")
            with plane.hub() as hub:
                CHANGES[state](hub.get_inference_endpoint("lang"))
            time.sleep(chance.uniform(0, LATEST_S))  # noqa: ASYNC251 - the point in time is the test
            kill(victim, plane, cluster, with_plane=with_plane)
            if state == "running":
                await plane.until("lang", is_running)
            else:
                assert (await plane.status("lang"))["state"] == state
                await eventually(lambda: not workers(cluster), f"{number}: no worker is left")
            await eventually(lambda: is_resumed(plane), f"{number}: it is resumed")
            await plane.until("lang", is_running)
            await eventually(lambda: is_served(plane), f"{number}: calls are answered")
            await eventually(lambda: len(workers(cluster)) == 1, f"{number}: there is one worker")
    finally:
        plane.clear()
    await eventually(lambda: not workers(cluster))


async def is_resumed(plane: ClusterPlane) -> bool:
    """It is, or the plane, which began anew, has not reached the cluster yet."""
    with plane.hub() as hub:
        try:
            hub.get_inference_endpoint("lang").resume()
        except HfHubHTTPError as error:
            if error.response.status_code != 503:
                raise
            return False
    return True


async def is_served(plane: ClusterPlane) -> bool:
    """A call gets an answer, or is told when to try again: for some seconds nobody knows of a loss."""
    response = await plane.call("lang")
    assert says_german(response) or response.status in {502, 503}, response
    return says_german(response)


def kill(victim: str, plane: ClusterPlane, cluster: TwoMachines, *, with_plane: bool) -> None:
    """Kill it. The plane, a node and the head start again; a node does not outlive its head."""
    if victim == "plane" or with_plane:
        plane.stop(signal.SIGKILL)
    if victim in {"node", "head"}:
        cluster.node.lose_power()
    if victim == "head":
        cluster.head.lose_power()
        cluster.start_head()
    if victim in {"node", "head"}:
        cluster.start_node()
    elif victim != "plane":
        word = WORKER if victim == "worker" else "ray::ServeReplica"
        for machine in (cluster.head, cluster.node):
            machine.kill(machine.pids_of(word))
    if victim == "plane" or with_plane:
        plane.start()


def workers(cluster: TwoMachines) -> list[int]:
    return [*cluster.head.pids_of(WORKER), *cluster.node.pids_of(WORKER)]
