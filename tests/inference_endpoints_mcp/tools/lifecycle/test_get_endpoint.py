"""`get_endpoint`: its output is small and cleaned; detailed, it has a config that makes an identical endpoint."""

import json
import re
from typing import Any

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.host import OUTPUT_LIMIT, Host, size_of
from tests.support.planes.plane_driver import Driver
from tests.support.planes.scenarios import configuration

pytestmark = pytest.mark.anyio

GPU = {"accelerator": "gpu", "instanceType": "nvidia-l4", "instanceSize": "x4"}
KEPT_ON: dict[str, Any] = {"minReplica": 1, "maxReplica": 3, "measure": {"pendingRequests": 2.5}}
SLEEPY: dict[str, Any] = {"minReplica": 0, "maxReplica": 2, "scaleToZeroTimeout": 42}
VLLM = {"vLLM": {"url": "registry.example/vllm:1", "tensorParallelSize": 4, "port": 8000, "healthRoute": "/ready"}}
CUSTOM = {"custom": {"url": "registry.example/own:1", "credentials": {"username": "u", "password": "p"}}}
ALL: list[dict[str, Any]] = [
    {},
    {"compute": {"scaling": KEPT_ON}},
    {"compute": {"scaling": SLEEPY}, "type": "public", "tags": ["team-a", "prod"]},
    {"compute": GPU | {"scaling": SLEEPY}, "model": {"image": VLLM, "args": ["--a", "b"], "command": ["serve"]}},
    {"model": {"revision": "abc", "task": "feature-extraction", "env": {"MODE": "fast", "EMPTY": ""}}},
    {"model": {"framework": "custom", "image": {"tei": {"url": "registry.example/tei:1", "pooling": "cls"}}}},
    {"route": {"domain": "x.example", "path": "/v1"}, "cacheHttpResponses": True, "customRouter": {"tag": "1"}},
    {"experimentalFeatures": {"skipRepoDownload": True}, "notifications": {"email": True, "push": False}},
]


async def test_a_huge_configuration_still_gives_a_small_output(driver: Driver, modern: Host) -> None:
    many = {f"VARIABLE_{number}": "x" * 2_000 for number in range(200)}
    model = {"env": many, "secrets": dict.fromkeys(many, "s"), "args": ["--long-argument" * 50] * 200}
    assert (await driver.create(model=model, tags=["t" * 500] * 100)).status == 200
    facts = await modern.call("get_endpoint", endpoint_name="chat")
    assert size_of(facts) < OUTPUT_LIMIT
    assert "left out" in facts["now"]
    planned = await modern.call(
        "update_endpoint", endpoint_name="chat", config={"model": {"env": dict.fromkeys(many, "y" * 500)}}, dry_run=True
    )
    assert size_of(planned) < OUTPUT_LIMIT


async def test_text_of_others_in_an_endpoint_is_cleaned(driver: Driver, modern: Host) -> None:
    hidden = "a\x1b[31mb\u202ec\u200bd\U000e0041"
    await driver.create(model={"repository": f"org/{hidden}", "env": {"NOTE": hidden}, "args": [hidden]}, tags=[hidden])
    facts = await modern.call("get_endpoint", endpoint_name="chat")
    row = (await modern.call("list_endpoints"))["endpoints"][0]
    assert facts["repository"] == row["repository"] == "org/abcd"
    assert (facts["env"].splitlines()[1:-1], facts["args"].splitlines()[1:-1]) == (["NOTE=abcd"], ["abcd"])
    assert "abcd" in facts["tags"]
    assert "\x1b" not in facts["tags"]


async def test_times_have_one_format(driver: Driver, modern: Host) -> None:
    await driver.create()
    facts = await modern.call("get_endpoint", endpoint_name="chat")
    for time in (facts["created_at"], facts["updated_at"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time)


async def copied(host: Host, name: str = "chat") -> dict[str, Any]:
    """Pass the config of the output to `create_endpoint` unchanged."""
    facts = await host.call("get_endpoint", endpoint_name=name, response_format="detailed")
    given = {key: facts[key] for key in ("repository", "hardware", "config")}
    await host.call("create_endpoint", endpoint_name="copy", **given)
    return facts


@pytest.mark.parametrize("changes", ALL)
async def test_the_config_makes_an_identical_endpoint(driver: Driver, host_of: HostOf, changes: dict[str, Any]) -> None:
    assert (await driver.create(**changes)).status == 200
    async with host_of(answer=lambda _: True) as host:
        await copied(host)
    assert configuration(await driver.get("copy")) == configuration(await driver.get("chat"))


async def test_the_config_is_shown_only_on_request(driver: Driver, modern: Host) -> None:
    await driver.create()
    assert "config" not in await modern.call("get_endpoint", endpoint_name="chat")


async def test_secrets_and_values_like_secrets_are_left_out_and_named(driver: Driver, modern: Host) -> None:
    env = {"API_KEY": "very-secret-value", "NOTE": "a\u200bb", "MODE": "fast"}
    await driver.create(model={"env": env, "secrets": {"HF_TOKEN": "s"}, "image": CUSTOM})
    facts = await copied(modern)
    assert facts["config"]["model"]["env"] == {"MODE": "fast"}
    assert facts["config"]["model"]["image"] == {"custom": {"url": "registry.example/own:1"}}
    assert facts["now"].endswith("Not in its config: model.env.API_KEY, model.env.NOTE, model.secrets.HF_TOKEN.")
    assert (await driver.get("copy"))["model"]["env"] == {"MODE": "fast"}


async def test_a_config_that_is_too_long_is_left_out_with_a_note(driver: Driver, modern: Host) -> None:
    await driver.create(model={"env": {f"VARIABLE_{number}": "x" * 150 for number in range(60)}})
    facts = await modern.call("get_endpoint", endpoint_name="chat", response_format="detailed")
    assert "config" not in facts
    assert "Its config is too long to show." in facts["now"]
    assert len(json.dumps(facts)) < 28_000
