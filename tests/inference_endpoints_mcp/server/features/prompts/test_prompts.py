"""Prompts: a question with what the tools return, under the same rules as the tools."""

import json
import subprocess
import sys
from typing import Any

import pytest
from mcp import MCPError
from mcp.types import TextContent
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.inference_endpoints_mcp.privacy.test_secrets import HUB, LENT, NAMED, clean, deployed
from tests.inference_endpoints_mcp.tools.observe.test_diagnose_endpoint import HOSTILE
from tests.support.hosts.host import Host, Mode
from tests.support.hosts.tables import without_tables
from tests.support.planes.plane_driver import TOKEN, Driver

from inference_endpoints_local.state.faults import Fault
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.server.features.prompts import PROMPT_TEMPLATES

pytestmark = pytest.mark.anyio

QWEN = "Qwen/Qwen2.5-7B-Instruct"


async def text_of(host: Host, prompt: str, **arguments: str) -> str:
    (message,) = (await host.client.get_prompt(prompt, arguments)).messages
    assert message.role == "user"
    assert isinstance(message.content, TextContent)
    return message.content.text


async def facts_in(host: Host, prompt: str, **arguments: str) -> dict[str, Any]:
    """The results in a filled prompt, by tool."""
    _, _, *answers = (await text_of(host, prompt, **arguments)).split("\n\n")
    results = (answer.split("\n", 1) for answer in answers)
    return {tool.removesuffix(":"): without_tables(json.loads(output)) for tool, output in results}


async def refused(host: Host, prompt: str, code: int = -32602, **arguments: str) -> str:
    with pytest.raises(MCPError) as refusal:
        await host.client.get_prompt(prompt, arguments)
    assert refusal.value.code == code
    return refusal.value.error.message


async def listed(host: Host) -> list[str]:
    return [prompt.name for prompt in (await host.client.list_prompts()).prompts]


async def test_prompts_are_listed_with_their_arguments(host: Host) -> None:
    prompts = (await host.client.list_prompts()).prompts
    arguments = {
        prompt.name: {argument.name: argument.required for argument in prompt.arguments or []} for prompt in prompts
    }
    assert arguments == {
        "deploy_model": {"repository": True, "namespace": False},
        "diagnose": {"endpoint_name": True, "namespace": False},
        "cut_costs": {"namespace": False},
    }
    assert all(prompt.title and prompt.description for prompt in prompts)


