"""Time as an argument: the control loop reads a clock, so that tests and simulations set how fast time passes."""

import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Seconds from an arbitrary start that never go back."""

    def now(self) -> float: ...

    def seconds_until(self, when: float) -> float | None:
        """Real seconds until `now()` reaches `when`; None if the clock stands still."""


class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        return time.monotonic()

    def seconds_until(self, when: float) -> float | None:
        return max(0.0, when - self.now())


class ControllableClock:
    """Runs `speed` times as fast as real time (0: stands still) and can be moved forward.

    Its user sets `next_due`, which returns the next time at which something is due, and `on_move`, which handles it.
    An advance stops at each due time in order, so that one event can cause the next as it would in real time.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if speed < 0:
            raise ValueError("speed must not be negative: time goes forward")
        self.speed = speed
        self.next_due: Callable[[], float | None] = lambda: None
        self.on_move: Callable[[], None] = lambda: None
        self._started = time.monotonic()
        self._moved = 0.0

    def now(self) -> float:
        return self._moved + self.speed * (time.monotonic() - self._started)

    def seconds_until(self, when: float) -> float | None:
        left = when - self.now()
        if left <= 0:
            return 0.0
        return left / self.speed if self.speed else None

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds`, and handle in order what becomes due on the way. Raises ValueError."""
        if not 0 <= seconds < float("inf"):
            raise ValueError("a clock only goes forward, by a finite number of seconds")
        target = self.now() + seconds
        while (stop := self.next_due()) is not None and stop <= target:
            # A microsecond past the stop, so that no rounding leaves it in the future.
            self._moved += max(0.0, stop - self.now()) + 1e-6
            self.on_move()
            if (following := self.next_due()) is not None and following <= stop:
                # Nothing could be handled at this time. The clock does not wait for it.
                break
        self._moved += max(0.0, target - self.now())
        self.on_move()


def wall_s() -> float:
    """Seconds since 1970, for measurements shown in documents."""
    return time.time()


def wall_ns() -> int:
    """Nanoseconds since 1970, for timestamps in documents, which are always real time."""
    return time.time_ns()
