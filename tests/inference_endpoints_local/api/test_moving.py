"""Moving an endpoint to another vendor or region: an update of `provider`."""

from typing import Any

import pytest
from tests.support.planes.plane_driver import Driver

pytestmark = pytest.mark.anyio

ONE = "/v2/endpoint/acme/chat"
GCP: dict[str, Any] = {"provider": {"vendor": "gcp", "region": "us-east4"}}
L4 = {"accelerator": "gpu", "instanceType": "nvidia-l4", "instanceSize": "x1"}


async def test_a_move_replaces_the_replicas_and_keeps_address_and_settings(driver: Driver) -> None:
    before = (await driver.create(compute=L4, model={"env": {"A": "1"}})).body
    await driver.advance(1_000)
    moved = (await driver.call("PUT", ONE, GCP)).body
    assert (moved["provider"], moved["compute"]["id"]) == (GCP["provider"], "gcp-us-east4-nvidia-l4-x1")
    assert (moved["status"]["state"], moved["status"]["readyReplica"]) == ("updating", 1)
    assert (moved["model"], moved["status"]["url"]) == (before["model"], before["status"]["url"])
    assert driver.endpoint("chat").record.generation == 2
    await driver.advance(1_000)
    assert (await driver.get("chat"))["status"]["state"] == "running"
    update, _ = (await driver.call("GET", "/v2/audit-logs/acme")).body["list"]
    instance = update["reason"]["endpointUpdated"]["instance"]
    assert (instance["before"]["vendor"], instance["after"]["vendor"]) == ("aws", "gcp")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (GCP | {"compute": {"instanceType": "abacus"}}, "compute: no abacus x1 in gcp us-east4; there is "),
        ({"provider": {"vendor": "gcp"}}, "VALIDATION_FAILED: provider: missing field `region`"),
        (
            {"provider": {"vendor": "local", "region": "machine"}, "compute": {"instanceType": "cpu"}},
            "cannot move between this machine and the simulated cloud",
        ),
    ],
)
async def test_a_move_that_is_not_possible_changes_nothing(driver: Driver, change: Any, error: str) -> None:
    before = (await driver.create(model={"repository": "tiny/echo"})).body
    answer = await driver.call("PUT", ONE, change)
    assert answer.status == 400
    assert error in answer.body["error"]
    assert await driver.get("chat") == before
