"""What can be had, what is chosen, and what it costs."""

from typing import Any

import pytest

from inference_endpoints.deploy.hardware import (
    Offer,
    Prices,
    choose_default_hardware,
    find_alternatives,
    offers,
    require_offer,
)
from inference_endpoints.errors import BadRequest, NoCapacity
from inference_endpoints.models import Endpoint, HardwareListing


def instance(type_: str, price: float | None, size: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "instanceType": type_,
        "instanceSize": f"x{size}",
        "accelerator": "cpu" if type_ in {"cpu", "intel"} else "gpu",
        "numAccelerators": size,
        "pricePerHour": price,
        **more,
    }


def listing(**places: list[dict[str, Any]]) -> list[Offer]:
    """Offers by place, `aws_east=[…]`."""
    vendors = []
    for place, computes in places.items():
        vendor, _, region = place.partition("_")
        named = [{"id": f"{vendor}-{region}-{c['instanceType']}-{c['instanceSize']}", **c} for c in computes]
        vendors.append({"name": vendor, "regions": [{"name": region, "computes": named}]})
    return offers(HardwareListing.model_validate({"vendors": vendors}))


CLOUD = [instance("intel", 0.03), instance("t4", 0.5), instance("l4", 0.8)]


def endpoint(hardware: str, state: str = "running", target: int = 1) -> Endpoint:
    status = {"state": state, "targetReplica": target, "readyReplica": 0}
    return Endpoint.model_validate({"name": "chat", "compute": {"id": hardware}, "status": status})


@pytest.mark.parametrize(
    ("more", "available"),
    [
        ({}, True),
        ({"status": "deprecated"}, False),
        ({"status": "not_available"}, False),
        ({"status": "low_availability"}, True),
        ({"quota": {"maxAccelerators": 4, "usedAccelerators": 3}}, True),
        ({"quota": {"maxAccelerators": 4, "usedAccelerators": 4}}, False),
        ({"quota": {"maxAccelerators": 0, "usedAccelerators": 0}}, False),
    ],
)
def test_hardware_is_available_if_it_is_on_offer_and_within_quota(more: dict[str, Any], available: bool) -> None:
    (offer,) = listing(aws_east=[instance("l4", 0.8, **more)])
    assert offer.available is available


def test_an_unknown_id_is_refused_with_the_nearest() -> None:
    with pytest.raises(BadRequest, match="Nearest: aws-east-l4-x1"):
        require_offer(listing(aws_east=CLOUD), "aws-east-l4-x11")
    with pytest.raises(BadRequest, match="get_vendors"):
        require_offer(listing(aws_east=CLOUD), "zzz")


def test_the_default_is_the_cheapest_available_gpu() -> None:
    assert choose_default_hardware(listing(aws_east=CLOUD)).id == "aws-east-t4-x1"
    gone = [instance("t4", 0.5, status="not_available"), instance("a10", None), instance("l4", 0.8)]
    assert choose_default_hardware(listing(aws_east=gone)).id == "aws-east-l4-x1"


def test_the_default_is_this_machine_where_there_is_one() -> None:
    assert (
        choose_default_hardware(listing(aws_east=CLOUD, local_machine=[instance("cpu", 0.0)])).id
        == "local-machine-cpu-x1"
    )


def test_a_full_machine_is_no_reason_to_take_another() -> None:
    full = instance("cpu", 0.0, quota={"maxAccelerators": 2, "usedAccelerators": 2})
    with pytest.raises(NoCapacity, match="this machine"):
        choose_default_hardware(listing(aws_east=CLOUD, local_machine=[full]))


def test_without_available_hardware_nothing_is_chosen() -> None:
    with pytest.raises(NoCapacity, match="within quota"):
        choose_default_hardware(listing(aws_east=[instance("intel", 0.03)]))


def test_alternatives_are_the_cheapest_in_the_same_place_and_the_same_elsewhere() -> None:
    known = listing(aws_east=CLOUD, aws_west=CLOUD, local_machine=[instance("cpu", 0.0)])
    wanted = require_offer(known, "aws-east-l4-x1")
    assert [offer.id for offer in find_alternatives(known, wanted)] == ["aws-east-t4-x1", "aws-west-l4-x1"]


@pytest.mark.parametrize("wanted", ["aws-east-intel-x1", "local-machine-cpu-x1"])
def test_this_machine_and_the_clouds_are_no_alternatives_to_each_other(wanted: str) -> None:
    known = listing(aws_east=CLOUD, local_machine=[instance("cpu", 0.0)])
    assert find_alternatives(known, require_offer(known, wanted)) == []


def test_what_is_billed_costs_its_replicas_and_what_is_not_costs_nothing() -> None:
    listing = HardwareListing.model_validate(
        {"vendors": [{"name": "aws", "regions": [{"name": "east", "computes": [{"id": "a", **instance("l4", 0.8)}]}]}]}
    )
    prices = Prices(listing)
    assert prices.now(endpoint("a", target=3)) == pytest.approx(2.4)
    assert [prices.now(endpoint("a", state)) for state in ("paused", "scaledToZero", "failed")] == [0, 0, 0]
    assert prices.now(endpoint("unknown")) is None
    assert prices.total([endpoint("a"), endpoint("unknown"), endpoint("unknown", "paused")]) == (0.8, 1)
