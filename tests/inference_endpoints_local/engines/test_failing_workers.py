"""Workers that die, hang, cannot start or will not end."""

import asyncio
import os
import signal

import pytest
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.planes.plane_driver import Driver, PlaneOf
from tests.support.polling import eventually, until_ended

from inference_endpoints_local.engines.worker_proxy import WorkerFailed
from inference_endpoints_local.state.clock import ControllableClock

pytestmark = pytest.mark.anyio


async def test_a_worker_that_dies_is_started_again(driver: Driver) -> None:
    await driver.create_local()
    await driver.reach("tiny", "running")
    first = (await driver.call_endpoint()).body["pid"]
    died = await driver.call_endpoint("/die")
    assert died.status == 502
    assert "error" in died.body
    status = (await driver.reach("tiny", "initializing"))["status"]
    assert status["readyReplica"] == 0
    await driver.reach("tiny", "running")
    assert (await driver.call_endpoint()).body["pid"] != first
    lines = [entry["line"] for entry in (await driver.call("GET", "/v3/endpoint/acme/tiny/logs")).body]
    assert "ERROR the tiny worker dies on request" in lines


async def test_a_worker_that_cannot_start_is_tried_three_times_and_fails_with_its_last_lines(plane_of: PlaneOf) -> None:
    clock = ControllableClock(speed=100)  # the waits between attempts, shortened
    async with plane_of(clock=clock) as driver:
        await driver.create_local(model={"env": {"TINY_FAILS": "ValueError: the model is odd"}})
        status = (await driver.reach("tiny", "failed"))["status"]
        assert "ValueError: the model is odd" in status["errorMessage"]
        lines = [entry["line"] for entry in (await driver.call("GET", "/v3/endpoint/acme/tiny/logs")).body]
        assert lines.count("ValueError: the model is odd") == 3
        assert (await driver.call_endpoint()).status == 400


LLAMA = """2026-11-25T13:09:53.703Z INFO loading /half.gguf for text-generation
0.00.024.985 E llama_model_load: error loading model: tensor 'blk.15.attn_output.weight' is not within the file bounds
0.00.024.997 E llama_model_load_from_file_impl: failed to load model
0.00.025.045 E common_fit_params: failed to load model
0.00.039.102 E cmn  common_init_: failed to load model '/half.gguf'
0.00.039.118 E srv    load_model: failed to load model, '/half.gguf'
0.00.039.342 E srv          init: exiting due to model loading error
2026-11-25T13:09:53.768Z ERROR cannot load /half.gguf: RuntimeError: Failed to init server"""


async def test_the_cause_of_a_failure_comes_before_its_consequences(plane_of: PlaneOf) -> None:
    async with plane_of(clock=ControllableClock(speed=100)) as driver:
        await driver.create_local(model={"env": {"TINY_FAILS": LLAMA}})
        lines = (await driver.reach("tiny", "failed"))["status"]["errorMessage"].splitlines()
        assert lines[0].startswith("llama_model_load: error loading model: tensor 'blk.15.attn_output.weight' is not")
        assert lines[1] == "The worker exited with code 1."
        assert lines[-1] == LLAMA.splitlines()[-1]


async def test_a_worker_that_ignores_sigterm_is_killed(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference_endpoints_local.engines.child_process.STOP_TIMEOUT_S", 0.1)
    await driver.create_local()
    await driver.reach("tiny", "running")
    pid = (await driver.call_endpoint()).body["pid"]
    os.kill(pid, signal.SIGSTOP)  # a stopped process does not even see a SIGTERM
    await driver.do("tiny", "pause")
    await until_ended(pid)


async def test_a_worker_that_runs_but_no_longer_answers_is_replaced(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference_endpoints_local.engines.process_replica.HEALTH_CHECK_INTERVAL_S", 0.02)
    monkeypatch.setattr("inference_endpoints_local.engines.process_replica.MAX_UNANSWERED_CHECKS", 3)
    monkeypatch.setattr("inference_endpoints_local.engines.child_process.STOP_TIMEOUT_S", 0.1)
    monkeypatch.setattr("inference_endpoints_local.engines.worker_proxy.CONNECT_TIMEOUT_S", 0.1)
    await driver.create_local()
    await driver.reach("tiny", "running")
    pid = (await driver.call_endpoint()).body["pid"]
    os.kill(pid, signal.SIGSTOP)
    await driver.reach("tiny", "initializing")
    await until_ended(pid)
    await driver.reach("tiny", "running")
    assert (await driver.call_endpoint()).body["pid"] != pid
    lines = [entry["line"] for entry in (await driver.call("GET", "/v3/endpoint/acme/tiny/logs")).body]
    assert any("unanswered" in line for line in lines)


async def test_a_worker_that_answers_every_third_check_does_not_count_as_hung(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = 0

    async def answers_every_third(*_: object) -> int:
        nonlocal checks
        checks += 1
        if checks % 3:
            raise WorkerFailed("no answer")
        return 200

    await driver.create_local()
    await driver.reach("tiny", "running")
    pid = (await driver.call_endpoint()).body["pid"]
    monkeypatch.setattr("inference_endpoints_local.engines.process_replica.MAX_UNANSWERED_CHECKS", 3)
    monkeypatch.setattr("inference_endpoints_local.engines.process_replica.HEALTH_CHECK_INTERVAL_S", 0.01)
    monkeypatch.setattr("inference_endpoints_local.engines.process_replica.get_status", answers_every_third)
    await driver.put_to_sleep("tiny")
    await until_ended(pid)
    assert (await driver.call_endpoint(X_Scale_Up_Timeout="10")).status == 200
    await eventually(lambda: checks > 20)
    assert (await driver.get("tiny"))["status"]["readyReplica"] == 1


async def test_a_worker_that_dies_in_the_middle_of_an_answer_cuts_it_off(driver: Driver) -> None:
    """Rather than ending it as if it were whole."""
    await driver.create_local()
    await driver.reach("tiny", "running")
    pid = (await driver.call_endpoint()).body["pid"]
    reader, writer = await driver.begin_call("/chunks")
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(HANG_TIMEOUT_S):
        rest = await reader.read()
    assert not rest.endswith(b"0\r\n\r\n")
    writer.close()
