"""What endpoints cost now."""

import pytest
from tests.support.service.offers import instance

from inference_endpoints.deploy.prices import Prices
from inference_endpoints.models import Endpoint, HardwareListing


def endpoint(hardware: str, state: str = "running", target: int = 1) -> Endpoint:
    status = {"state": state, "targetReplica": target, "readyReplica": 0}
    return Endpoint.model_validate({"name": "chat", "compute": {"id": hardware}, "status": status})


def test_what_is_billed_costs_its_replicas_and_what_is_not_costs_nothing() -> None:
    listing = HardwareListing.model_validate(
        {"vendors": [{"name": "aws", "regions": [{"name": "east", "computes": [{"id": "a", **instance("l4", 0.8)}]}]}]}
    )
    prices = Prices(listing)
    assert prices.now(endpoint("a", target=3)) == pytest.approx(2.4)
    assert [prices.now(endpoint("a", state)) for state in ("paused", "scaledToZero", "failed")] == [0, 0, 0]
    assert prices.now(endpoint("unknown")) is None
    assert prices.total([endpoint("a"), endpoint("unknown"), endpoint("unknown", "paused")]) == (0.8, 1)
