"""Shared state in a broker that speaks the Redis protocol: Redis or Valkey. Needs the extra `broker`."""

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import LockError

from inference_endpoints_mcp.replicas.broker_channel import BROKER_FAILED, BrokerChannel
from inference_endpoints_mcp.replicas.shared_state import NoFreeSlot, SharedStateUnavailable

log = logging.getLogger(__name__)

_PREFIX = "inference-endpoints-mcp"
_ANSWER_S = 2.0
"""Seconds for a connection, and for an answer on it."""
_PAUSE_S = 1.0
"""Seconds after a failure in which the broker is not asked again: a dead one must not slow every call."""
LEASE_S = 30.0
"""Seconds after which a slot is given back whose replica no longer renews it."""
_LOCK_S = 30.0
_LOCKED_AT_MOST_S = 25.0
"""Whoever holds a lock gives up before the broker would give it to another."""

# A member is `id|text`; its score is when it ends, by the broker's clock, so that clocks of replicas do not matter.
_ENTER = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if tonumber(ARGV[3]) >= 0 and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('EXPIRE', KEYS[1], math.ceil(ARGV[2]))
return 1
"""
# Whoever sends it again, since the answer was lost, has claimed it as well.
_CLAIM = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2]) then return 1 end
return redis.call('GET', KEYS[1]) == ARGV[1] and 1 or 0
"""
_MEMBERS = """
local clock = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', clock[1] + clock[2] / 1000000)
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""


class BrokerState:
    """Implements `SharedState` for replicas with the same broker. It connects on first use, and anew after a loss.

    Names go to the broker as hashes, members as they are: they must hold no secret.
    """

    def __init__(self, url: str, password: str | None = None, lease_s: float = LEASE_S) -> None:
        self._redis: Redis = Redis.from_url(
            url,
            password=password,
            decode_responses=True,
            socket_connect_timeout=_ANSWER_S,
            socket_timeout=_ANSWER_S,
        )
        self._lease_s = lease_s
        self._held: dict[str, str] = {}
        """The groups of the slots that this replica holds, by member."""
        self._renewing: asyncio.Task[None] | None = None
        self._ended = False
        self._locks: dict[str, asyncio.Lock] = {}
        self._failed_at = float("-inf")

    async def claim(self, name: str, valid_s: float) -> bool:
        own, seconds = secrets.token_hex(8), max(1, round(valid_s))
        return bool(await self._send("EVAL", _CLAIM, 1, _key("claim", name), own, seconds))

    async def is_claimed(self, name: str) -> bool:
        return bool(await self._send("EXISTS", _key("claim", name)))

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        # Those of this process wait for each other here, so that only one of them asks the broker.
        async with self._locks.setdefault(name, asyncio.Lock()):
            await self._send("PING")  # finds out which of the kept connections are dead
            lock = self._redis.lock(_key("lock", name), timeout=_LOCK_S, sleep=0.02, blocking_timeout=_LOCK_S)
            try:
                held = await lock.acquire()
            except BROKER_FAILED as error:
                raise self._failure(error) from error
            if not held:
                raise SharedStateUnavailable
            deadline = asyncio.timeout(_LOCKED_AT_MOST_S)
            try:
                async with deadline:
                    yield
            except TimeoutError as error:
                if deadline.expired():
                    raise SharedStateUnavailable from error
                raise
            finally:
                with anyio.CancelScope(shield=True), suppress(LockError, *BROKER_FAILED):
                    await lock.release()

    @asynccontextmanager
    async def slot(self, group: str, member: str = "", limit: int | None = None) -> AsyncIterator[None]:
        key, own = _key("group", group), f"{secrets.token_hex(8)}|{member}"
        if not await self._enter(key, own, limit):
            raise NoFreeSlot
        self._held[own] = key
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew(), name="renew slots at the broker")
        try:
            yield
        finally:
            del self._held[own]
            with anyio.CancelScope(shield=True), suppress(SharedStateUnavailable):
                await self._send("ZREM", key, own)

    async def members(self, group: str) -> list[str]:
        found = await self._send("EVAL", _MEMBERS, 1, _key("group", group))
        return [own.partition("|")[2] for own in found]

    def open_channel(self, name: str) -> BrokerChannel:
        return BrokerChannel(self._redis, self._send, _key("leader", name), _key("channel", name))

    async def is_reachable(self) -> bool:
        try:
            await self._send("PING")
        except SharedStateUnavailable:
            return False
        return True

    async def aclose(self) -> None:
        self._ended = True  # until Python 3.12 a cancellation is lost that comes while a command is sent
        if self._renewing is not None:
            self._renewing.cancel()
            with suppress(asyncio.CancelledError):
                await self._renewing
        with suppress(*BROKER_FAILED):
            await self._redis.aclose()

    async def _enter(self, key: str, own: str, limit: int | None) -> bool:
        return bool(await self._send("EVAL", _ENTER, 1, key, own, self._lease_s, -1 if limit is None else limit))

    async def _renew(self) -> None:
        """Keep the slots of this replica; a broker that came back empty gets them again."""
        while not self._ended:
            await asyncio.sleep(self._lease_s / 3)
            for own, key in list(self._held.items()):
                with suppress(SharedStateUnavailable):
                    await self._enter(key, own, None)
                if own not in self._held:  # it was given back meanwhile
                    with suppress(SharedStateUnavailable):
                        await self._send("ZREM", key, own)

    async def _send(self, *command: Any) -> Any:
        """Raises `SharedStateUnavailable` where the broker does not answer, or refuses."""
        if time.monotonic() - self._failed_at < _PAUSE_S:
            raise SharedStateUnavailable
        try:
            try:
                answer = await self._redis.execute_command(*command)
            except ConnectionLost:
                # It was kept, and died meanwhile, as the others did. Every command may be sent twice.
                await self._redis.connection_pool.disconnect(inuse_connections=False)
                answer = await self._redis.execute_command(*command)
        except BROKER_FAILED as error:
            raise self._failure(error) from error
        if self._failed_at > float("-inf"):
            self._failed_at = float("-inf")
            log.warning("the broker answers again")
        return answer

    def _failure(self, error: Exception) -> SharedStateUnavailable:
        """Only the kind of error goes to the log: its text may have the address."""
        if self._failed_at == float("-inf"):
            log.error("the broker cannot be reached (%s)", type(error).__name__)
        self._failed_at = time.monotonic()
        return SharedStateUnavailable()


def _key(kind: str, name: str) -> str:
    return f"{_PREFIX}:{kind}:{hashlib.sha256(name.encode()).hexdigest()[:32]}"
