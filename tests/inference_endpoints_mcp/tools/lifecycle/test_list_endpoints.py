"""Listing endpoints: pages, filters, totals."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.hosts.host import OUTPUT_LIMIT, Host, size_of
from tests.support.planes.plane_driver import Driver, PlaneOf, cloud

from inference_endpoints_local.state.audit_event import Actor

pytestmark = pytest.mark.anyio

FLEET = 120


@pytest.fixture
async def driver(plane_of: PlaneOf, anyio_backend: str) -> AsyncIterator[Driver]:
    async with plane_of(cloud_quota=1_000) as driver:
        yield driver


@pytest.fixture
async def fleet(driver: Driver) -> None:
    """120 endpoints with the longest names and model ids there are; every third is paused."""
    for number in range(FLEET):
        body = cloud(f"{'e' * 28}-{number:03d}", model={"repository": "org/" + "m" * 400})
        assert (await driver.call("POST", "/v2/endpoint/acme", body)).status == 200
    await driver.advance(200)
    for number in range(0, FLEET, 3):
        await driver.do(f"{'e' * 28}-{number:03d}", "pause")


async def test_a_large_fleet_is_paged_completely_and_every_page_is_small(fleet: None, modern: Host) -> None:
    seen: list[str] = []
    arguments: dict[str, Any] = {"limit": 50}
    for _ in range(4):
        page = await modern.call("list_endpoints", **arguments)
        assert size_of(page) < OUTPUT_LIMIT
        assert page["total"] == FLEET
        seen += [row["endpoint_name"] for row in page["endpoints"]]
        if not page["next"]:
            arguments = {}
            break
        arguments = page["next"][0]["arguments"]
    assert arguments == {}
    assert len(set(seen)) == FLEET
    assert size_of(await modern.call("list_endpoints", limit=100)) < OUTPUT_LIMIT


async def test_a_list_of_1_000_endpoints_is_twenty_rows_with_totals_unless_more_are_requested(
    driver: Driver, modern: Host
) -> None:
    asker = Actor("acme", "127.0.0.1", "r")
    for number in range(1_000):
        body = cloud(f"{'e' * 28}-{number:03d}", model={"repository": "org/" + "m" * 400})
        await driver.plane.lifecycle.create(body, asker)
    first = await modern.call("list_endpoints")
    assert (first["total"], first["shown"], first["next_offset"]) == (1_000, 20, 20)
    assert size_of(first) < OUTPUT_LIMIT / 3
    for arguments in ({"limit": 100}, {"limit": 100, "namespace": "*"}, {"limit": 100, "offset": 900}):
        page = await modern.call("list_endpoints", **arguments)
        assert page["total"] == 1_000
        assert size_of(page) < OUTPUT_LIMIT
        if page["next"]:
            following = await modern.call("list_endpoints", **page["next"][0]["arguments"])
            names = [row["endpoint_name"] for row in page["endpoints"] + following["endpoints"]]
            assert names == sorted(set(names), reverse=True), "nothing between two pages is lost"
    assert size_of(await modern.call("get_audit_logs", limit=100)) < OUTPUT_LIMIT


async def test_a_list_is_filtered_and_totals_what_runs_now(fleet: None, modern: Host) -> None:
    everything = await modern.call("list_endpoints")
    paused = await modern.call("list_endpoints", state="paused")
    found = await modern.call("list_endpoints", search="E-119")
    assert everything["cost_now_per_hour_usd"] == pytest.approx(80 * 0.033)
    assert "80 running, 40 paused" in everything["now"]
    assert "$2.64/h" in everything["now"]
    assert (paused["total"], paused["cost_now_per_hour_usd"]) == (40, 0)
    assert [row["endpoint_name"][-3:] for row in found["endpoints"]] == ["119"]


async def test_an_offset_beyond_the_end_is_an_empty_page(driver: Driver, modern: Host) -> None:
    await driver.create()
    page = await modern.call("list_endpoints", offset=50)
    assert (page["total"], page["shown"], page["endpoints"]) == (1, 0, [])
    assert "next_offset" not in page


async def test_an_endpoint_at_zero_shows_its_last_call(driver: Driver, host: Host) -> None:
    await driver.create(compute={"scaling": {"minReplica": 0, "maxReplica": 1}})
    await driver.advance(200)
    await driver.call("POST", f"{await driver.path_of('chat')}/", {"inputs": "hello"})
    (row,) = (await host.call("list_endpoints"))["endpoints"]
    assert "last_used_at" not in row
    await driver.put_to_sleep("chat")
    (row,) = (await host.call("list_endpoints"))["endpoints"]
    assert row["last_used_at"] == (await host.call("get_endpoint", endpoint_name="chat"))["last_used_at"]


async def test_a_filter_and_an_order_are_those_of_changes_of_several(driver: Driver, modern: Host) -> None:
    gpu = {"accelerator": "gpu", "instanceType": "nvidia-l4"}
    await driver.create("ci-1", compute=gpu, tags=["eval"], type="private")
    await driver.create("ci-2", tags=["eval", "old"])
    await driver.create("prod", model={"task": "text-generation"})
    await driver.advance(850)
    await driver.do("ci-2", "pause")
    found = {
        where: [row["endpoint_name"] for row in (await modern.call("list_endpoints", where=where))["endpoints"]]
        for where in (
            "tag=eval",
            "name=ci-* state=paused",
            "state=running,paused type=private",
            "task=text-*",
            "hardware=*-l4-*",
            "idle>1d",
            "model=GPT*",
            "tag=old,eval name=*1",
        )
    }
    assert found == {
        "tag=eval": ["ci-2", "ci-1"],
        "name=ci-* state=paused": ["ci-2"],
        "state=running,paused type=private": ["ci-1"],
        "task=text-*": ["prod"],
        "hardware=*-l4-*": ["ci-1"],
        "idle>1d": [],
        "model=GPT*": ["prod", "ci-2", "ci-1"],
        "tag=old,eval name=*1": ["ci-1"],
    }
    for order, names in {"price": ["ci-1", "prod", "ci-2"], "name": ["ci-1", "ci-2", "prod"]}.items():
        listed = (await modern.call("list_endpoints", sort=order))["endpoints"]
        assert [row["endpoint_name"] for row in listed] == names
    page = await modern.call("list_endpoints", where="tag=eval", sort="name", limit=1)
    assert page["next"][0]["arguments"]["where"] == "tag=eval"
