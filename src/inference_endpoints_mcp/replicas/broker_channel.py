"""A channel between replicas in a broker that speaks the Redis protocol."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from inference_endpoints_mcp.replicas.channel import ChannelEvent
from inference_endpoints_mcp.replicas.shared_state import SharedStateUnavailable

_LEADER = "leader "
"""Begins what the broker itself publishes: who leads. No message begins so."""
_ANSWER_S = 2.0
BROKER_FAILED = (RedisError, OSError, UnicodeError)
"""The broker cannot be reached, refuses, or has what is no text: others may write to it."""

_LEAD = """
local leader = redis.call('GET', KEYS[1])
if not leader then
    leader = ARGV[1]
    redis.call('SET', KEYS[1], leader, 'PX', ARGV[2])
elseif leader == ARGV[1] then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
redis.call('PUBLISH', ARGV[3], ARGV[4] .. leader)
return leader
"""
_RESIGN = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return redis.call('PUBLISH', ARGV[2], ARGV[3])
"""
_PUBLISH_AS_LEADER = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PUBLISH', ARGV[2], ARGV[3])
"""


class BrokerChannel:
    """Implements `Channel`. `send` sends a command to the broker, and may do so twice; the lease is at `lease_key`."""

    def __init__(self, redis: Redis, send: Callable[..., Awaitable[Any]], lease_key: str, channel: str) -> None:
        self._redis = redis
        self._send = send
        self._lease_key = lease_key
        self._channel = channel

    async def lead(self, replica: str, lease_s: float) -> str:
        milliseconds = round(lease_s * 1000)
        arguments = (replica, milliseconds, self._channel, _LEADER)
        return str(await self._send("EVAL", _LEAD, 1, self._lease_key, *arguments))

    async def leader(self) -> str:
        return str(await self._send("GET", self._lease_key) or "")

    async def resign(self, replica: str) -> None:
        await self._send("EVAL", _RESIGN, 1, self._lease_key, replica, self._channel, _LEADER)

    async def publish(self, message: str) -> None:
        await self._send("PUBLISH", self._channel, message)

    async def publish_as_leader(self, message: str, replica: str) -> None:
        await self._send("EVAL", _PUBLISH_AS_LEADER, 1, self._lease_key, replica, self._channel, message)

    @asynccontextmanager
    async def listen(self, silence_s: float) -> AsyncIterator[AsyncIterator[ChannelEvent]]:
        pubsub = self._redis.pubsub()
        try:
            try:
                await pubsub.subscribe(self._channel)
            except BROKER_FAILED as error:
                raise SharedStateUnavailable from error
            await _next(pubsub, _ANSWER_S)  # the broker confirms it: nothing is missed from here
            yield _events(pubsub, silence_s)
        finally:
            with anyio.CancelScope(shield=True), suppress(*BROKER_FAILED):
                await pubsub.aclose()


async def _events(pubsub: PubSub, silence_s: float) -> AsyncIterator[ChannelEvent]:
    while True:
        text = str((await _next(pubsub, silence_s))["data"])
        yield (
            ChannelEvent(leader=text.removeprefix(_LEADER)) if text.startswith(_LEADER) else ChannelEvent(message=text)
        )


async def _next(pubsub: PubSub, within_s: float) -> dict[str, Any]:
    try:
        found: dict[str, Any] | None = await pubsub.get_message(timeout=within_s)
    except BROKER_FAILED as error:
        raise SharedStateUnavailable from error
    if found is None:
        raise SharedStateUnavailable
    return found
