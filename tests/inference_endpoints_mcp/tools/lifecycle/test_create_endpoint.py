"""Deploying through the tools, on simulated cloud hardware."""

from typing import Any

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.host import Host, Mode
from tests.support.planes.plane_driver import Driver

from inference_endpoints_local.state.faults import Fault
from inference_endpoints_mcp.policy.limits import Limits

pytestmark = pytest.mark.anyio

T4, L4 = "aws-us-east-1-nvidia-t4-x1", "aws-us-east-1-nvidia-l4-x1"
CHAT: dict[str, Any] = {"endpoint_name": "chat", "repository": "org/model", "hardware": L4}


async def test_creating_returns_once_accepted_with_the_next_call(driver: Driver, host: Host) -> None:
    facts = await host.call("create_endpoint", **CHAT)
    assert (facts["state"], facts["changed"], facts["backend"]) == ("pending", True, "simulated")
    assert (facts["hardware"], facts["price_per_hour_usd"]) == (L4, 0.8)
    assert (facts["min_replica"], facts["max_replica"], facts["scale_to_zero_timeout"]) == (0, 1, 15)
    assert "simulated" in facts["now"]
    assert facts["next"] == [{"tool": "wait_for_endpoint", "arguments": {"endpoint_name": "chat", "namespace": "acme"}}]
    assert (await driver.get("chat"))["type"] == "private"


async def test_creating_again_with_the_same_settings_changes_nothing(driver: Driver, modern: Host) -> None:
    spec = CHAT | {"task": "text-generation", "env": {"A": "1"}, "max_replica": 2}
    await modern.call("create_endpoint", **spec)
    before = await driver.get("chat")
    facts = await modern.call("create_endpoint", **spec)
    assert facts["changed"] is False
    assert "same settings" in facts["now"]
    assert await driver.get("chat") == before


async def test_creating_again_with_other_settings_names_them_and_the_tool_that_changes_them(
    driver: Driver, modern: Host
) -> None:
    await modern.call("create_endpoint", **CHAT)
    before = await driver.get("chat")
    message = await modern.refused(
        "create_endpoint", "ALREADY_EXISTS", **CHAT | {"max_replica": 3, "repository": "o/m"}
    )
    assert "compute.scaling.maxReplica, model.repository" in message
    assert "update_endpoint" in message
    assert await driver.get("chat") == before


async def test_a_task_in_config_is_compared_when_the_name_is_taken(modern: Host) -> None:
    await modern.call("create_endpoint", **CHAT, task="text-generation")
    other = {"model": {"task": "feature-extraction"}}
    assert "model.task" in await modern.refused("create_endpoint", "ALREADY_EXISTS", **CHAT, config=other)


async def test_a_dry_run_shows_payload_and_price_and_creates_nothing(driver: Driver, host: Host) -> None:
    facts = await host.call("create_endpoint", **CHAT, max_replica=3, min_replica=1, dry_run=True)
    plan = facts["plan"]
    assert (facts["changed"], facts["backend"], facts["hardware"]) == (False, "simulated", L4)
    assert (plan["per_hour_after_usd"], plan["per_hour_at_most_usd"]) == (0.8, 2.4)
    assert plan["payload"]["compute"]["scaling"] == {"minReplica": 1, "maxReplica": 3}
    assert "always run" in plan["warnings"][0]
    assert (await driver.call("GET", "/v2/endpoint/acme")).body["items"] == []


async def test_the_planned_payload_is_created(driver: Driver, modern: Host) -> None:
    config = {"compute": {"scaling": {"measure": {"pendingRequests": 4.0}}}, "model": {"args": ["--x"]}, "tags": ["t"]}
    planned = await modern.call("create_endpoint", **CHAT, config=config, dry_run=True)
    await modern.call("create_endpoint", **CHAT, config=config)
    created = await driver.get("chat")
    assert planned["plan"]["payload"]["model"]["args"] == created["model"]["args"] == ["--x"]
    assert created["compute"]["scaling"]["measure"] == {"pendingRequests": 4.0}
    assert created["tags"] == ["t"]


