"""Every call that an answer proposes is made, in every state: it is allowed, and it leads on."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from mcp.types import ElicitResult
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.host import Host, text_of
from tests.support.planes.plane_driver import CAN_SLEEP, Driver, PlaneOf
from tests.support.planes.scenarios import L4, finish_all_attempts, finish_starts

pytestmark = pytest.mark.anyio

TOOLS: dict[str, dict[str, Any]] = {
    "get_endpoint": {},
    "get_endpoint_logs": {},
    "get_endpoint_replicas": {},
    "get_endpoint_metric": {},
    "diagnose_endpoint": {},
    "wait_for_endpoint": {"timeout_s": 1},
    "pause_endpoint": {},
    "resume_endpoint": {},
    "scale_endpoint_to_zero": {},
    "update_endpoint": {"max_replica": 2},
    "delete_endpoint": {},
}
"""The tools for one endpoint that are called in each state, each for an endpoint of its own."""
WITHOUT_ONE = ("list_endpoints", "get_costs", "get_audit_logs", "get_quotas")
DEPTH = 3


async def _created(driver: Driver, name: str, **changes: Any) -> None:
    assert (await driver.create(name, compute=L4 | CAN_SLEEP, **changes)).status == 200


def _fails(fault: str) -> Callable[[Driver, list[str]], Awaitable[None]]:
    async def prepare(driver: Driver, names: list[str]) -> None:
        for name in names:
            await _created(driver, name, model={"env": {"SIMULATED_FAULT": fault}})
        await finish_all_attempts(driver)

    return prepare


async def _pending(driver: Driver, names: list[str]) -> None:
    for name in names:
        await _created(driver, name)


async def _initializing(driver: Driver, names: list[str]) -> None:
    await _pending(driver, names)
    await driver.advance(70)


async def _running(driver: Driver, names: list[str]) -> None:
    await _pending(driver, names)
    await finish_starts(driver)


async def _paused(driver: Driver, names: list[str]) -> None:
    await _pending(driver, names)
    for name in names:
        await driver.do(name, "pause")


async def _asleep(driver: Driver, names: list[str]) -> None:
    await _running(driver, names)
    for name in names:
        await driver.put_to_sleep(name)


async def _updating(driver: Driver, names: list[str]) -> None:
    await _running(driver, names)
    for name in names:
        await driver.call("PUT", f"/v2/endpoint/acme/{name}", {"model": {"env": {"A": "2"}}})


async def _update_failed(driver: Driver, names: list[str]) -> None:
    await _running(driver, names)
    for name in names:
        change = {"model": {"env": {"SIMULATED_FAULT": "image_pull_failure"}}}
        await driver.call("PUT", f"/v2/endpoint/acme/{name}", change)
    await finish_all_attempts(driver)


async def _gated(driver: Driver, names: list[str]) -> None:
    for name in names:
        await _created(driver, name, model={"repository": "meta-llama/Llama-3.2-1B-Instruct"})
    await finish_all_attempts(driver)


async def _wrong_port(driver: Driver, names: list[str]) -> None:
    for name in names:
        await _created(driver, name, model={"image": {"custom": {"url": "vllm/vllm-openai:v0.23.0", "port": 80}}})
    await finish_all_attempts(driver)


async def _no_hardware(driver: Driver, names: list[str]) -> None:
    for name in names:
        await _created(driver, name, model={"repository": "Qwen/Qwen2.5-1.5B-Instruct"})
        await driver.do(name, "pause")
    await driver.call("POST", "/local/capacity", {"hardware": "aws-us-east-1-nvidia-l4-x1", "replicas": 0})
    for name in names:
        await driver.do(name, "resume")


async def _update_too_large(driver: Driver, names: list[str]) -> None:
    await _running(driver, names)
    for name in names:
        change = {"model": {"repository": "Qwen/Qwen2.5-72B-Instruct"}}
        await driver.call("PUT", f"/v2/endpoint/acme/{name}", change)
    await finish_all_attempts(driver)


STATES: dict[str, Callable[[Driver, list[str]], Awaitable[None]]] = {
    "pending": _pending,
    "initializing": _initializing,
    "running": _running,
    "updating": _updating,
    "updateFailed": _update_failed,
    "paused": _paused,
    "scaledToZero": _asleep,
    "gated": _gated,
    "wrong port": _wrong_port,
    "no hardware": _no_hardware,
    "update too large": _update_too_large,
    **{fault: _fails(fault) for fault in ("out_of_memory", "crash_on_start", "missing_model", "image_pull_failure")},
}


@pytest.fixture
async def driver(plane_of: PlaneOf, anyio_backend: str) -> AsyncIterator[Driver]:
    async with plane_of(cloud_quota=1_000) as driver:
        yield driver


def approve(question: str) -> bool | str | ElicitResult:
    """A person who approves whatever is asked."""
    if several := re.search(r"To approve, type (\d+) and: (.*)", question):
        return ElicitResult(action="accept", content={"count": int(several[1]), "pattern": several[2]})
    deleted = re.match(r"Delete endpoint acme/(.+)\?", question)
    return deleted[1] if deleted else True


async def walk(host: Host, call: dict[str, Any], path: list[dict[str, Any]]) -> None:
    """Make a proposed call, and those that its answer proposes."""
    result = await host.send(call["tool"], **call["arguments"])
    assert not result.is_error, (path, call, text_of(result))
    proposed = (result.structured_content or {}).get("next", [])
    assert len(proposed) <= 2
    assert (result.structured_content or {}).get("now"), (path, call)
    for following in proposed:
        waits_on = following["tool"] == call["tool"] == "wait_for_endpoint"
        made = [*path, call]
        assert waits_on or not _was_made(following, made), f"it leads back: {[*made, following]}"
        if len(path) < DEPTH and not waits_on:
            await walk(host, following, made)


def _was_made(call: dict[str, Any], path: list[dict[str, Any]]) -> bool:
    """Whether a call was made before; one that only reads or waits, since the last update: then it is another thing."""
    updates = [number for number, made in enumerate(path, 1) if made["tool"] == "update_endpoint"]
    reads = call["tool"].startswith(("get_", "list_", "wait_", "diagnose_"))
    return call in (path[max(updates, default=0) :] if reads else path)


@pytest.mark.parametrize("state", STATES)
async def test_every_proposed_call_is_allowed_and_leads_on(driver: Driver, host_of: HostOf, state: str) -> None:
    names = {tool: f"e{number}" for number, tool in enumerate(TOOLS)}
    await STATES[state](driver, list(names.values()))
    async with host_of(answer=approve, host_timeout_s=0.2) as host:
        for tool, arguments in TOOLS.items():
            result = await host.send(tool, endpoint_name=names[tool], **arguments)
            answer = result.structured_content or {}
            for following in answer.get("next", []):
                await walk(host, following, [])
        for tool in WITHOUT_ONE:
            for following in (await host.call(tool)).get("next", []):
                await walk(host, following, [])
