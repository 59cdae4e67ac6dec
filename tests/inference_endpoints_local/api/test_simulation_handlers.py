"""What a client controls of a simulated control plane: its failures and its clock."""

import http.client

import pytest
from tests.support.planes.plane_driver import Driver

pytestmark = pytest.mark.anyio


async def arm(driver: Driver, fault: str, operation: str | None = None, times: int = 1) -> None:
    body = {"fault": fault, "operation": operation, "times": times}
    assert (await driver.call("POST", "/local/faults", body)).status == 200


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        ("no_capacity", 400, "Compute instance not available yet"),
        ("quota_exceeded", 409, "Quota exceeded"),
        ("rate_limited", 429, "Too Many Requests"),
        ("server_error", 500, "Internal Server Error"),
    ],
)
async def test_a_fault_happens_instead_of_the_request_as_often_as_requested(
    driver: Driver, fault: str, status: int, message: str
) -> None:
    await arm(driver, fault, "create_endpoint", times=2)
    assert (await driver.call("GET", "/v2/endpoint/acme")).body["totalItems"] == 0
    for _ in range(2):
        answer = await driver.create()
        assert answer.status == status
        assert message in answer.body["error"]
        assert answer.headers.get("retry-after") == ("1" if fault == "rate_limited" else None)
    assert (await driver.create()).status == 200


async def test_a_dropped_response_leaves_the_change_and_closes_the_connection(driver: Driver) -> None:
    await arm(driver, "drop_answer", "create_endpoint")
    with pytest.raises(http.client.RemoteDisconnected):
        await driver.create()
    assert (await driver.get("chat"))["name"] == "chat"


async def test_a_fault_without_an_operation_happens_to_any_and_can_be_cleared(driver: Driver) -> None:
    await arm(driver, "server_error", times=5)
    assert (await driver.call("GET", "/api/whoami-v2")).status == 500
    assert (await driver.call("DELETE", "/local/faults")).status == 200
    assert (await driver.call("GET", "/api/whoami-v2")).status == 200


@pytest.mark.parametrize("body", [{"fault": "flood"}, {"fault": "server_error", "operation": "x"}, {"fault": []}])
async def test_an_unknown_fault_or_operation_is_refused(driver: Driver, body: dict[str, object]) -> None:
    assert (await driver.call("POST", "/local/faults", body)).status == 400


@pytest.mark.parametrize("seconds", [-1, "1", None, True])
async def test_the_clock_only_goes_forward(driver: Driver, seconds: object) -> None:
    assert (await driver.call("POST", "/local/clock", {"advance_s": seconds})).status == 400


async def test_a_call_that_meets_a_fault_wakes_the_endpoint_all_the_same(driver: Driver) -> None:
    await driver.create()
    await driver.advance(400)
    await driver.put_to_sleep("chat")
    await arm(driver, "service_unavailable", "call_endpoint")
    await arm(driver, "not_stopped", "call_endpoint")
    asleep, waking = [await driver.call_endpoint(name="chat", X_Scale_Up_Timeout="60") for _ in range(2)]
    assert (asleep.status, asleep.body) == (503, {"error": "503 Service Unavailable", "code": "SERVICE_UNAVAILABLE"})
    assert (waking.status, waking.body["error"]) == (400, "Bad Request: workload is not stopped")
    assert "retry-after" not in asleep.headers
    assert await driver.state("chat") == "initializing"


async def test_a_call_without_the_token_neither_wakes_the_endpoint_nor_uses_up_a_fault(driver: Driver) -> None:
    await driver.create()
    await driver.advance(400)
    await driver.put_to_sleep("chat")
    await arm(driver, "server_error", "call_endpoint")
    refused = await driver.call("POST", await driver.path_of("chat"), {}, token="wrong")
    assert (refused.status, refused.body) == (401, {"error": "401 Unauthorized", "code": "UNAUTHORIZED"})
    assert await driver.state("chat") == "scaledToZero"
    assert (await driver.call_endpoint(name="chat")).status == 500


async def test_a_dropped_call_of_an_endpoint_closes_the_connection(driver: Driver) -> None:
    await driver.create()
    await arm(driver, "drop_answer", "call_endpoint")
    with pytest.raises(http.client.RemoteDisconnected):
        await driver.call_endpoint(name="chat")
