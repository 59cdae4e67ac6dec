"""How the operator names a cluster, and what is said where it cannot be used."""

from pathlib import Path

import pytest
from tests.support.command import Run
from tests.support.planes.plane_driver import Driver, PlaneOf
from tests.support.planes.ray_stand_in import RayStandIn, standing_in
from tests.support.polling import eventually

from inference_endpoints_local.daemon.cluster.cluster_engine import Cluster
from inference_endpoints_local.daemon.cluster.ray_options import RayOptions
from inference_endpoints_local.daemon.connect import StartOptions, connect_plane, stop_plane
from inference_endpoints_local.daemon.plane_errors import ClusterUnusable
from inference_endpoints_local.engines.ray.cluster_hardware import ClusterPrices
from inference_endpoints_local.engines.ray.ray_engine import ClusterRefused

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--ray-start"], "--ray-start needs --engine ray."),
        (["--engine=ray"], "--engine ray needs either --ray-address or --ray-start."),
        (["--engine=ray", "--ray-start", "--ray-address=http://h:1"], "needs either --ray-address or --ray-start"),
        (["--engine=ray", "--ray-address=h:8265"], "--ray-address: it must be an address such as"),
        (["--engine=ray", "--ray-address=http://h:8265", "--ray-token-file=/no/such"], "/no/such cannot be read"),
        (["--engine=ray", "--ray-address=http://h:8265", "--ray-prices=/no/such"], "--ray-prices: /no/such cannot"),
        (["--engine=ray", "--ray-start"], "pip install 'inference-endpoints-mcp[ray-node]'"),
    ],
)
def test_a_choice_that_cannot_work_ends_with_what_to_do(flags: list[str], said: str, run: Run, tmp_path: Path) -> None:
    ended = run("control-plane", f"--data-dir={tmp_path / 'data'}", *flags)
    assert ended.returncode != 0
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("cpu_per_hour = -1", "cpu_per_hour"),
        ('region = "Rack 3"', "region"),
        ('region = "machine"', "the plane's own machine"),
        ("gpu = 3", "gpu"),
        ("cpu_per_hour = ", "cannot be read"),
    ],
)
def test_a_file_of_prices_that_is_wrong_is_refused_by_name(content: str, said: str, run: Run, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text(content)
    ended = run(
        "control-plane", f"--data-dir={tmp_path}", "--engine=ray", "--ray-address=http://h", f"--ray-prices={prices}"
    )
    assert said in ended.stderr


async def test_a_host_starts_a_plane_on_the_cluster_and_later_ones_join_it(tmp_path: Path) -> None:
    async with standing_in() as ray:
        options = StartOptions(namespace="acme", ray=options_for(ray, tmp_path))
        folder = tmp_path / "data"
        try:
            plane = await connect_plane(folder, options)
            assert plane.ray == options.ray
            assert (await connect_plane(folder, options)).pid == plane.pid
            assert (await connect_plane(folder, StartOptions())).pid == plane.pid
            # Another cluster needs another plane; this one is idle.
            (tmp_path / "other").mkdir()
            other = StartOptions(namespace="acme", ray=options_for(ray, tmp_path / "other"))
            assert (await connect_plane(folder, other)).pid != plane.pid
        finally:
            await stop_plane(folder)


async def test_a_host_is_told_where_to_read_why_a_cluster_is_refused(tmp_path: Path) -> None:
    async with standing_in(token="") as ray:
        with pytest.raises(ClusterUnusable, match=r"plane\.log"):
            await connect_plane(tmp_path / "data", StartOptions(ray=options_for(ray, tmp_path)))
        assert "RAY_AUTH_MODE=token" in (tmp_path / "data" / "plane.log").read_text()


async def test_endpoints_of_this_machine_are_not_moved_to_a_cluster_by_a_flag(plane_of: PlaneOf) -> None:
    async with plane_of() as driver:
        await driver.create_local()
    async with standing_in() as ray:
        with pytest.raises(ClusterRefused, match=r"such as tiny\. Start it without --engine ray"):
            async with plane_of(cluster=Cluster(ray.address, ClusterPrices())):
                pass


async def test_before_the_cluster_has_answered_a_create_is_refused_with_that(plane_of: PlaneOf) -> None:
    async with standing_in(answers=False) as ray, plane_of(cluster=Cluster(ray.address, ClusterPrices())) as driver:
        refused = await driver.create_local(provider={"region": "cluster"})
        assert refused.status == 503
        assert str(ray.port) in refused.body["error"]
        ray.answers = True
        await eventually(lambda: created(driver))


async def created(driver: Driver) -> bool:
    return (await driver.create_local(provider={"region": "cluster"})).status == 200


def options_for(ray: RayStandIn, folder: Path) -> RayOptions:
    token = folder / "ray-token"
    token.write_text(ray.token)
    return RayOptions(f"http://127.0.0.1:{ray.port}", str(token))
