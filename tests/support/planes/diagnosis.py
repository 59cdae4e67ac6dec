"""What the tests of diagnosis share: endpoints that are broken on purpose, and their diagnosis."""

import json
from typing import Any

import jsonschema
from tests.support.hosts.host import Host
from tests.support.planes.plane_driver import Driver, tiny_programs
from tests.support.polling import eventually

from inference_endpoints_local.engines.programs import Program, from_catalogue
from inference_endpoints_local.state.record import Spec

LONG_S = 3_600
GPU = {"accelerator": "gpu", "instanceType": "nvidia-l4", "instanceSize": "x1"}
FOUR = {**GPU, "instanceSize": "x4"}
VLLM = {"custom": {"url": "vllm/vllm-openai:v0.11.0", "port": 8000}}
SOURCES = ["replicas", "logs", "metrics", "hardware and quota", "health route", "audit log"]
SCALES_TO_ZERO = {"scaling": {"minReplica": 0, "maxReplica": 1, "scaleToZeroTimeout": 15}}


def tiny_or_real(spec: Spec) -> Program:
    return tiny_programs(spec) if spec["model"]["repository"].startswith("tiny/") else from_catalogue(spec)


async def diagnose(host: Host, name: str = "chat") -> dict[str, Any]:
    """The output of diagnose_endpoint; its next calls must match their schemas."""
    facts = await host.call("diagnose_endpoint", endpoint_name=name)
    tools = {tool.name: tool for tool in (await host.client.list_tools()).tools}
    jsonschema.validate(facts, tools["diagnose_endpoint"].output_schema or False)
    for proposed in facts["next"]:
        jsonschema.validate(proposed["arguments"], tools[proposed["tool"]].input_schema)
    assert len(json.dumps(facts)) < 8_000 * 4
    return facts


async def create_broken(driver: Driver, fault: str, **changes: Any) -> None:
    model = {"env": {"SIMULATED_FAULT": fault}} | changes.pop("model", {})
    assert (await driver.create(model=model, **changes)).status == 200
    for _ in range(4):  # all attempts to start, with the back-off between them
        await driver.advance(LONG_S)


async def wait_for_log(driver: Driver, words: str, name: str = "tiny") -> None:
    """Return once the endpoint's log contains these words."""

    async def is_logged() -> bool:
        return words in str((await driver.call("GET", f"/v2/endpoint/acme/{name}/logs")).body)

    await eventually(is_logged, f"the log of {name} has: {words}")


def next_tools(facts: dict[str, Any]) -> list[str]:
    return [proposed["tool"] for proposed in facts["next"]]
