"""Time as an argument: policy asks a clock, so that tests and simulated endpoints decide how fast it runs."""

import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Seconds that only go forward, from an arbitrary start."""

    def now(self) -> float: ...

    def seconds_until(self, when: float) -> float | None:
        """Real seconds until `now()` reaches `when`; None if it never does by itself."""


class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        return time.monotonic()

    def seconds_until(self, when: float) -> float | None:
        return max(0.0, when - self.now())


class ControllableClock:
    """Runs `speed` times as fast as real time (0: stands still) and can be moved forward.

    Whoever waits on it sets `next_due`, which says when something falls due, and `on_move`, which handles it:
    an advance then halts at every stop in order, so that a chain of causes plays out as it would have in time.
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
        """Move forward by `seconds`, handling what falls due on the way, in order."""
        if not 0 <= seconds < float("inf"):
            raise ValueError("a clock only goes forward, by a finite number of seconds")
        target = self.now() + seconds
        while (stop := self.next_due()) is not None and stop <= target:
            # A microsecond past the stop, so that no rounding leaves it in the future.
            self._moved += max(0.0, stop - self.now()) + 1e-6
            self.on_move()
            if (following := self.next_due()) is not None and following <= stop:
                # What fell due could not be handled now; it is not for the clock to wait for it.
                break
        self._moved += max(0.0, target - self.now())
        self.on_move()


def wall_s() -> float:
    """Seconds since 1970, for what is measured and shown in documents."""
    return time.time()


def wall_ns() -> int:
    """Nanoseconds since 1970, for the timestamps of documents, which are always real time."""
    return time.time_ns()
