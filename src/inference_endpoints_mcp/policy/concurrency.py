"""How many calls and waits one caller may have at a time, so that no caller blocks the others."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from inference_endpoints.errors import RateLimited
from inference_endpoints_mcp.replicas.process_state import ProcessState
from inference_endpoints_mcp.replicas.shared_state import NoFreeSlot, SharedState, SharedStateUnavailable

RETRY_AFTER_S = 5.0


@dataclass
class ConcurrencyLimits:
    """Counts the calls of each caller, and those among them that wait, over all replicas of this server. Where the
    broker cannot be reached, each replica counts its own."""

    max_calls: int
    max_waits: int
    shared: SharedState
    _here: ProcessState = field(default_factory=ProcessState)
    _running: Counter[str] = field(default_factory=Counter)

    @property
    def running(self) -> Mapping[str, Callable[[], float]]:
        """What runs now in this process, of all callers. It may be read in another thread."""
        return {"calls": lambda: self._running["calls"], "waits": lambda: self._running["waits"]}

    @asynccontextmanager
    async def counted(self, caller: str, *, waits: bool) -> AsyncIterator[None]:
        """Count a call for as long as the context lasts. Raises `RateLimited` where the caller has too many."""
        kinds = [("calls", self.max_calls), *([("waits", self.max_waits)] if waits else [])]
        async with AsyncExitStack() as slots:
            for kind, limit in kinds:
                try:
                    await slots.enter_async_context(self._here.slot(f"{kind} {caller}", limit=limit))
                    await self._count_everywhere(slots, f"{kind} {caller}", limit)
                except NoFreeSlot:
                    raise RateLimited(
                        f"This caller already has {limit} {kind} running: nothing was done.",
                        hint="Try again when one has ended. Only the operator of this server can allow more "
                        f"(--max-{kind}).",
                        retry_after=RETRY_AFTER_S,
                    ) from None
            self._running.update(kind for kind, _ in kinds)
            try:
                yield
            finally:
                self._running.subtract(kind for kind, _ in kinds)

    async def _count_everywhere(self, slots: AsyncExitStack, group: str, limit: int) -> None:
        try:
            await slots.enter_async_context(self.shared.slot(group, limit=limit))
        except SharedStateUnavailable:
            return
