"""The part of what replicas share that belongs to one account: a caller with a token of its own."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from inference_endpoints_mcp.replicas.channel import Channel
from inference_endpoints_mcp.replicas.shared_state import SharedState


class AccountState:
    """Implements `SharedState` within another one: groups and locks of this account, which no other account meets.

    `scopes` gives its names, one under each sealing key. While a key is replaced, replicas have some keys in common and
    not all, so a group or a lock counts under each. Claims are shared: their names are random.
    """

    def __init__(self, shared: SharedState, scopes: Callable[[], Sequence[str]]) -> None:
        self._shared = shared
        self._scopes = scopes

    async def claim(self, name: str, valid_s: float) -> bool:
        return await self._shared.claim(name, valid_s)

    async def is_claimed(self, name: str) -> bool:
        return await self._shared.is_claimed(name)

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        async with AsyncExitStack() as held:
            for each in self._own(name):
                await held.enter_async_context(self._shared.lock(each))
            yield

    @asynccontextmanager
    async def slot(self, group: str, member: str = "", limit: int | None = None) -> AsyncIterator[None]:
        async with AsyncExitStack() as held:
            for each in self._own(group):
                await held.enter_async_context(self._shared.slot(each, member, limit))
            yield

    async def members(self, group: str) -> list[str]:
        found = [member for each in self._own(group) for member in await self._shared.members(each)]
        return list(dict.fromkeys(found))

    @property
    def open_channel(self) -> Callable[[str], Channel] | None:
        """As it is: the names of channels depend on the caller and the token."""
        return self._shared.open_channel

    async def is_reachable(self) -> bool:
        return await self._shared.is_reachable()

    async def aclose(self) -> None:
        """The state that it is within goes on."""

    def _own(self, name: str) -> list[str]:
        """In one order everywhere, so that no two replicas wait for each other's locks."""
        return sorted(f"{scope} {name}" for scope in self._scopes())
