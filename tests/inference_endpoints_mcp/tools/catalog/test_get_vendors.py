"""Listing hardware: sorted by price, filtered, paged."""

import pytest
from tests.support.hosts.host import OUTPUT_LIMIT, Host, size_of

pytestmark = pytest.mark.anyio


async def test_hardware_is_listed_cheapest_first_and_paged(modern: Host) -> None:
    first = await modern.call("get_vendors", limit=100)
    rest = await modern.call("get_vendors", limit=100, offset=first["next_offset"])
    prices = [row["price_per_hour_usd"] for row in first["hardware"] + rest["hardware"]]
    assert prices == sorted(prices)
    assert first["hardware"][0]["hardware"] == "local-machine-cpu-x1"
    assert size_of(first) < OUTPUT_LIMIT


async def test_hardware_is_filtered_by_vendor_kind_and_availability(modern: Host) -> None:
    gpus = await modern.call("get_vendors", vendor="aws", accelerator="gpu", limit=100)
    assert {row["hardware"].split("-")[0] for row in gpus["hardware"]} == {"aws"}
    assert {row["accelerator"] for row in gpus["hardware"]} == {"gpu"}
    assert all(row["available"] for row in gpus["hardware"])
    everything = await modern.call("get_vendors", vendor="aws", accelerator="gpu", limit=100, only_available=False)
    assert everything["total"] > gpus["total"]


async def test_create_endpoint_accepts_every_listed_hardware_id(modern: Host) -> None:
    for row in (await modern.call("get_vendors", vendor="gcp", limit=5))["hardware"]:
        spec = {"endpoint_name": "a", "repository": "b", "hardware": row["hardware"], "dry_run": True}
        assert (await modern.call("create_endpoint", **spec))["hardware"] == row["hardware"]


async def test_an_unknown_vendor_is_refused_with_the_known_vendors(host: Host) -> None:
    message = await host.refused("get_vendors", "BAD_REQUEST", vendor="awz")
    assert "aws, azure, gcp" in message


async def test_hardware_is_filtered_by_region_memory_and_price(modern: Host) -> None:
    wanted = {"region": "us-", "min_memory_gb": 24, "max_price_per_hour": 2, "accelerator": "gpu"}
    rows = (await modern.call("get_vendors", **wanted))["hardware"]
    assert rows
    for row in rows:
        assert "-us-" in row["hardware"]
        assert row["accelerator_memory_gb"] >= 24
        assert row["price_per_hour_usd"] <= 2
    nowhere = await modern.call("get_vendors", region="mars")
    assert (nowhere["total"], "Regions: " in nowhere["now"]) == (0, True)


async def test_only_what_holds_a_model_is_listed_with_what_it_needs(modern: Host) -> None:
    found = await modern.call("get_vendors", holds_model="org/model-7B", limit=100)
    cheapest = found["hardware"][0]
    assert cheapest["accelerator_memory_gb"] >= 16
    assert "The model needs" in found["now"]
    assert all(row["accelerator"] == "gpu" for row in found["hardware"])
    assert "not known" in await modern.refused("get_vendors", "NOT_FOUND", holds_model="org/nameless")
