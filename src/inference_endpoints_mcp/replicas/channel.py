"""The channel on which replicas publish, and which of them leads."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class ChannelEvent:
    """What came on a channel: who leads now, empty where nobody does, or else a message."""

    leader: str | None = None
    message: str = ""


class Channel(Protocol):
    """One of the channels between replicas. What is published while a replica does not listen, it misses.

    Every method raises `SharedStateUnavailable` where the channel cannot be used now.
    """

    async def lead(self, replica: str, lease_s: float) -> str:
        """Lead for so many seconds from now, unless another replica leads. Returns which one does; all hear it."""

    async def leader(self) -> str:
        """The replica that leads now; empty if none does."""

    async def resign(self, replica: str) -> None:
        """Lead no longer. All hear it."""

    async def publish(self, message: str) -> None: ...

    async def publish_as_leader(self, message: str, replica: str) -> None:
        """Publish this unless another replica leads by now."""

    def listen(self, silence_s: float) -> AbstractAsyncContextManager[AsyncIterator[ChannelEvent]]:
        """What is published from now on. After `silence_s` seconds without a message the channel counts as lost."""
