"""Canaries: secrets are put wherever one could stand, and every byte a host receives is searched for them."""

import json
from typing import Any

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.every_tool import EVERY_TOOL
from tests.support.hosts.host import Mode
from tests.support.planes.plane_driver import TOKEN, Driver

from inference_endpoints_local.state.faults import Fault
from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.privacy.lent_secrets import LentSecrets

pytestmark = pytest.mark.anyio

HUB = "hf_" + "Canary01" * 5
NAMED = "plain-looking-canary"
LENT = LentSecrets({"LENT": NAMED})
CANARIES = (TOKEN, HUB, "Canary01Canary01", NAMED)

ENV = {"HF_TOKEN": HUB, "UPSTREAM_API_KEY": NAMED, "SIGNING_KEY": NAMED, "NOTE": f"see {HUB}", "PLAIN": "visible"}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("list_endpoints", {"search": "chat"}),
    ("call_endpoint", {"endpoint_name": "chat", "text": HUB}),
    ("chat_with_endpoint", {"endpoint_name": "chat", "message": HUB}),
    ("update_endpoint", {"endpoint_name": "chat", "env": {"HF_TOKEN": "new-" + NAMED}, "dry_run": True}),
    ("update_endpoint", {"endpoint_name": "chat", "env": {"HF_TOKEN": "new-" + NAMED}}),
    ("create_endpoint", {"endpoint_name": "chat", "repository": "org/model", "env": ENV}),
    ("create_endpoint", {"endpoint_name": "new", "repository": f"org/{HUB}", "env": ENV, "dry_run": True}),
    ("create_endpoint", {"endpoint_name": "new", "repository": "org/m", "config": {"model": {"secrets": {"A": HUB}}}}),
    ("create_endpoint", {"endpoint_name": "new", "repository": "org/model", "secret_names": ["LENT"], "dry_run": True}),
    ("create_endpoint", {"endpoint_name": "new", "repository": "org/model", "secret_names": ["LENT", HUB]}),
    ("create_endpoint", {"endpoint_name": "new", "repository": "org/model", "secret_names": ["LENT"]}),
    ("update_endpoint", {"endpoint_name": "chat", "secret_names": ["LENT"]}),
    ("create_endpoint", {"endpoint_name": HUB, "repository": "org/model"}),
    ("create_endpoint", {"endpoint_name": "new", "repository": "org/model", "hardware": HUB}),
    ("get_endpoint", {"endpoint_name": "chat", "namespace": HUB}),
    ("get_endpoint", {"endpoint_name": "chat", HUB: 1}),
    ("list_endpoints", {"limit": HUB}),
    ("get_vendors", {"vendor": HUB, "limit": 1}),
    ("list_catalog_items", {"search": HUB}),
    ("list_endpoints", {"namespace": "*"}),
    ("get_endpoint", {"endpoint_name": "chat", "response_format": "detailed"}),
    ("has_catalog_item", {"repository": f"org/{HUB}"}),
    ("get_recommended_config", {"repository": "meta-llama/Llama-3.1-8B-Instruct"}),
    ("get_recommended_config", {"repository": f"org/{HUB}"}),
    ("get_quotas", {"vendor": HUB}),
    *EVERY_TOOL.items(),
]


async def deployed(driver: Driver) -> None:
    """An endpoint whose settings, and whose log, hold secrets; what logs the image's address is the engine."""
    image = {"custom": {"url": f"https://robot:{NAMED}@registry/x?{HUB}"}}
    model = {"env": ENV, "secrets": {"HF_TOKEN": HUB}, "args": ["--token", HUB], "image": image}
    assert (await driver.create(model=model, tags=[HUB])).status == 200
    await driver.advance(200)


def clean(received: str) -> bool:
    return not any(canary in received for canary in CANARIES)


async def test_no_result_of_any_tool_shows_a_secret(
    driver: Driver, host_of: HostOf, mode: Mode, caplog: pytest.LogCaptureFixture
) -> None:
    await deployed(driver)
    async with host_of(mode, host_timeout_s=0.5, lent=LENT, approval=ApprovalPolicy(method=ApprovalMethod.OFF)) as host:
        for tool, arguments in CALLS:
            received = (await host.send(tool, **arguments)).model_dump_json()
            assert clean(received), f"{tool}: {received}"
    assert clean(json.dumps(host.progress))
    assert clean(caplog.text)


async def test_values_that_are_no_secrets_are_still_shown(driver: Driver, host_of: HostOf) -> None:
    await deployed(driver)
    async with host_of() as host:
        facts = await host.call("get_endpoint", endpoint_name="chat")
    assert {"PLAIN=visible", "HF_TOKEN=***"} < set(facts["env"].splitlines())
    assert facts["secret_names"] == ["HF_TOKEN"]


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.QUOTA_EXCEEDED, Fault.NO_CAPACITY, Fault.DROP_ANSWER])
async def test_no_failure_of_the_service_shows_a_secret(driver: Driver, host_of: HostOf, fault: Fault) -> None:
    await deployed(driver)
    async with host_of(lent=LENT, approval=ApprovalPolicy(method=ApprovalMethod.OFF)) as host:
        for tool, arguments in CALLS:
            if tool in {"create_endpoint", "update_endpoint", "delete_endpoint"}:
                driver.plane.faults.clear()
                driver.plane.faults.arm(fault, tool)
                assert clean((await host.send(tool, **arguments)).model_dump_json()), tool


async def test_the_question_before_a_deletion_shows_no_secret(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    await driver.create(model={"repository": f"org/{HUB}"})
    questions: list[str] = []
    async with host_of(mode, answer=questions.append) as host:
        await host.refused("delete_endpoint", "REFUSED", endpoint_name="chat")
    assert len(questions) == 1
    assert clean(questions[0])


async def test_no_progress_message_shows_a_secret(driver: Driver, host_of: HostOf) -> None:
    await driver.create(model={"repository": f"org/{HUB}", "image": {"custom": {"url": f"r/{HUB}"}}})
    async with host_of(host_timeout_s=0.5) as host:
        waited = await host.call("wait_for_endpoint", endpoint_name="chat")
        while not host.progress:  # on a busy machine the first read takes longer
            waited = await host.call("wait_for_endpoint", **waited["next"][0]["arguments"])
    assert clean(json.dumps(host.progress))
