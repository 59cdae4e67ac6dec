"""The executor on a clock that does not stand still while it works."""

import itertools

import pytest
from tests.support.planes.plane_driver import Driver

pytestmark = pytest.mark.anyio


async def test_a_replica_that_becomes_ready_during_its_reconciliation_is_observed(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine a fast simulation passes many seconds between two reads of its clock."""
    reads = itertools.count(0, 100)
    monkeypatch.setattr(driver.plane.simulated_clock, "now", lambda: float(next(reads)))
    await driver.create()
    await driver.plane.settle()
    assert await driver.state("chat") == "running"