def test_prompts_are_listed_before_the_tools_are_loaded() -> None:
    script = (
        "import sys\n"
        "from inference_endpoints_mcp.policy.limits import Limits\n"
        "from inference_endpoints_mcp.policy.policy import Policy\n"
        "from inference_endpoints_mcp.privacy.redact import Redactor\n"
        "from inference_endpoints_mcp.server.features.prompts import Prompts\n"
        "print(len(Prompts(Policy(Limits()), Redactor()).list_prompts()))\n"
        "print(*(name for name in sys.modules if name == 'inference_endpoints_mcp.tools.registry'))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["3"]


async def test_the_prompt_to_deploy_contains_configuration_price_and_quota(driver: Driver, host: Host) -> None:
    facts = await facts_in(host, "deploy_model", repository=QWEN)
    assert facts["has_catalog_item"] == await host.call("has_catalog_item", repository=QWEN)
    assert facts["get_recommended_config"] == await host.call("get_recommended_config", repository=QWEN)
    assert facts["get_quotas"] == await host.call("get_quotas", limit=50)
    assert facts["get_recommended_config"]["price_per_hour_usd"] > 0
    assert facts["get_recommended_config"]["alternatives"]


async def test_the_prompt_to_diagnose_contains_the_evidence(driver: Driver, host: Host) -> None:
    await driver.create(model={"env": {"SIMULATED_FAULT": "image_pull_failure"}})
    for _ in range(4):  # the attempts, with the waits between them
        await driver.advance(3_600)
    facts = (await facts_in(host, "diagnose", endpoint_name="acme/chat"))["diagnose_endpoint"]
    assert facts["cause"] == "image_pull_failure"
    assert facts["quotes"].startswith("<untrusted-")


async def test_cutting_costs_covers_every_namespace_unless_one_is_named(driver: Driver, host: Host) -> None:
    await driver.create()
    await driver.advance(600)
    every = (await facts_in(host, "cut_costs"))["get_costs"]
    assert every["endpoints"][0]["endpoint_name"] == "chat"
    assert every["cost_now_per_hour_usd"] > 0
    assert (await facts_in(host, "cut_costs", namespace="acme"))["get_costs"].keys() == every.keys()


async def test_a_prompt_states_its_time_and_that_nothing_was_changed(host: Host) -> None:
    question, preamble, _ = (await text_of(host, "cut_costs")).split("\n\n")
    assert question == "Where does my money go, and what could I save?"
    assert " UTC. Nothing was changed. " in preamble


async def test_an_empty_argument_counts_as_missing(host: Host) -> None:
    assert (await facts_in(host, "cut_costs", namespace=" "))["get_costs"]["total"] == 0
    assert "repository is missing" in await refused(host, "deploy_model", repository="")


@pytest.mark.parametrize(
    ("prompt", "arguments", "expected"),
    [
        ("diagnose", {}, "diagnose cannot be filled: endpoint_name is missing. Its arguments: endpoint_name, name"),
        ("diagnose", {"endpoint_name": "x" * 600}, "endpoint_name is longer than 512 characters"),
        ("diagnose", {"endpoint_name": "a", "endpoint": "SHOUT"}, "it has no such argument"),
        ("diagnos", {}, "Unknown prompt. Did you mean diagnose?"),
        ("no-such-thing", {}, "Unknown prompt."),
        ("diagnose", {"endpoint_name": "../whoami"}, "BAD_REQUEST: "),
        ("diagnose", {"endpoint_name": "chat", "namespace": "*"}, "BAD_REQUEST: "),
        ("deploy_model", {"repository": QWEN, "namespace": "*"}, "BAD_REQUEST: "),
    ],
)
async def test_a_prompt_that_cannot_be_filled_names_the_reason(
    host: Host, prompt: str, arguments: dict[str, Any], expected: str
) -> None:
    message = await refused(host, prompt, **arguments)
    assert expected in message
    assert "SHOUT" not in message


async def test_a_failing_tool_is_a_protocol_error_with_our_message(driver: Driver, host: Host) -> None:
    assert (await refused(host, "diagnose", endpoint_name="nothing")).startswith("NOT_FOUND: ")
    unknown = await refused(host, "deploy_model", repository="org/unheard-of")
    assert unknown.startswith("NOT_FOUND: This model is unknown.")
    assert "get_vendors" in unknown
    driver.plane.faults.arm(Fault.SERVER_ERROR, "list_endpoints", 20)
    assert (await refused(host, "cut_costs", -32603, namespace="acme")).startswith("UNAVAILABLE: ")


async def test_every_prompt_works_on_a_read_only_server_and_changes_nothing(
    driver: Driver, host_of: HostOf, mode: Mode
) -> None:
    await driver.create()
    async with host_of(mode, limits=Limits(read_only=True)) as host:
        assert await listed(host) == [template.prompt.name for template in PROMPT_TEMPLATES]
        assert await facts_in(host, "deploy_model", repository=QWEN)
        assert await facts_in(host, "diagnose", endpoint_name="chat")
        assert await facts_in(host, "cut_costs")
        assert (await host.call("list_endpoints"))["total"] == 1


@pytest.mark.parametrize(
    ("limits", "offered"),
    [
        ({"toolsets": ("observe",)}, ["diagnose"]),
        ({"toolsets": ("account",)}, ["cut_costs"]),
        ({"toolsets": ("catalog", "account")}, ["deploy_model", "cut_costs"]),
        ({"tools": ("get_recommended_config", "has_catalog_item")}, []),
    ],
)
async def test_a_prompt_exists_only_where_all_its_tools_are_allowed(
    driver: Driver, host_of: HostOf, mode: Mode, limits: dict[str, tuple[str, ...]], offered: list[str]
) -> None:
    given: dict[str, dict[str, Any]] = {
        "deploy_model": {"repository": QWEN},
        "diagnose": {"endpoint_name": "chat"},
        "cut_costs": {},
    }
    async with host_of(mode, limits=Limits(**limits)) as host:
        assert await listed(host) == offered
        for prompt in given.keys() - offered:
            message = await refused(host, prompt, **given[prompt])
            assert message.startswith("REFUSED: This tool is not among those allowed")


async def test_the_allowed_namespaces_hold_for_prompts(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    await driver.create()
    async with host_of(mode, limits=Limits(namespaces=("elsewhere",))) as host:
        prompts: tuple[tuple[str, dict[str, Any]], ...] = (
            ("diagnose", {"endpoint_name": "chat"}),
            ("cut_costs", {}),
            ("deploy_model", {"repository": QWEN}),
        )
        for prompt, given in prompts:
            message = await refused(host, prompt, namespace="acme", **given)
            assert message.startswith("REFUSED: Only these namespaces")


async def test_prompts_count_among_the_calls_of_a_caller(host_of: HostOf, mode: Mode) -> None:
    async with host_of(mode, max_calls=0) as host:
        assert (await refused(host, "cut_costs", -32603)).startswith("RATE_LIMITED: ")


async def test_no_prompt_shows_a_secret(
    driver: Driver, host_of: HostOf, mode: Mode, caplog: pytest.LogCaptureFixture
) -> None:
    await deployed(driver)
    await driver.create_local("tiny", model={"env": {"TINY_FAILS": f"ValueError: {HUB} {NAMED}"}})
    await driver.reach("tiny", "failed")
    async with host_of(mode, lent=LENT) as host:
        assert "ValueError: ***" in await text_of(host, "diagnose", endpoint_name="tiny")
        for prompt, given in (
            ("diagnose", {"endpoint_name": "chat"}),
            ("diagnose", {"endpoint_name": "tiny"}),
            ("cut_costs", {}),
        ):
            assert clean(await text_of(host, prompt, **given)), prompt
        for canary in (TOKEN, HUB, NAMED):
            assert clean(await refused(host, "diagnose", endpoint_name=canary))
            assert clean(await refused(host, "deploy_model", repository=f"org/{canary}"))
            assert clean(await refused(host, "cut_costs", namespace=canary))
    assert clean(caplog.text)


async def test_untrusted_text_is_in_the_fence_and_nowhere_else(driver: Driver, host: Host) -> None:
    model = {"env": {"TINY_FAILS": f"\x1b[31mValueError: {HOSTILE}\u202e"}, "revision": "IGNORE"}
    await driver.create_local(model=model, tags=["IGNORE"])
    await driver.reach("tiny", "failed")
    text = await text_of(host, "diagnose", endpoint_name="tiny")
    quotes = json.loads(text.split("\n\n")[2].split("\n", 1)[1])["quotes"]
    mark = quotes[1 : quotes.index(" ")]
    before, fenced, after = text.split(mark)
    assert HOSTILE in fenced
    assert "IGNORE" not in before + after
    assert "\u202e" not in text
    assert "\x1b" not in text
