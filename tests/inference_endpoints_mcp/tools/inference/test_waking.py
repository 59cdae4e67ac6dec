"""Calls that wake an endpoint: the refusals on the way to its first answer are one wait, with progress."""

import json

import pytest
from tests.support.hosts.host import Host
from tests.support.planes.plane_driver import Driver

from inference_endpoints_local.state.faults import CALL_ENDPOINT, Fault

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("tool", "argument", "shown"),
    [("call_endpoint", "text", "output"), ("chat_with_endpoint", "message", "text")],
)
async def test_the_503_and_the_400_of_an_endpoint_that_wakes_are_one_wait_with_progress(
    driver: Driver, host: Host, tool: str, argument: str, shown: str
) -> None:
    answer = {"choices": [{"message": {"content": "Good morning"}, "finish_reason": "stop"}]}
    await driver.create_local(model={"env": {"TINY_ANSWERS": json.dumps(answer)}})
    await driver.reach("tiny", "running")
    await driver.put_to_sleep("tiny")
    driver.plane.faults.arm(Fault.SERVICE_UNAVAILABLE, CALL_ENDPOINT)
    driver.plane.faults.arm(Fault.NOT_STOPPED, CALL_ENDPOINT)
    facts = await host.call(tool, endpoint_name="tiny", **{argument: "Hello"})
    assert "Good morning" in facts[shown]
    assert facts["woke"] is True
    assert not driver.plane.faults.armed
    messages = [message for _, message in host.progress]
    assert any(message.startswith("waking tiny · ") for message in messages), messages
    values = [value for value, _ in host.progress]
    assert values == sorted(set(values))
