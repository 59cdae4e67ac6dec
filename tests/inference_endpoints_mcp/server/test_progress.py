"""The teller of progress by itself, and how long which host is held."""

import asyncio
from collections.abc import Callable

import pytest

from inference_endpoints_mcp.server.host_limits import UNKNOWN, patience_of
from inference_endpoints_mcp.server.progress import HEARTBEAT_S, Teller

pytestmark = pytest.mark.anyio


class Listener:
    """Keeps what is told; `blocked` makes it stop reading."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str | None]] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self._news = asyncio.Event()

    async def notify(self, progress: float, total: float | None, message: str | None) -> None:
        await self.reading.wait()
        self.told.append((progress, message))
        self._news.set()

    async def heard(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.told) < count:
                self._news.clear()
                await self._news.wait()


async def told_while(listener: Listener, teller: Teller, act: Callable[[], None], count: int) -> None:
    task = asyncio.create_task(teller.run())
    act()
    await listener.heard(count)
    task.cancel()


async def test_something_is_told_at_every_heartbeat_even_though_nothing_changes() -> None:
    listener = Listener()
    teller = Teller(listener.notify, heartbeat=0.01, gap=0)
    await told_while(listener, teller, lambda: teller.report(lambda: "still"), 4)
    assert {message for _, message in listener.told} == {"still"}


def test_the_heartbeat_is_well_below_ten_seconds() -> None:
    assert HEARTBEAT_S < 10


async def test_progress_grows_strictly_even_if_the_clock_stands() -> None:
    listener = Listener()
    teller = Teller(listener.notify, now=lambda: 7.0, heartbeat=0.01, gap=0)
    await told_while(listener, teller, lambda: teller.report(lambda: "x"), 5)
    values = [value for value, _ in listener.told]
    assert values == sorted(set(values))


async def test_a_message_is_cut_to_what_fits() -> None:
    listener = Listener()
    teller = Teller(listener.notify)
    await told_while(listener, teller, lambda: teller.report(lambda: "m" * 500), 1)
    assert len(listener.told[0][1] or "") < 200


async def test_a_reader_who_lags_is_told_the_newest_only() -> None:
    listener = Listener()
    listener.reading.clear()
    teller = Teller(listener.notify, heartbeat=60, gap=0)
    task = asyncio.create_task(teller.run())
    for text in ("one", "two", "three"):
        teller.report(lambda text=text: text)  # type: ignore[misc]
        await asyncio.sleep(0)
    listener.reading.set()
    await listener.heard(2)
    task.cancel()
    assert [message for _, message in listener.told] == ["one", "three"]


@pytest.mark.parametrize("name", ["claude-code", "Claude-Code"])
def test_a_host_known_to_be_patient_is_held_longer_if_it_listens(name: str) -> None:
    assert patience_of(name).told > patience_of(name).untold > UNKNOWN.told


@pytest.mark.parametrize("name", [None, "", "mcp", "a host nobody knows"])
def test_an_unknown_host_is_held_for_less_than_a_minute(name: str | None) -> None:
    assert patience_of(name) == UNKNOWN
    assert UNKNOWN.untold < UNKNOWN.told < 60
