"""`--ray-start`: one command, one node."""

import signal
from collections.abc import Iterator

import psutil
import pytest
from tests.cluster.machines import NODE_BIN, why_no_ray
from tests.cluster.plane import ON_CLUSTER, ClusterPlane, is_running, says_german
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.polling import eventually

pytestmark = [pytest.mark.timeout(2 * HANG_TIMEOUT_S), pytest.mark.skipif(bool(why_no_ray()), reason=why_no_ray())]


@pytest.fixture
def plane() -> Iterator[ClusterPlane]:
    plane = ClusterPlane(["--ray-start"], NODE_BIN)
    try:
        plane.start()
        yield plane
    finally:
        plane.clear()


@pytest.mark.anyio
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_a_cluster_of_one_node_serves_and_ends_with_the_plane(plane: ClusterPlane, how: signal.Signals) -> None:
    session = str((plane.folder / "ray").readlink())
    with plane.hub() as hub:
        endpoint = hub.create_inference_endpoint("lang", **ON_CLUSTER)
        await plane.until(endpoint.name, is_running)
    assert says_german(await plane.call("lang"))
    ours = processes_of(session)
    assert ours
    plane.stop(how)
    await eventually(lambda: not any(process.is_running() for process in ours))


def processes_of(session: str) -> list[psutil.Process]:
    """What runs with this folder, and its children."""
    found = [process for process in psutil.process_iter() if any(session in word for word in _words(process))]
    return [*found, *(child for process in found for child in process.children(recursive=True))]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
