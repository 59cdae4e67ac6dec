"""The messages of one replica on a channel: each is numbered and sealed, and taken once."""

from dataclasses import replace

from inference_endpoints_mcp.replicas.channel import Channel
from inference_endpoints_mcp.replicas.observation_messages import MessageSeal, PublishedObservation, WatchRequests

_TO_ALL = "*"


class MessageExchange:
    """`own_id` names the replica for as long as it runs. `channel` and `seal` may change meanwhile."""

    def __init__(self, own_id: str) -> None:
        self.own_id = own_id
        self._number = 0
        self._numbers: dict[str, int] = {}
        """The highest number of a message of each other replica."""

    def use(self, channel: Channel, seal: MessageSeal) -> None:
        self.channel, self._seal = channel, seal

    async def send(self, message: WatchRequests) -> None:
        await self.channel.publish(f"{message.receiver} {self._sealed(message)}")

    async def publish(self, message: PublishedObservation) -> None:
        """Unless another replica leads by now."""
        await self.channel.publish_as_leader(f"{_TO_ALL} {self._sealed(message)}", self.own_id)

    def take(self, text: str, *, follows: bool) -> WatchRequests | PublishedObservation | None:
        """The message, if it is for this replica and was not taken before. What is for all is for those that follow."""
        receiver, _, sealed = text.partition(" ")
        if receiver != self.own_id and not (follows and receiver == _TO_ALL):
            return None
        message = self._seal.unseal(sealed)
        if message is None or message.number <= self._numbers.get(message.sender, 0):
            return None
        self._numbers[message.sender] = message.number
        return None if isinstance(message, WatchRequests) and message.receiver != self.own_id else message

    def _sealed(self, message: WatchRequests | PublishedObservation) -> str:
        self._number += 1
        return self._seal.seal(replace(message, number=self._number))
