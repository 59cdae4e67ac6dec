"""Replicas over the API: stage, version, and how those that ended did."""

import os
import signal
from typing import Any

import pytest
from tests.support.planes.plane_driver import Driver

pytestmark = pytest.mark.anyio


async def replicas_of(driver: Driver, name: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await driver.call("GET", f"/v2/endpoint/acme/{name}/replica")).body["items"]
    return items


async def stages_of(driver: Driver, name: str) -> list[str]:
    return [replica["status"]["stage"] for replica in await replicas_of(driver, name)]


async def test_a_replica_passes_through_the_stages_of_the_service(driver: Driver) -> None:
    await driver.create()
    await driver.advance(1)
    (pending,) = await replicas_of(driver, "chat")
    assert (pending["status"]["stage"], pending["status"]["startedAt"]) == ("pending", None)
    await driver.advance(10)
    (pulling,) = await replicas_of(driver, "chat")
    assert pulling["status"]["stage"] == "pulling"
    assert pulling["status"]["startedAt"]
    await driver.advance(60)
    assert await stages_of(driver, "chat") == ["initializing"]
    await driver.advance(100)
    (running,) = await replicas_of(driver, "chat")
    assert running["id"] == pending["id"]
    assert running["status"] | {"startedAt": None} == {
        "stage": "running",
        "live": True,
        "updating": False,
        "startedAt": None,
        "stoppedAt": None,
        "exitCode": None,
    }


async def test_during_an_update_the_old_version_is_live_and_the_new_one_is_updating(driver: Driver) -> None:
    await driver.create()
    await driver.advance(200)
    await driver.call("PUT", "/v2/endpoint/acme/chat", {"model": {"env": {"A": "1"}}})
    await driver.advance(70)
    old, new = await replicas_of(driver, "chat")
    assert (old["status"]["live"], old["status"]["updating"]) == (True, False)
    assert (new["status"]["live"], new["status"]["updating"]) == (False, True)
    assert old["versionId"] != new["versionId"]
    await driver.advance(200)
    served, ended = await replicas_of(driver, "chat")
    assert (served["id"], served["status"]["live"], served["status"]["updating"]) == (new["id"], True, False)
    assert (ended["id"], ended["status"]["stage"], ended["status"]["exitCode"]) == (old["id"], "stopped", 0)
    assert ended["status"]["stoppedAt"] >= ended["status"]["startedAt"]


async def test_replicas_that_ran_out_of_memory_have_its_exit_code(driver: Driver) -> None:
    await driver.create(model={"env": {"SIMULATED_FAULT": "out_of_memory"}})
    await driver.advance(1_000)
    replicas = await replicas_of(driver, "chat")
    assert len(replicas) == 3
    assert {replica["status"]["exitCode"] for replica in replicas} == {137}


async def test_a_worker_that_was_killed_has_the_exit_code_of_the_signal(driver: Driver) -> None:
    await driver.create_local()
    await driver.reach("tiny", "running")
    (first,) = await replicas_of(driver, "tiny")
    os.kill((await driver.call_endpoint()).body["pid"], signal.SIGKILL)
    await driver.wait_until(driver.endpoint("tiny"), lambda endpoint: bool(endpoint.ended))
    *_, ended = await replicas_of(driver, "tiny")
    assert (ended["id"], ended["status"]["exitCode"]) == (first["id"], 137)
