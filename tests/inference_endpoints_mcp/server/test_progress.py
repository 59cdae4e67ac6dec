"""The progress reporter by itself."""

import asyncio
from collections.abc import Callable

import pytest
from tests.support.hang import HANG_TIMEOUT_S

from inference_endpoints_mcp.server.progress import HEARTBEAT_S, ProgressReporter

pytestmark = pytest.mark.anyio


class Listener:
    """Keeps the notifications. It reads while `reading` is set."""

    def __init__(self) -> None:
        self.notified: list[tuple[float, str | None]] = []
        self.totals: list[float | None] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self._changed = asyncio.Event()

    async def notify(self, progress: float, total: float | None, message: str | None) -> None:
        await self.reading.wait()
        self.notified.append((progress, message))
        self.totals.append(total)
        self._changed.set()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(HANG_TIMEOUT_S):
            while len(self.notified) < count:
                self._changed.clear()
                await self._changed.wait()


async def notify_while(listener: Listener, reporter: ProgressReporter, act: Callable[[], None], count: int) -> None:
    task = asyncio.create_task(reporter.run())
    act()
    await listener.wait_for(count)
    task.cancel()


async def test_a_notification_is_sent_at_every_heartbeat_even_if_nothing_changes() -> None:
    listener = Listener()
    reporter = ProgressReporter(listener.notify, heartbeat=0.01, min_interval=0)
    await notify_while(listener, reporter, lambda: reporter.report(lambda: "still"), 4)
    assert {message for _, message in listener.notified} == {"still"}


def test_the_heartbeat_is_well_below_ten_seconds() -> None:
    assert HEARTBEAT_S < 10


async def test_progress_grows_strictly_even_if_the_clock_stands_still() -> None:
    listener = Listener()
    reporter = ProgressReporter(listener.notify, now=lambda: 7.0, heartbeat=0.01, min_interval=0)
    await notify_while(listener, reporter, lambda: reporter.report(lambda: "x"), 5)
    values = [value for value, _ in listener.notified]
    assert values == sorted(set(values))


async def test_a_long_message_is_cut() -> None:
    listener = Listener()
    reporter = ProgressReporter(listener.notify)
    await notify_while(listener, reporter, lambda: reporter.report(lambda: "m" * 500), 1)
    assert len(listener.notified[0][1] or "") < 200


async def test_a_slow_reader_gets_only_the_newest_message() -> None:
    listener = Listener()
    listener.reading.clear()
    reporter = ProgressReporter(listener.notify, heartbeat=60, min_interval=0)
    task = asyncio.create_task(reporter.run())
    for text in ("one", "two", "three"):
        reporter.report(lambda text=text: text)  # type: ignore[misc]
        await asyncio.sleep(0)
    listener.reading.set()
    await listener.wait_for(2)
    task.cancel()
    assert [message for _, message in listener.notified] == ["one", "three"]


async def test_a_total_is_given_only_while_it_can_still_be_true() -> None:
    listener, clock = Listener(), iter(range(0, 1_000, 10))
    reporter = ProgressReporter(listener.notify, now=lambda: float(next(clock)), heartbeat=0.01, min_interval=0)
    reporter.expect(25.0)
    await notify_while(listener, reporter, lambda: reporter.report(lambda: "x"), 4)
    assert listener.totals[:4] == [25.0, 25.0, None, None]
