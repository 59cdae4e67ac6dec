"""Real worker processes behind the gateway. The worker is tiny_worker.py, which runs no model."""

import asyncio
import http.client
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.planes.plane_driver import TOKEN, Driver, PlaneOf, tiny_programs
from tests.support.polling import until_ended

from inference_endpoints_local.engines.child_process import process_identity
from inference_endpoints_local.models.artifacts import FetchProgress, OnProgress, WeightsError
from inference_endpoints_local.state.clock import ControllableClock

pytestmark = pytest.mark.anyio


async def test_a_deployed_endpoint_is_a_process_that_answers_and_ends_with_a_pause(driver: Driver) -> None:
    created = await driver.create_local()
    assert created.status == 200
    assert created.body["status"]["state"] == "pending"
    assert created.body["compute"]["id"] == "local-machine-cpu-x1"
    assert created.body["model"]["task"] == "text-generation"
    status = (await driver.reach("tiny", "running"))["status"]
    assert (status["engine"], status["message"], status["readyReplica"]) == ("process", "Endpoint is ready", 1)
    answer = await driver.call_endpoint("/v1/echo?q=a%2Fb", {"inputs": "hi"})
    assert (answer.status, answer.body["path"], answer.body["body"]) == (200, "/v1/echo?q=a%2Fb", '{"inputs": "hi"}')
    pid = answer.body["pid"]
    assert (await driver.do("tiny", "pause")).body["status"]["state"] == "paused"
    await until_ended(pid)
    await driver.wait_until(driver.endpoint("tiny"), lambda endpoint: not endpoint.replicas)
    assert not driver.plane.busy


async def test_the_worker_reads_what_to_serve(driver: Driver) -> None:
    await driver.create_local(compute={"instanceSize": "x2"})
    await driver.reach("tiny", "running")
    assert (await driver.call_endpoint()).body["order"] == {
        "endpoint": "tiny",
        "model": "tiny/echo",
        "task": "text-generation",
        "files": {},
        "threads": 2,
        "context": 4096,
        "parallel": 2,
    }


