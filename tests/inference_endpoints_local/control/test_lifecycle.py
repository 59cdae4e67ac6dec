"""The lifecycle as the service documents it, on the simulated engine and a clock that the test advances."""

import re

import pytest
from tests.support.planes.plane_driver import CAN_SLEEP, Driver, PlaneOf

pytestmark = pytest.mark.anyio
READY_S = 200


async def test_a_created_endpoint_goes_from_pending_over_initializing_to_running(driver: Driver) -> None:
    created = await driver.create()
    assert created.status == 200
    status = created.body["status"]
    assert (status["state"], status["readyReplica"], status["targetReplica"]) == ("pending", 0, 1)
    assert status["message"] == "Simulated: Endpoint waiting to be scheduled"
    assert status["url"], "the service shows an address from the beginning"
    progress = []
    for seconds in (10, 60, 100):
        await driver.advance(seconds)
        status = (await driver.get("chat"))["status"]
        progress.append((status["state"], status["message"]))
    assert progress == [
        ("initializing", "Simulated: pulling the image"),
        ("initializing", "Simulated: loading the model"),
        ("running", "Simulated: Endpoint is ready"),
    ]
    assert re.fullmatch(driver.plane.url + "/e/[a-z0-9]{16}", status["url"])
    assert status["readyReplica"] == 1


async def test_every_simulated_document_states_it(driver: Driver) -> None:
    for status in ((await driver.create()).body["status"], (await driver.do("chat", "pause")).body["status"]):
        assert status["engine"] == "simulated"
        assert status["message"].startswith("Simulated: ")


async def test_pausing_shows_at_once_and_resuming_starts_again_at_the_same_address(driver: Driver) -> None:
    await driver.create()
    await driver.advance(READY_S)
    url = (await driver.get("chat"))["status"]["url"]
    paused = (await driver.do("chat", "pause")).body["status"]
    assert (paused["state"], paused["readyReplica"], paused["url"]) == ("paused", 0, url)
    assert (await driver.do("chat", "resume")).body["status"]["state"] == "pending"
    await driver.advance(READY_S)
    assert (await driver.get("chat"))["status"]["url"] == url


async def test_pausing_a_paused_endpoint_succeeds_and_changes_nothing(driver: Driver) -> None:
    await driver.create()
    first = await driver.do("chat", "pause")
    assert (await driver.do("chat", "pause")).body == first.body


async def test_resuming_a_running_endpoint_is_refused_with_the_text_that_clients_search(driver: Driver) -> None:
    await driver.create()
    await driver.advance(READY_S)
    answer = await driver.do("chat", "resume")
    assert answer.status == 400
    assert "already running" in answer.body["error"]


async def test_resuming_a_starting_endpoint_succeeds(driver: Driver) -> None:
    await driver.create()
    assert (await driver.do("chat", "resume")).status == 200


async def test_scaling_to_zero_shows_at_once_and_keeps_the_address(driver: Driver) -> None:
    await driver.create(compute=CAN_SLEEP)
    await driver.advance(READY_S)
    asleep = (await driver.do("chat", "scale-to-zero")).body["status"]
    assert (asleep["state"], asleep["readyReplica"], asleep["targetReplica"]) == ("scaledToZero", 0, 0)
    assert asleep["url"].endswith(await driver.path_of("chat"))
    assert (await driver.do("chat", "scale-to-zero")).status == 200
    assert (await driver.do("chat", "resume")).body["status"]["state"] == "pending"


async def test_without_a_time_out_an_endpoint_cannot_be_scaled_to_zero(driver: Driver) -> None:
    await driver.create()
    await driver.advance(READY_S)
    refused = await driver.do("chat", "scale-to-zero")
    assert (refused.status, refused.body["error"]) == (400, "Bad Request: workload cannot be scaled to zero")


async def test_a_paused_endpoint_can_be_scaled_to_zero(driver: Driver) -> None:
    await driver.create(compute=CAN_SLEEP)
    await driver.do("chat", "pause")
    assert (await driver.do("chat", "scale-to-zero")).body["status"]["state"] == "scaledToZero"


async def test_an_idle_endpoint_scales_to_zero_after_its_minutes_and_a_call_wakes_it(driver: Driver) -> None:
    await driver.create(compute={"scaling": {"minReplica": 0, "scaleToZeroTimeout": 15}})
    await driver.advance(157 + 15 * 60 - 5)
    assert await driver.state("chat") == "running"
    await driver.advance(10)
    assert await driver.state("chat") == "scaledToZero"
    call = await driver.call("POST", await driver.path_of("chat"), {"inputs": "x"})
    assert call.status == 503
    assert "error" in call.body
    status = (await driver.get("chat"))["status"]
    assert status["state"] == "initializing"
    assert "url" in status
    await driver.advance(42)
    assert await driver.state("chat") == "running"


async def test_a_call_keeps_an_endpoint_awake(driver: Driver) -> None:
    await driver.create(compute={"scaling": {"minReplica": 0, "scaleToZeroTimeout": 15}})
    await driver.advance(157 + 14 * 60)
    await driver.call("GET", await driver.path_of("chat") + "/health")
    await driver.advance(14 * 60)
    assert await driver.state("chat") == "running"


async def test_a_paused_endpoint_refuses_calls_in_the_words_of_the_service(driver: Driver) -> None:
    await driver.create()
    await driver.do("chat", "pause")
    answer = await driver.call("POST", await driver.path_of("chat"), {"inputs": "x"})
    assert answer.status == 400
    words = "Bad Request: The endpoint is paused, ask a maintainer to restart it"
    assert answer.body == {"error": words, "code": "BAD_REQUEST"}


