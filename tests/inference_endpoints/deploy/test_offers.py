"""Which hardware is available, and which is chosen."""

from typing import Any

import pytest
from tests.support.service.offers import instance, offers_at

from inference_endpoints.deploy.offers import (
    choose_default_hardware,
    find_alternatives,
    require_offer,
)
from inference_endpoints.errors import BadRequest, NoCapacity

CLOUD = [instance("intel", 0.03), instance("t4", 0.5), instance("l4", 0.8)]


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
    (offer,) = offers_at(aws_east=[instance("l4", 0.8, **more)])
    assert offer.available is available


def test_an_unknown_id_is_refused_with_the_nearest() -> None:
    with pytest.raises(BadRequest, match="Nearest: aws-east-l4-x1"):
        require_offer(offers_at(aws_east=CLOUD), "aws-east-l4-x11")
    with pytest.raises(BadRequest, match="get_vendors"):
        require_offer(offers_at(aws_east=CLOUD), "zzz")


def test_the_default_is_the_cheapest_available_gpu() -> None:
    assert choose_default_hardware(offers_at(aws_east=CLOUD)).id == "aws-east-t4-x1"
    gone = [instance("t4", 0.5, status="not_available"), instance("a10", None), instance("l4", 0.8)]
    assert choose_default_hardware(offers_at(aws_east=gone)).id == "aws-east-l4-x1"


def test_the_default_is_this_machine_where_there_is_one() -> None:
    assert (
        choose_default_hardware(offers_at(aws_east=CLOUD, local_machine=[instance("cpu", 0.0)])).id
        == "local-machine-cpu-x1"
    )


def test_a_full_machine_is_no_reason_to_take_another() -> None:
    full = instance("cpu", 0.0, quota={"maxAccelerators": 2, "usedAccelerators": 2})
    with pytest.raises(NoCapacity, match="this machine"):
        choose_default_hardware(offers_at(aws_east=CLOUD, local_machine=[full]))


def test_without_available_hardware_nothing_is_chosen() -> None:
    with pytest.raises(NoCapacity, match="within quota"):
        choose_default_hardware(offers_at(aws_east=[instance("intel", 0.03)]))


def test_alternatives_are_the_cheapest_in_the_same_place_and_the_same_elsewhere() -> None:
    known = offers_at(aws_east=CLOUD, aws_west=CLOUD, local_machine=[instance("cpu", 0.0)])
    wanted = require_offer(known, "aws-east-l4-x1")
    assert [offer.id for offer in find_alternatives(known, wanted)] == ["aws-east-t4-x1", "aws-west-l4-x1"]


@pytest.mark.parametrize("wanted", ["aws-east-intel-x1", "local-machine-cpu-x1"])
def test_this_machine_and_the_clouds_are_no_alternatives_to_each_other(wanted: str) -> None:
    known = offers_at(aws_east=CLOUD, local_machine=[instance("cpu", 0.0)])
    assert find_alternatives(known, require_offer(known, wanted)) == []