async def test_the_worker_sees_the_endpoints_variables_and_none_of_the_planes(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_plane")
    monkeypatch.setenv("INFERENCE_ENDPOINTS_TOKEN", TOKEN)
    await driver.create_local(model={"env": {"MINE": "1"}, "secrets": {"KEY": "k"}})
    await driver.reach("tiny", "running")
    environment = (await driver.call_endpoint()).body["environment"]
    assert (environment["MINE"], environment["KEY"]) == ("1", "k")
    assert "HF_TOKEN" not in environment
    assert TOKEN not in environment.values()


async def test_a_variable_that_the_worker_does_not_read_is_refused_by_name(driver: Driver) -> None:
    answer = await driver.create_local(model={"env": {"TINY_SAYS": "hello", "OPENSSL_CONF": "x"}})
    assert answer.status == 422
    assert "model.env: OPENSSL_CONF is no variable that the worker" in answer.body["error"]


async def test_the_callers_token_does_not_reach_the_worker(driver: Driver) -> None:
    await driver.create_local()
    await driver.reach("tiny", "running")
    headers = (await driver.call_endpoint(X_Mine="1", Connection="close, X-Hop", X_Hop="1")).body["headers"]
    assert headers["x-mine"] == "1"
    assert TOKEN not in headers["authorization"]
    assert "x-hop" not in headers


async def test_access_is_by_the_token_unless_the_endpoint_is_public(driver: Driver) -> None:
    await driver.create_local()
    await driver.reach("tiny", "running")
    path = await driver.path_of("tiny")
    assert (await driver.call("POST", path, {}, token=None)).status == 401
    assert (await driver.call("POST", path, {}, token="wrong")).status == 401
    await driver.call("PUT", "/v2/endpoint/acme/tiny", {"type": "public"})
    assert (await driver.call("POST", path, {}, token=None)).status == 200


async def test_the_health_route_of_the_document_answers(driver: Driver) -> None:
    document = (await driver.create_local()).body
    await driver.reach("tiny", "running")
    assert (await driver.call("GET", await driver.path_of("tiny") + document["healthRoute"])).status == 200


async def test_answers_stream_as_they_come(driver: Driver) -> None:
    await driver.create_local()
    await driver.reach("tiny", "running")
    async with asyncio.timeout(HANG_TIMEOUT_S):
        reader, writer = await driver.begin_call("/events")
        assert await reader.readuntil(b"data: 1\n\n")
        await driver.call_endpoint("/release")
        assert await reader.readuntil(b"data: 2\n\n")
    writer.close()


async def test_bodies_stream_in_chunks_and_have_a_limit(driver: Driver) -> None:
    await driver.create_local()
    await driver.reach("tiny", "running")
    path = await driver.path_of("tiny")

    def send(size: int, chunked: bool) -> int:
        connection = http.client.HTTPConnection(driver.plane.url.removeprefix("http://"), timeout=HANG_TIMEOUT_S)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        body: Any = (b"x" * 100_000 for _ in range(size // 100_000)) if chunked else b"x" * size
        try:
            connection.request("POST", path, body, headers, encode_chunked=chunked)
            return connection.getresponse().status
        except (BrokenPipeError, ConnectionResetError):
            return 413  # refused while still being sent
        finally:
            connection.close()

    assert await asyncio.to_thread(send, 1_000_000, True) == 200
    assert await asyncio.to_thread(send, 1_000_000, False) == 200
    assert await asyncio.to_thread(send, 40_000_000, False) == 413
    assert await asyncio.to_thread(send, 40_000_000, True) == 413


async def test_a_caller_that_leaves_frees_the_worker(driver: Driver) -> None:
    await driver.create_local()
    await driver.reach("tiny", "running")
    _, writer = await driver.begin_call("/hang")
    writer.close()
    assert (await driver.call("GET", await driver.path_of("tiny") + "/left")).body == {"left": True}


async def test_an_endpoint_scaled_to_zero_holds_a_call_until_it_runs_if_the_caller_allows(driver: Driver) -> None:
    await driver.create_local()
    await driver.reach("tiny", "running")
    pid = (await driver.call_endpoint()).body["pid"]
    assert (await driver.put_to_sleep("tiny")).body["status"]["state"] == "scaledToZero"
    await until_ended(pid)
    answer = await driver.call_endpoint("/v1/echo", {"inputs": "hi"}, X_Scale_Up_Timeout="20")
    assert (answer.status, answer.body["body"]) == (200, '{"inputs": "hi"}')
    assert answer.body["pid"] != pid


async def test_a_held_call_ends_with_503_when_its_time_is_over(driver: Driver, tmp_path: Path) -> None:
    await driver.create_local(model={"env": {"TINY_LOADS_UNTIL": str(tmp_path / "loaded")}})
    answer = await driver.call_endpoint(X_Scale_Up_Timeout="0.05")
    assert answer.status == 503
    assert (await driver.reach("tiny", "initializing"))["status"]["message"] in ("Loading the model", "Starting")
    (tmp_path / "loaded").touch()
    await driver.reach("tiny", "running")


async def test_an_idle_endpoint_ends_its_process(plane_of: PlaneOf) -> None:
    clock = ControllableClock(speed=0)
    async with plane_of(clock=clock) as driver:
        await driver.create_local(compute={"scaling": {"minReplica": 0, "scaleToZeroTimeout": 15}})
        await driver.reach("tiny", "running")
        pid = (await driver.call_endpoint()).body["pid"]
        await driver.wait_until(driver.endpoint("tiny"), lambda endpoint: not endpoint.load.requests)
        clock.advance(15 * 60 + 1)
        await driver.plane.settle()
        assert await driver.state("tiny") == "scaledToZero"
        await until_ended(pid)


async def test_cores_are_the_quota_and_endpoints_scaled_to_zero_use_none(driver: Driver) -> None:
    assert (await driver.create_local("big", compute={"instanceSize": "x2"})).status == 200
    refused = await driver.create_local("small")
    assert (refused.status, refused.body["error"]) == (409, "Conflict: Quota exceeded")
    await driver.reach("big", "running")
    await driver.put_to_sleep("big")
    assert (await driver.create_local("small")).status == 200
    vendors = (await driver.call("GET", "/v2/provider/acme")).body["vendors"]
    quota = vendors[0]["regions"][0]["computes"][0]["quota"]
    assert quota == {"maxAccelerators": 2, "usedAccelerators": 1}


async def test_a_woken_endpoint_waits_for_a_free_core(driver: Driver) -> None:
    await driver.create_local("a", compute={"instanceSize": "x2"})
    await driver.reach("a", "running")
    await driver.put_to_sleep("a")
    await driver.create_local("b", compute={"instanceSize": "x2"})
    await driver.reach("b", "running")
    assert (await driver.call_endpoint(name="a")).status == 503
    assert "no core is free" in (await driver.get("a"))["status"]["message"]
    await driver.do("b", "pause")
    await driver.reach("a", "running")


async def test_calls_are_spread_over_replicas(driver: Driver) -> None:
    await driver.create_local(compute={"scaling": {"minReplica": 2, "maxReplica": 2}})
    await driver.wait_until(driver.endpoint("tiny"), lambda endpoint: len(endpoint.ready) == 2)
    replicas = (await driver.call("GET", "/v2/endpoint/acme/tiny/replica")).body["items"]
    assert [replica["status"]["live"] for replica in replicas] == [True, True]
    _, writer = await driver.begin_call("/hang")
    answers = {(await driver.call_endpoint()).body["pid"] for _ in range(3)}
    assert len(answers) == 1  # the idle one
    writer.close()


async def test_a_model_that_cannot_run_is_refused_with_those_that_can(driver: Driver, plane_of: PlaneOf) -> None:
    answer = await driver.create_local(model={"repository": "org/huge"})
    assert (answer.status, answer.body["error"]) == (400, "Bad Request: only tiny/… runs here")


async def test_deleting_ends_the_process_and_drops_its_logs(driver: Driver) -> None:
    await driver.create_local()
    await driver.reach("tiny", "running")
    pid = (await driver.call_endpoint()).body["pid"]
    endpoint = driver.endpoint("tiny")
    await driver.call("DELETE", "/v2/endpoint/acme/tiny")
    await until_ended(pid)
    await driver.wait_until(endpoint, lambda endpoint: not endpoint.replicas)
    assert not driver.plane.busy
    assert list((driver.plane.options.data_dir / "logs").iterdir()) == []


async def test_stopping_the_plane_ends_every_worker(plane_of: PlaneOf) -> None:
    async with plane_of() as driver:
        await driver.create_local()
        await driver.reach("tiny", "running")
        pid = (await driver.call_endpoint()).body["pid"]
    assert process_identity(pid) is None


async def test_fetching_weights_reports_its_progress(plane_of: PlaneOf) -> None:
    reported, proceed = threading.Event(), threading.Event()

    def fetch(_: Path, on_progress: OnProgress) -> dict[str, Path]:
        on_progress(FetchProgress("weights", 34_000_000, 93_500_000))
        reported.set()
        assert proceed.wait(HANG_TIMEOUT_S)
        return {"gguf": Path("x.gguf")}

    async with plane_of(programs=lambda spec: replace(tiny_programs(spec), files=fetch)) as driver:
        await driver.create_local()
        await asyncio.to_thread(reported.wait, HANG_TIMEOUT_S)
        assert (await driver.get("tiny"))["status"]["message"] == "Fetching weights (34 of 94 MB)"
        proceed.set()
        await driver.reach("tiny", "running")
        assert (await driver.call_endpoint()).body["order"]["files"] == {"gguf": "x.gguf"}


async def test_weights_that_cannot_be_fetched_fail_the_endpoint_at_once(plane_of: PlaneOf) -> None:
    def fetch(_: Path, __: OnProgress) -> dict[str, Path]:
        raise WeightsError("The index cannot be reached.")

    async with plane_of(programs=lambda spec: replace(tiny_programs(spec), files=fetch)) as driver:
        await driver.create_local()
        status = (await driver.reach("tiny", "failed"))["status"]
        assert status["errorMessage"] == "The index cannot be reached."


async def test_pausing_ends_a_fetch(plane_of: PlaneOf) -> None:
    fetching, ended = threading.Event(), threading.Event()

    def fetch(_: Path, on_progress: OnProgress) -> dict[str, Path]:
        try:
            while True:
                on_progress(FetchProgress("weights", 1, 2))
                fetching.set()
        finally:
            ended.set()

    async with plane_of(programs=lambda spec: replace(tiny_programs(spec), files=fetch)) as driver:
        await driver.create_local()
        await asyncio.to_thread(fetching.wait, HANG_TIMEOUT_S)
        await driver.do("tiny", "pause")
        assert await asyncio.to_thread(ended.wait, HANG_TIMEOUT_S)


async def test_an_endpoint_larger_than_this_machine_blocks_no_other(plane_of: PlaneOf) -> None:
    async with plane_of(cores=4) as driver:
        await driver.create_local("big", compute={"instanceSize": "x4"})
        await driver.do("big", "pause")
    async with plane_of(cores=2) as driver:
        assert (await driver.create_local("small")).status == 200
        resumed = await driver.do("big", "resume")
        assert resumed.status == 400
        assert "there is cpu x1, cpu x2" in resumed.body["error"]