async def test_a_simulated_endpoint_is_healthy_and_answers_nothing_else(driver: Driver) -> None:
    await driver.create()
    await driver.advance(READY_S)
    path = await driver.path_of("chat")
    assert (await driver.call("GET", path + "/health")).status == 200
    answer = await driver.call("POST", path + "/v1/chat/completions", {"messages": []})
    assert (answer.status, answer.body) == (
        501,
        {"error": "Simulated endpoint: no model runs here.", "code": "NOT_IMPLEMENTED"},
    )


async def test_a_deleted_endpoint_is_gone_and_its_name_is_free(driver: Driver) -> None:
    await driver.create()
    path = await driver.path_of("chat")
    deleted = await driver.call("DELETE", "/v2/endpoint/acme/chat")
    assert (deleted.status, deleted.body) == (200, {})
    assert (await driver.call("GET", "/v2/endpoint/acme/chat")).status == 404
    assert (await driver.call("POST", path, {})).status == 404
    assert (await driver.create()).status == 200
    assert await driver.path_of("chat") != path


async def test_an_update_of_a_running_endpoint_is_updating_and_serves_meanwhile(driver: Driver) -> None:
    await driver.create()
    await driver.advance(READY_S)
    answer = await driver.call("PUT", "/v2/endpoint/acme/chat", {"model": {"repository": "org/other"}})
    status = answer.body["status"]
    assert (answer.status, status["state"], status["readyReplica"]) == (200, "updating", 1)
    assert (await driver.call("GET", await driver.path_of("chat") + "/health")).status == 200
    await driver.advance(READY_S)
    assert await driver.state("chat") == "running"
    replicas = (await driver.call("GET", "/v2/endpoint/acme/chat/replica")).body["items"]
    assert [replica["status"]["stage"] for replica in replicas] == ["running", "stopped"]


async def test_an_update_that_fails_leaves_the_old_version_serving(driver: Driver) -> None:
    await driver.create()
    await driver.advance(READY_S)
    change = {"model": {"env": {"SIMULATED_FAULT": "image_pull_failure"}}}
    await driver.call("PUT", "/v2/endpoint/acme/chat", change)
    await driver.advance(READY_S)
    status = (await driver.get("chat"))["status"]
    assert (status["state"], status["readyReplica"]) == ("updateFailed", 1)
    assert "manifest unknown" in status["errorMessage"]
    assert (await driver.call("GET", await driver.path_of("chat") + "/health")).status == 200


async def test_a_change_of_scaling_or_tags_restarts_nothing(driver: Driver) -> None:
    await driver.create()
    await driver.advance(READY_S)
    change = {"compute": {"scaling": {"minReplica": 0, "scaleToZeroTimeout": 20}}, "tags": ["team-a"]}
    answer = (await driver.call("PUT", "/v2/endpoint/acme/chat", change)).body
    assert answer["status"]["state"] == "running"
    assert answer["tags"] == ["team-a"]
    await driver.advance(20 * 60 + 1)
    assert await driver.state("chat") == "scaledToZero"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("image_pull_failure", "manifest unknown"),
        ("crash_on_start", "Failed to load the model"),
        ("out_of_memory", "CUDA out of memory"),
    ],
)
async def test_an_endpoint_with_a_fault_fails_with_its_error(driver: Driver, fault: str, message: str) -> None:
    await driver.create(model={"env": {"SIMULATED_FAULT": fault}})
    await driver.advance(1_000)
    status = (await driver.get("chat"))["status"]
    assert (status["state"], status["readyReplica"]) == ("failed", 0)
    assert message in status["errorMessage"]
    logs = (await driver.call("GET", "/v3/endpoint/acme/chat/logs")).body
    assert any(message in entry["line"] for entry in logs)
    assert all(entry["line"].startswith("Simulated: ") for entry in logs)


async def test_a_failed_endpoint_recovers_by_an_update(driver: Driver) -> None:
    await driver.create(model={"env": {"SIMULATED_FAULT": "out_of_memory"}})
    await driver.advance(1_000)
    answer = await driver.call("PUT", "/v2/endpoint/acme/chat", {"model": {"env": {"SIMULATED_FAULT": None}}})
    assert answer.body["status"]["state"] == "pending"
    assert "errorMessage" not in answer.body["status"]
    await driver.advance(READY_S)
    assert await driver.state("chat") == "running"


async def test_a_failed_endpoint_is_tried_again_by_a_resume(driver: Driver) -> None:
    await driver.create(model={"env": {"SIMULATED_FAULT": "image_pull_failure"}})
    await driver.advance(1_000)
    assert (await driver.do("chat", "resume")).body["status"]["state"] == "pending"


async def test_a_slow_start_takes_ten_times_as_long(driver: Driver) -> None:
    await driver.create(model={"env": {"SIMULATED_FAULT": "slow_start"}})
    await driver.advance(1_560)
    assert await driver.state("chat") == "initializing"
    await driver.advance(20)
    assert await driver.state("chat") == "running"


async def test_simulated_time_can_run_faster_than_real_time(plane_of: PlaneOf) -> None:
    async with plane_of(simulated_speed=2_000) as driver:
        await driver.create()
        assert (await driver.reach("chat", "running"))["status"]["readyReplica"] == 1


async def test_hundreds_of_endpoints_start_together(plane_of: PlaneOf) -> None:
    async with plane_of(cloud_quota=1_000) as driver:
        for number in range(200):
            assert (await driver.create(f"e{number}")).status == 200
        await driver.advance(READY_S)
        page = (await driver.call("GET", "/v2/endpoint/acme?limit=100")).body
        assert {endpoint["status"]["state"] for endpoint in page["items"]} == {"running"}
        assert page["totalItems"] == 200
