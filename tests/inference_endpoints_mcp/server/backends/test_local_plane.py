"""A server whose embedded control plane has died: it is started once more, as it was."""

import asyncio
import sys
from contextlib import AsyncExitStack
from typing import Any

import psutil
import pytest
from tests.inference_endpoints_local.daemon.conftest import machine as machine
from tests.inference_endpoints_local.daemon.machine import Machine
from tests.support.polling import eventually

from inference_endpoints_local.daemon.connect import StartOptions
from inference_endpoints_mcp.server.backends.local_plane import LocalPlaneConnector

pytestmark = pytest.mark.anyio

CALLS = 30


async def test_a_plane_that_died_is_started_once_for_all_calls_and_with_its_own_settings(machine: Machine) -> None:
    started: list[Any] = []

    def note(event: str, facts: Any) -> None:
        if event == "subprocess.Popen" and any(str(machine.data_dir) in word for word in map(str, facts[1])):
            started.append(facts)

    of_a_person = machine.serve("--simulated", "--simulated-speed", "7")
    assert of_a_person.stdout is not None
    await asyncio.to_thread(of_a_person.stdout.readline)
    connector = LocalPlaneConnector(machine.data_dir, StartOptions(simulated=True, simulated_speed=1.0))
    async with AsyncExitStack() as stack:
        lost = await connector.open(stack)
        sys.addaudithook(note)
        psutil.Process(machine.plane.pid).kill()
        await eventually(lambda: connector.has_lost_its_plane)
        found = await asyncio.gather(*(connector.reconnect(lost) for _ in range(CALLS)))
        assert {each.control_plane for each in found} == {lost.control_plane}
        assert len(started) == 1
        assert (machine.plane.simulated, machine.plane.simulated_speed) == (True, 7.0)
