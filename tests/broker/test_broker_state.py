"""What a broker shares by itself: slots that a dead process gives back, and locks."""

import asyncio
import sys

import pytest
from tests.broker.broker import PASSWORD, Broker
from tests.support.polling import eventually

from inference_endpoints_mcp.replicas.broker_state import BrokerState
from inference_endpoints_mcp.replicas.shared_state import NoFreeSlot

pytestmark = pytest.mark.anyio

LEASE_S = 1.5
HOLDS_A_PLACE = """
import asyncio, sys
from inference_endpoints_mcp.replicas.broker_state import BrokerState
async def main():
    async with BrokerState(sys.argv[1], sys.argv[2], float(sys.argv[3])).slot(sys.argv[4], limit=1):
        print("held", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


async def holds_a_place(broker: Broker, group: str) -> asyncio.subprocess.Process:
    arguments = [broker.url, PASSWORD, str(LEASE_S), group]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDS_A_PLACE, *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"held\n"
    return process


async def test_a_place_is_kept_while_its_process_lives_and_given_back_when_it_dies(broker: Broker) -> None:
    living = await holds_a_place(broker, "of the living")
    dying = await holds_a_place(broker, "of the dying")
    dying.kill()
    await dying.wait()
    state = BrokerState(broker.url, PASSWORD, LEASE_S)

    async def is_given_back() -> bool:
        return not await state.members("of the dying")

    await eventually(is_given_back)
    with pytest.raises(NoFreeSlot):  # it is the older one: only renewals kept it
        async with state.slot("of the living", limit=1):
            pass
    living.kill()
    await living.wait()
    async with state.slot("of the dying", "another", limit=1):
        assert await state.members("of the dying") == ["another"]
    assert await state.members("of the dying") == []
    await state.aclose()


async def test_a_broker_that_lost_everything_gets_the_places_again(broker: Broker) -> None:
    state = BrokerState(broker.url, PASSWORD, LEASE_S)
    async with state.slot("starts", "one"):
        broker.kill()
        assert not await state.is_reachable()
        broker.start()
        other = BrokerState(broker.url, PASSWORD)

        async def is_there_again() -> bool:
            return await other.members("starts") == ["one"]

        await eventually(is_there_again)
    assert await other.members("starts") == []
    await other.aclose()
    await state.aclose()


async def test_a_restart_of_the_broker_between_two_requests_fails_none(broker: Broker) -> None:
    """The connections that were kept are dead, which nobody noticed."""
    state = BrokerState(broker.url, PASSWORD)
    await asyncio.gather(*(state.is_claimed("plan") for _ in range(5)))
    for claimed in ("one", "two"):
        broker.kill()
        broker.start()
        assert await state.claim(claimed, 60)
        assert not await state.claim(claimed, 60)
    broker.kill()
    broker.start()
    async with state.lock("starts"):
        assert await state.members("starts") == []
    await state.aclose()


async def test_one_at_a_time_is_in_a_lock_of_two_replicas(broker: Broker) -> None:
    states = [BrokerState(broker.url, PASSWORD) for _ in range(2)]
    inside = 0

    async def enter(state: BrokerState) -> None:
        nonlocal inside
        async with state.lock("starts"):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(enter(state) for state in states for _ in range(10)))
    for state in states:
        await state.aclose()
