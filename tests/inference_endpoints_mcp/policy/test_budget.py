"""The budget: what a namespace may cost per hour. An intel-spr x1 is $0.033/h, an L4 $0.80/h."""

import asyncio
from typing import Any

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.guarded_client import guarded
from tests.support.hosts.host import Mode, text_of
from tests.support.planes.plane_driver import TOKEN, Driver

from inference_endpoints.errors import Refused
from inference_endpoints.models import CreateRequest
from inference_endpoints.transport.backend import local
from inference_endpoints_mcp.policy.limits import Limits

pytestmark = pytest.mark.anyio

L4 = "aws-us-east-1-nvidia-l4-x1"
GPU = {"accelerator": "gpu", "instanceType": "nvidia-l4", "instanceSize": "x1"}
ONE = Limits(max_price_per_hour=1.0)
SPEC: dict[str, Any] = {"endpoint_name": "new", "repository": "org/model", "hardware": L4}


async def test_creating_is_allowed_below_the_budget_and_refused_above_it_with_what_runs(
    driver: Driver, host_of: HostOf, mode: Mode
) -> None:
    async with host_of(mode, limits=ONE) as host:
        await host.call("create_endpoint", **SPEC)
        message = await host.refused("create_endpoint", "REFUSED", **SPEC | {"endpoint_name": "second"})
    assert "$0.8/h" in message
    assert "limit of $1/h" in message
    assert "--max-price-per-hour" in message
    assert len((await driver.call("GET", "/v2/endpoint/acme")).body["items"]) == 1


@pytest.mark.parametrize("more", [{"max_replica": 2}, {"config": {"compute": {"scaling": {"maxReplica": 2}}}}])
async def test_the_most_replicas_count_however_they_are_requested(
    driver: Driver, host_of: HostOf, more: dict[str, Any]
) -> None:
    async with host_of(limits=ONE) as host:
        assert "$1.6/h at 2 replica(s)" in await host.refused("create_endpoint", "REFUSED", **SPEC, **more)


async def test_hardware_in_config_counts_toward_the_price(driver: Driver, host_of: HostOf) -> None:
    config = {"compute": {"instanceSize": "x4"}}
    async with host_of(limits=ONE) as host:
        await host.refused("create_endpoint", "REFUSED", **SPEC, config=config)


async def test_two_creations_at_once_cannot_pass_the_budget_together(driver: Driver, host_of: HostOf) -> None:
    async with host_of(limits=ONE) as host:
        results = await asyncio.gather(
            *(host.send("create_endpoint", **SPEC | {"endpoint_name": f"e{number}"}) for number in range(5))
        )
    assert [result.is_error for result in results].count(False) == 1
    assert all("REFUSED" in text_of(result) for result in results if result.is_error)
    assert len((await driver.call("GET", "/v2/endpoint/acme")).body["items"]) == 1


@pytest.mark.sends_anything
async def test_a_creation_that_was_not_done_is_not_held_against_the_next(driver: Driver, host_of: HostOf) -> None:
    async with host_of(limits=ONE) as host:
        await host.refused("create_endpoint", "BAD_REQUEST", **SPEC, config={"model": {"framework": "none"}})
        await host.call("create_endpoint", **SPEC | {"endpoint_name": "second"})


async def test_a_dry_run_is_never_refused(driver: Driver, host_of: HostOf) -> None:
    async with host_of(limits=Limits(max_price_per_hour=0.01)) as host:
        assert (await host.call("create_endpoint", **SPEC, dry_run=True))["plan"]["per_hour_at_most_usd"] == 0.8


async def test_resuming_counts_what_runs_beside_it(driver: Driver, host_of: HostOf) -> None:
    await driver.create("asleep", compute=GPU)
    await driver.do("asleep", "pause")
    await driver.create("awake", compute=GPU)
    async with host_of(limits=ONE) as host:
        await host.refused("resume_endpoint", "REFUSED", endpoint_name="asleep")
        assert await driver.state("asleep") == "paused"
        await host.call("pause_endpoint", endpoint_name="awake")
        await host.call("resume_endpoint", endpoint_name="asleep")


async def test_an_update_that_costs_more_is_refused(driver: Driver, host_of: HostOf) -> None:
    await driver.create(compute=GPU)
    await driver.advance(200)
    before = await driver.get("chat")
    async with host_of(limits=ONE) as host:
        for change in ({"max_replica": 2}, {"hardware": "aws-us-east-1-nvidia-l4-x4"}):
            await host.refused("update_endpoint", "REFUSED", endpoint_name="chat", **change)
    assert await driver.get("chat") == before


async def test_a_change_that_costs_no_more_is_allowed_even_above_the_budget(driver: Driver, host_of: HostOf) -> None:
    await driver.create(compute=GPU | {"scaling": {"minReplica": 1, "maxReplica": 3}})
    await driver.advance(200)
    async with host_of(limits=Limits(max_price_per_hour=0.1)) as host:
        for change in ({"env": {"A": "1"}}, {"min_replica": 0, "max_replica": 2}):
            assert (await host.call("update_endpoint", endpoint_name="chat", **change))["changed"] is True
        for tool in ("scale_endpoint_to_zero", "pause_endpoint"):
            assert (await host.call(tool, endpoint_name="chat"))["changed"] is True


@pytest.mark.parametrize("tool", ["call_endpoint", "chat_with_endpoint"])
async def test_waking_by_a_call_is_refused_where_it_would_pass_the_budget(
    driver: Driver, host_of: HostOf, tool: str
) -> None:
    await driver.create(compute=GPU)
    await driver.advance(200)
    await driver.put_to_sleep("chat")
    prompt = {"text": "x"} if tool == "call_endpoint" else {"message": "x"}
    async with host_of(limits=Limits(max_price_per_hour=0.5)) as host:
        await host.refused(tool, "REFUSED", endpoint_name="chat", **prompt)
    assert await driver.state("chat") == "scaledToZero"


async def test_waking_counts_the_most_replicas_it_may_grow_to(driver: Driver, host_of: HostOf) -> None:
    await driver.create(compute=GPU | {"scaling": {"minReplica": 0, "maxReplica": 2}})
    await driver.advance(200)
    await driver.put_to_sleep("chat")
    async with host_of(limits=ONE) as host:
        assert "2 replica(s)" in await host.refused("call_endpoint", "REFUSED", endpoint_name="chat", text="x")


async def test_it_holds_at_the_send_and_hardware_without_a_price_is_refused(driver: Driver) -> None:
    async with guarded(local(driver.plane.url, TOKEN), ONE) as client:
        for compute in (GPU | {"instanceType": "nvidia-next"}, GPU | {"instanceSize": "x4"}):
            body = {
                "name": "new",
                "provider": {"vendor": "aws", "region": "us-east-1"},
                "compute": compute | {"scaling": {"minReplica": 1, "maxReplica": 1}},
                "model": {"repository": "org/model", "framework": "pytorch", "image": {"huggingface": {}}},
                "type": "private",
            }
            with pytest.raises(Refused):
                await client.create(CreateRequest.model_validate(body))
        assert await client.list() == []
