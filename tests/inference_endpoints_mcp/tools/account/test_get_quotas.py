"""Quotas: what counts against them, on this machine and in the simulated clouds."""

from typing import Any

import pytest
from tests.support.hosts.host import Host
from tests.support.planes.plane_driver import Driver, cloud

pytestmark = pytest.mark.anyio


async def quota(host: Host, vendor: str, instance_type: str) -> tuple[int, int]:
    """How many are used and left."""
    rows = (await host.call("get_quotas", vendor=vendor, limit=100))["quotas"]
    (row,) = [row for row in rows if row["instance_type"] == instance_type]
    return row["used"], row["left"]


async def test_on_this_machine_the_cores_of_running_replicas_count(driver: Driver, host: Host) -> None:
    assert await quota(host, "local", "cpu") == (0, 2)
    await driver.create_local("tiny", compute={"scaling": {"maxReplica": 2}})
    await driver.reach("tiny", "running")
    assert await quota(host, "local", "cpu") == (1, 1)
    await driver.put_to_sleep("tiny")
    assert await quota(host, "local", "cpu") == (0, 2)


async def test_in_the_clouds_the_maximum_of_replicas_counts_in_every_size(driver: Driver, host: Host) -> None:
    body = cloud("big", compute={"instanceSize": "x4", "scaling": {"maxReplica": 3}})
    assert (await driver.call("POST", "/v2/endpoint/acme", body)).status == 200
    assert await quota(host, "aws", "intel-spr") == (12, 4)
    await driver.do("big", "pause")
    assert await quota(host, "aws", "intel-spr") == (0, 16)


async def test_the_route_answers_in_the_documented_shape(driver: Driver) -> None:
    answer = await driver.call("GET", "/v2/provider/quotas/acme")
    quotas: dict[str, list[dict[str, Any]]] = {one["name"]: one["quotas"] for one in answer.body["vendors"]}
    assert set(quotas) == {"local", "aws", "azure", "gcp"}
    assert quotas["local"] == [
        {"instanceType": "cpu", "architecture": "This machine's CPU", "maxAccelerators": 2, "usedAccelerators": 0}
    ]
    types = [quota["instanceType"] for quota in quotas["aws"]]
    assert len(types) == len(set(types))


async def test_used_quotas_come_first_and_the_rest_is_paged(driver: Driver, host: Host) -> None:
    await driver.create()
    first = await host.call("get_quotas", limit=5)
    assert first["quotas"][0]["instance_type"] == "intel-spr"
    assert first["now"].startswith(f"5 of {first['total']} shown. 1 in use, 0 with nothing left.")
    second = await host.call(first["next"][0]["tool"], **first["next"][0]["arguments"])
    assert not [row for row in second["quotas"] if row in first["quotas"]]
