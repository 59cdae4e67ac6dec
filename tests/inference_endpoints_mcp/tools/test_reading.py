"""Seeing what there is: endpoints, hardware, models, logs, replicas."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.driver import Driver, PlaneOf, cloud
from tests.support.host import Host

from inference_endpoints_local.state.audit_event import Actor

pytestmark = pytest.mark.anyio

FLEET = 120
ANSWER_LIMIT = 28_000
"""Characters of 8,000 tokens, at 3.5 each."""


def size(facts: dict[str, Any]) -> int:
    return len(json.dumps(facts, ensure_ascii=False, separators=(",", ":")))


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
    for _ in range(3):
        page = await modern.call("list_endpoints", **arguments)
        assert size(page) < ANSWER_LIMIT
        assert page["total"] == FLEET
        seen += [row["endpoint_name"] for row in page["endpoints"]]
        arguments = page["next"][0]["arguments"] if page["next"] else {}
    assert arguments == {}
    assert len(set(seen)) == FLEET
    assert size(await modern.call("list_endpoints", limit=100)) < ANSWER_LIMIT


async def test_a_list_of_1_000_endpoints_is_twenty_rows_with_totals_unless_asked_for_more(
    driver: Driver, modern: Host
) -> None:
    asker = Actor("acme", "127.0.0.1", "r")
    for number in range(1_000):
        body = cloud(f"{'e' * 28}-{number:03d}", model={"repository": "org/" + "m" * 400})
        driver.plane._lifecycle.create(body, asker)
    first = await modern.call("list_endpoints")
    assert (first["total"], first["shown"], first["next_offset"]) == (1_000, 20, 20)
    assert size(first) < ANSWER_LIMIT / 3
    for arguments in ({"limit": 100}, {"limit": 100, "namespace": "*"}, {"limit": 100, "offset": 900}):
        page = await modern.call("list_endpoints", **arguments)
        assert page["total"] == 1_000
        assert size(page) < ANSWER_LIMIT
        if page["next"]:
            following = await modern.call("list_endpoints", **page["next"][0]["arguments"])
            names = [row["endpoint_name"] for row in page["endpoints"] + following["endpoints"]]
            assert names == sorted(set(names)), "nothing between two pages is lost"
    assert size(await modern.call("get_audit_logs", limit=100)) < ANSWER_LIMIT


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


async def test_one_endpoint_with_a_huge_configuration_is_still_a_small_answer(driver: Driver, modern: Host) -> None:
    many = {f"VARIABLE_{number}": "x" * 2_000 for number in range(200)}
    model = {"env": many, "secrets": dict.fromkeys(many, "s"), "args": ["--long-argument" * 50] * 200}
    assert (await driver.create(model=model, tags=["t" * 500] * 100)).status == 200
    facts = await modern.call("get_endpoint", endpoint_name="chat")
    assert size(facts) < ANSWER_LIMIT
    assert "left out" in facts["now"]
    planned = await modern.call(
        "update_endpoint", endpoint_name="chat", config={"model": {"env": dict.fromkeys(many, "y" * 500)}}, dry_run=True
    )
    assert size(planned) < ANSWER_LIMIT


async def test_what_others_wrote_into_an_endpoint_is_cleaned(driver: Driver, modern: Host) -> None:
    hidden = "a\x1b[31mb\u202ec\u200bd\U000e0041"
    await driver.create(model={"repository": f"org/{hidden}", "env": {"NOTE": hidden}, "args": [hidden]}, tags=[hidden])
    facts = await modern.call("get_endpoint", endpoint_name="chat")
    row = (await modern.call("list_endpoints"))["endpoints"][0]
    assert facts["repository"] == row["repository"] == "org/abcd"
    assert (facts["env"].splitlines()[1:-1], facts["args"].splitlines()[1:-1]) == (["NOTE=abcd"], ["abcd"])
    assert "abcd" in facts["tags"]
    assert "\x1b" not in facts["tags"]


async def test_hardware_is_listed_cheapest_first_and_paged(modern: Host) -> None:
    first = await modern.call("get_vendors", limit=100)
    rest = await modern.call("get_vendors", limit=100, offset=first["next_offset"])
    prices = [row["price_per_hour_usd"] for row in first["hardware"] + rest["hardware"]]
    assert prices == sorted(prices)
    assert first["hardware"][0]["hardware"] == "local-machine-cpu-x1"
    assert size(first) < ANSWER_LIMIT


async def test_hardware_is_filtered_by_vendor_kind_and_availability(modern: Host) -> None:
    gpus = await modern.call("get_vendors", vendor="aws", accelerator="gpu", limit=100)
    assert {row["hardware"].split("-")[0] for row in gpus["hardware"]} == {"aws"}
    assert {row["accelerator"] for row in gpus["hardware"]} == {"gpu"}
    assert all(row["available"] for row in gpus["hardware"])
    everything = await modern.call("get_vendors", vendor="aws", accelerator="gpu", limit=100, only_available=False)
    assert everything["total"] > gpus["total"]


async def test_every_listed_hardware_id_is_one_create_takes(modern: Host) -> None:
    for row in (await modern.call("get_vendors", vendor="gcp", limit=5))["hardware"]:
        spec = {"endpoint_name": "a", "repository": "b", "hardware": row["hardware"], "dry_run": True}
        assert (await modern.call("create_endpoint", **spec))["hardware"] == row["hardware"]


async def test_the_catalogue_is_filtered_by_task_and_text(modern: Host) -> None:
    everything = await modern.call("list_catalog_items")
    chat = await modern.call("list_catalog_items", task="text-generation")
    assert 0 < chat["total"] < everything["total"]
    assert (await modern.call("list_catalog_items", search="minilm"))["total"] >= 1
    assert (await modern.call("list_catalog_items", limit=1))["now"] == f"1 of {everything['total']} shown."


async def test_times_are_told_in_one_form(driver: Driver, modern: Host) -> None:
    await driver.create()
    told = await modern.call("get_endpoint", endpoint_name="chat")
    for time in (told["created_at"], told["updated_at"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time)


async def test_replicas_are_listed_with_ids_that_logs_take(driver: Driver, modern: Host) -> None:
    await driver.create()
    await driver.advance(200)
    replicas = await modern.call("get_endpoint_replicas", endpoint_name="chat")
    (replica,) = replicas["replicas"]
    assert (replica["stage"], replica["live"]) == ("running", True)
    assert (await modern.call("get_endpoint_logs", endpoint_name="chat", replica=replica["replica"]))["shown"] > 0


async def test_whoami_names_the_namespace_and_the_backend(host: Host) -> None:
    facts = await host.call("whoami")
    assert (facts["name"], facts["default_namespace"], facts["backend"]) == ("acme", "acme", "local")
    assert facts["namespaces"] == ["acme"]


async def test_hardware_of_a_vendor_there_is_not_names_those_there_are(host: Host) -> None:
    words = await host.refused("get_vendors", "BAD_REQUEST", vendor="awz")
    assert "aws, azure, gcp" in words


async def test_what_sleeps_says_when_it_was_last_called(driver: Driver, host: Host) -> None:
    await driver.create(compute={"scaling": {"minReplica": 0, "maxReplica": 1}})
    await driver.advance(200)
    await driver.call("POST", f"{await driver.path_of('chat')}/", {"inputs": "hello"})
    (row,) = (await host.call("list_endpoints"))["endpoints"]
    assert "last_used_at" not in row
    await driver.do("chat", "scale-to-zero")
    (row,) = (await host.call("list_endpoints"))["endpoints"]
    assert row["last_used_at"] == (await host.call("get_endpoint", endpoint_name="chat"))["last_used_at"]
