"""What replicas of one server share: names that are claimed once, slots in groups, and locks."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from inference_endpoints.errors import Unavailable
from inference_endpoints_mcp.replicas.channel import Channel


class NoFreeSlot(Exception):
    """A group has as many members as it may have."""


class SharedState(Protocol):
    """Times are in seconds. What is shared through a broker raises `SharedStateUnavailable` where it does not answer;
    what one process has for itself never does.
    """

    async def claim(self, name: str, valid_s: float) -> bool:
        """Claim a name for so long. Returns False if it is claimed already."""

    async def is_claimed(self, name: str) -> bool: ...

    def lock(self, name: str) -> AbstractAsyncContextManager[None]:
        """Only one at a time is in this block, in all replicas. It may take a few seconds, not longer."""

    def slot(self, group: str, member: str = "", limit: int | None = None) -> AbstractAsyncContextManager[None]:
        """Hold a slot of a group during a block. It is given back too when this process dies.

        Raises `NoFreeSlot` if the group has `limit` members already.
        """

    async def members(self, group: str) -> list[str]:
        """The members that hold a slot of a group now."""

    @property
    def open_channel(self) -> Callable[[str], Channel] | None:
        """Opens a channel to the others by its name; None where there are no others."""

    async def is_reachable(self) -> bool: ...

    async def aclose(self) -> None: ...


class SharedStateUnavailable(Unavailable):
    """The broker does not answer: what must hold for all replicas together cannot be decided.

    >>> SharedStateUnavailable().retryable
    True
    """

    def __init__(self) -> None:
        super().__init__(
            "The broker that the replicas of this server share cannot be reached: nothing was changed.",
            hint="Reading and waiting work meanwhile. Try again later; the operator of this server sees the broker in "
            "/readyz.",
        )
