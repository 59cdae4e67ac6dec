"""How many calls and waits one caller may have at a time, so that no caller blocks the others."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from inference_endpoints.errors import RateLimited

RETRY_AFTER_S = 5.0


@dataclass
class ConcurrencyLimits:
    """Counts the calls of each caller, and those among them that wait."""

    max_calls: int
    max_waits: int
    _calls: Counter[str] = field(default_factory=Counter)
    _waits: Counter[str] = field(default_factory=Counter)

    @property
    def running(self) -> Mapping[str, Callable[[], float]]:
        """What runs now, of all callers. It may be read in another thread."""
        return {"calls": lambda: sum(list(self._calls.values())), "waits": lambda: sum(list(self._waits.values()))}

    @contextmanager
    def counted(self, caller: str, *, waits: bool) -> Iterator[None]:
        """Count a call for as long as the context lasts. Raises `RateLimited` where the caller has too many."""
        kinds = [(self._calls, self.max_calls, "calls", "--max-calls")]
        kinds += [(self._waits, self.max_waits, "waits", "--max-waits")] if waits else []
        for counted, most, what, flag in kinds:
            if counted[caller] >= most:
                raise RateLimited(
                    f"This caller already has {most} {what} running: nothing was done.",
                    hint=f"Try again when one has ended. Only the operator of this server can allow more ({flag}).",
                    retry_after=RETRY_AFTER_S,
                )
        for counted, *_ in kinds:
            counted[caller] += 1
        try:
            yield
        finally:
            for counted, *_ in kinds:
                counted[caller] -= 1
                if not counted[caller]:
                    del counted[caller]