async def test_environment_from_both_arguments_is_kept(driver: Driver, modern: Host) -> None:
    await modern.call("create_endpoint", **CHAT, env={"A": "1"}, config={"model": {"env": {"B": "2"}}})
    assert (await driver.get("chat"))["model"]["env"] == {"A": "1", "B": "2"}


async def test_without_hardware_this_machine_is_used_and_named(modern: Host) -> None:
    facts = await modern.call("create_endpoint", endpoint_name="tiny", repository="tiny/echo")
    assert (facts["hardware"], facts["backend"]) == ("local-machine-cpu-x1", "local")
    assert facts["chosen"] == ["Hardware: local-machine-cpu-x1, this machine."]


async def test_a_full_machine_never_means_simulated_hardware_by_itself(driver: Driver, modern: Host) -> None:
    for number in range(2):
        await modern.call("create_endpoint", endpoint_name=f"tiny-{number}", repository="tiny/echo")
    message = await modern.refused("create_endpoint", "NO_CAPACITY", endpoint_name="tiny-2", repository="tiny/echo")
    assert "nvidia" not in message
    assert len((await driver.call("GET", "/v2/endpoint/acme")).body["items"]) == 2


async def test_creating_an_existing_endpoint_succeeds_even_without_capacity(
    driver: Driver, host_of: HostOf, mode: Mode
) -> None:
    tiny = {"endpoint_name": "tiny-0", "repository": "tiny/echo"}
    t4 = {"endpoint_name": "t4-0", "repository": "org/model", "hardware": "aws-us-east-1-nvidia-t4-x4"}
    async with host_of(mode) as host:
        for number in range(2):
            await host.call("create_endpoint", **tiny | {"endpoint_name": f"tiny-{number}"})
        for number in range(4):
            await host.call("create_endpoint", **t4 | {"endpoint_name": f"t4-{number}"})
        await host.refused("create_endpoint", "QUOTA_EXCEEDED", **t4 | {"endpoint_name": "t4-4"})
        for spec in (tiny, t4, t4 | {"hardware": ""}):
            assert (await host.call("create_endpoint", **spec))["changed"] is False
    async with host_of(mode, limits=Limits(max_price_per_hour=0.1, hardware=("gcp-*",))) as host:
        assert (await host.call("create_endpoint", **t4))["changed"] is False
        message = await host.refused("create_endpoint", "ALREADY_EXISTS", **tiny | {"max_replica": 2})
    assert "compute.scaling.maxReplica" in message


async def test_unknown_hardware_is_refused_with_the_nearest(driver: Driver, host: Host) -> None:
    message = await host.refused("create_endpoint", "BAD_REQUEST", **CHAT | {"hardware": "aws-us-east-1-nvidia-l44-x1"})
    assert L4 in message
    assert "l44" not in message


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault.NO_CAPACITY, "NO_CAPACITY"), (Fault.QUOTA_EXCEEDED, "QUOTA_EXCEEDED")]
)
async def test_unavailable_hardware_is_refused_with_alternatives(
    driver: Driver, modern: Host, fault: Fault, code: str
) -> None:
    driver.plane.faults.arm(fault, "create_endpoint")
    message = await modern.refused("create_endpoint", code, **CHAT)
    assert "Nothing was changed" in message
    assert f"Available within quota: {T4} ($0.50/h)" in message
    assert "local-machine" not in message
    assert (await driver.call("GET", "/v2/endpoint/acme")).body["items"] == []


async def test_unlisted_hardware_fails_with_the_services_reason(driver: Driver, modern: Host) -> None:
    driver.plane.faults.arm(Fault.NO_CAPACITY, "create_endpoint")
    config = {"compute": {"instanceType": "nvidia-next"}}
    await modern.refused("create_endpoint", "NO_CAPACITY", **CHAT, config=config)


async def test_alternatives_are_within_quota(driver: Driver, modern: Host) -> None:
    await modern.call("get_vendors")
    for number in range(4):
        spec = {"hardware": "aws-us-east-1-nvidia-t4-x4", "repository": "org/model"}
        await modern.call("create_endpoint", endpoint_name=f"t4-{number}", **spec)
    driver.plane.faults.arm(Fault.NO_CAPACITY, "create_endpoint")
    assert "nvidia-t4" not in await modern.refused("create_endpoint", "NO_CAPACITY", **CHAT)


async def test_hardware_that_was_just_used_up_is_not_listed_as_available(modern: Host) -> None:
    async def offered() -> list[str]:
        rows = (await modern.call("get_vendors", vendor="aws", accelerator="gpu", limit=100))["hardware"]
        return [row["hardware"] for row in rows]

    assert T4 in await offered()
    for number in range(4):
        spec = {"hardware": "aws-us-east-1-nvidia-t4-x4", "repository": "org/model"}
        await modern.call("create_endpoint", endpoint_name=f"t4-{number}", **spec)
    assert T4 not in await offered()


async def test_a_lost_answer_still_makes_exactly_one_endpoint(driver: Driver, host: Host) -> None:
    driver.plane.faults.arm(Fault.DROP_ANSWER, "create_endpoint")
    facts = await host.call("create_endpoint", **CHAT)
    assert facts["changed"] is True
    assert len((await driver.call("GET", "/v2/endpoint/acme")).body["items"]) == 1


@pytest.mark.parametrize(
    ("config", "about"),
    [
        ({"model": {"secrets": {"HF_TOKEN": "x"}}}, "secrets"),
        ({"model": {"image": {"custom": {"url": "r/x", "credentials": {"username": "a"}}}}}, "secrets or credentials"),
        ({"experimentalFeatures": {"list": [{"secrets": {"A": "b"}}]}}, "secrets"),
        ({"type": "protected"}, "protected"),
        ({"name": "other"}, "name"),
        ({"compute": "small"}, "compute"),
        ({"compute": {"scaling": {"maxReplica": "many"}}}, "maxReplica"),
        ({"compute": {"scaling": {"minReplica": [1]}}}, "minReplica"),
        ({"model": {"env": "A=1"}}, "model.env"),
    ],
)
async def test_an_invalid_config_is_refused_and_nothing_is_sent(
    driver: Driver, modern: Host, config: dict[str, Any], about: str
) -> None:
    for dry_run in (True, False):
        message = await modern.refused("create_endpoint", "BAD_REQUEST", **CHAT, config=config, dry_run=dry_run)
        assert about in message
    assert (await driver.call("GET", "/v2/endpoint/acme")).body["items"] == []


async def test_replica_bounds_that_contradict_each_other_are_refused(modern: Host) -> None:
    message = await modern.refused("create_endpoint", "BAD_REQUEST", **CHAT, min_replica=3, max_replica=2)
    assert "min_replica (3) is above max_replica (2)" in message


async def test_an_invalid_name_is_refused_with_the_rule_and_a_valid_name(host: Host) -> None:
    message = await host.refused("create_endpoint", "BAD_REQUEST", endpoint_name="My Chat!", repository="org/model")
    assert "up to 32 lower-case letters" in message
    assert "like my-chat" in message


async def test_without_hardware_a_model_lands_where_it_is_known_to_run(driver: Driver, modern: Host) -> None:
    large = {"endpoint_name": "mistral", "repository": "mistralai/Mistral-7B-Instruct-v0.3", "dry_run": True}
    planned = await modern.call("create_endpoint", **large)
    assert planned["backend"] == "simulated"
    assert planned["chosen"][0].startswith(f"Hardware: {planned['hardware']}, ")
    here = await modern.call("create_endpoint", endpoint_name="tiny", repository="tiny/echo", dry_run=True)
    assert here["hardware"] == "local-machine-cpu-x1"
