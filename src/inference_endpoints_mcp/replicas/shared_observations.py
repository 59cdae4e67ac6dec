"""Observations that replicas share: one of them reads each watched endpoint, and publishes what it reads."""

import asyncio
import contextvars
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import Any

import anyio

from inference_endpoints.errors import Refused
from inference_endpoints.watching.observation import Observation, Subscription
from inference_endpoints.watching.observation_source import Key, ObservationSource
from inference_endpoints_mcp.replicas.channel import Channel, ChannelEvent
from inference_endpoints_mcp.replicas.message_exchange import MessageExchange
from inference_endpoints_mcp.replicas.observation_messages import (
    MessageSeal,
    PublishedObservation,
    WatchRequest,
    WatchRequests,
    observed,
)
from inference_endpoints_mcp.replicas.shared_endpoint import SharedEndpoint
from inference_endpoints_mcp.replicas.shared_state import SharedStateUnavailable

log = logging.getLogger(__name__)

LEASE_S = 4.0
"""Seconds after which another replica leads where the one that did no longer says so."""
_BEATS = 4
"""How often within the lease a replica says that it leads, or asks who does."""
_RESIGN_S = 2.0

Scope = tuple[bytes, tuple[str, ...]]
"""The newest sealing key, and whose observations are shared: the profile, the caller where it brings its own token, the
control plane, and its token."""


class Role(Enum):
    JOINING = "It does not know yet who leads."
    ALONE = "It cannot reach the others, and polls what is watched here."
    LEADING = "It polls what is watched anywhere."
    FOLLOWING = "Another one polls."


class SharedObservations:
    """Implements `ObservationSource` for one of several replicas, on top of its own `pollers`.

    The replica that holds the lease leads: it reads what any of them watches, and publishes it. `scope` gives the
    scope of now: replicas with another one share nothing. `open_channel` opens a channel by its name. `permit` raises
    `Refused` where nothing of a namespace may be read here.
    """

    def __init__(
        self,
        pollers: ObservationSource,
        open_channel: Callable[[str], Channel],
        scope: Callable[[], Scope],
        permit: Callable[[str], None],
        lease_s: float = LEASE_S,
    ) -> None:
        self._pollers = pollers
        self._open_channel = open_channel
        self._scope = scope
        self._permit = permit
        self._lease_s = lease_s
        self._messages = MessageExchange(secrets.token_hex(8))
        self._role, self._leader = Role.JOINING, ""
        self._endpoints: dict[Key, SharedEndpoint] = {}
        self._unpublished: dict[Key, PublishedObservation] = {}
        """What was observed and not published yet."""
        self._changed: dict[Key, WatchRequest] = {}
        """What was changed here and is watched elsewhere, if anywhere."""
        self._requests_differ = False
        self._asked = 0
        """How often this replica asked for an observation."""
        self._beat_at = 0.0
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ended = False

    @property
    def polled(self) -> set[Key]:
        return self._pollers.polled

    @property
    def longest_interval_s(self) -> float:
        return self._pollers.longest_interval_s

    @asynccontextmanager
    async def watch(self, name: str, namespace: str, *, health: bool) -> AsyncIterator[Subscription]:
        endpoint = self._endpoint((namespace, name))
        if self._role is Role.FOLLOWING:
            self._ask(endpoint)
        subscription = endpoint.subscribe(health=health)
        if self._role in {Role.ALONE, Role.LEADING} or endpoint.is_polled:
            endpoint.observe_now()
        self._wake()
        try:
            yield subscription
        finally:
            endpoint.unsubscribe(subscription)
            self._requests_differ = True
            self._drop_unwatched()
            self._wake()

    def observe_again(self, name: str, namespace: str) -> None:
        endpoint = self._endpoints.get((namespace, name))
        if endpoint is None:
            self._changed[namespace, name] = WatchRequest(namespace, name, health=False, asked=0)
        elif self._role is Role.FOLLOWING:
            self._ask(endpoint)
        else:
            endpoint.observe_now()
        self._wake()

    async def aclose(self) -> None:
        """Another replica leads at once, if this one did."""
        self._ended = True  # until Python 3.12 a cancellation is lost that comes while a command is sent to the broker
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for endpoint in self._endpoints.values():
            endpoint.stop_polling()

    def _endpoint(self, key: Key) -> SharedEndpoint:
        endpoint = self._endpoints.get(key)
        if endpoint is None:
            endpoint = SharedEndpoint(key, self._pollers, self._permit, self._note_observed)
            self._endpoints[key] = endpoint
        return endpoint

    def _drop_unwatched(self) -> None:
        for key, endpoint in list(self._endpoints.items()):
            if not endpoint.is_watched and not endpoint.requests:
                endpoint.stop_polling()
                del self._endpoints[key]
                self._unpublished.pop(key, None)

    def _ask(self, endpoint: SharedEndpoint) -> None:
        """Ask the replica that leads for an observation that begins later than now."""
        self._asked += 1
        endpoint.asked = self._asked
        endpoint.least = endpoint.least or self._asked
        lost_at = anyio.current_time() + self._pollers.longest_interval_s + self._lease_s
        endpoint.lost_at = min(endpoint.lost_at, lost_at)
        self._requests_differ = True

    def _note_observed(self, endpoint: SharedEndpoint, observation: Observation) -> None:
        """Publish what this replica observed, if it leads and another one requested it."""
        if self._role is not Role.LEADING or not endpoint.requests:
            return
        answers = {replica: request.answered for replica, request in endpoint.requests.items() if request.answered}
        self._publish_later(endpoint.key, answers, observed(observation))

    def _publish_later(self, key: Key, answers: Mapping[str, int], seen: Mapping[str, Any] | None) -> None:
        within_s = self._pollers.longest_interval_s
        self._unpublished[key] = PublishedObservation(self._messages.own_id, *key, within_s, answers, seen)
        self._woken.set()

    def _may_read(self, namespace: str) -> bool:
        try:
            self._permit(namespace)
        except Refused:
            return False
        return True

    def _wake(self) -> None:
        self._woken.set()
        if self._task is None and (self._endpoints or self._changed):
            # It works for all subscribers, so it inherits no context of the first.
            context = contextvars.Context()
            self._task = asyncio.create_task(self._run(), name="share observations", context=context)

    async def _run(self) -> None:
        """While there is something to watch or to send."""
        while (self._endpoints or self._changed) and not self._ended:
            scope = self._scope()
            seal = MessageSeal(*scope)
            self._messages.use(self._open_channel(seal.channel_name), seal)
            try:
                await self._send_changes()
                if self._endpoints:
                    await self._take_part(scope)
                continue
            except SharedStateUnavailable:
                pass
            except Exception:
                log.exception("sharing observations failed")
            self._be_alone()
            await anyio.sleep(self._lease_s / _BEATS)
        self._task = None

    async def _take_part(self, scope: Scope) -> None:
        """Lead or follow, as long as there is something to watch and the scope is the same."""
        channel = self._messages.channel
        async with channel.listen(self._lease_s) as events:
            listening = asyncio.create_task(self._listen(events), name="listen to replicas")
            self._beat_at = 0.0
            try:
                while self._endpoints and self._scope() == scope and not self._ended:
                    await self._take_turn(listening)
                if self._role is Role.FOLLOWING and not self._endpoints:
                    await self._send_requests()
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
                if self._role is Role.LEADING:
                    with anyio.move_on_after(_RESIGN_S, shield=True), suppress(SharedStateUnavailable):
                        await channel.resign(self._messages.own_id)
                if self._role is not Role.ALONE:
                    self._role, self._leader = Role.JOINING, ""

    async def _take_turn(self, listening: "asyncio.Task[None]") -> None:
        """Find out who leads, if it is time; send what there is to send; wait for more."""
        self._woken.clear()
        if anyio.current_time() >= self._beat_at:
            self._beat_at = anyio.current_time() + self._lease_s / _BEATS  # sooner, if another answer comes meanwhile
            self._follow(await self._messages.channel.lead(self._messages.own_id, self._lease_s))
        await self._send_changes()
        if self._role is Role.FOLLOWING and self._requests_differ:
            await self._send_requests()
        while self._unpublished:
            await self._messages.publish(self._unpublished.pop(next(iter(self._unpublished))))
        woken = asyncio.ensure_future(self._woken.wait())
        pause = max(0.0, self._beat_at - anyio.current_time())
        try:
            await asyncio.wait([woken, listening], timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
        if listening.done():
            listening.result()

    def _follow(self, leader: str) -> None:
        role = Role.LEADING if leader == self._messages.own_id else Role.FOLLOWING
        has_followed = self._role is Role.FOLLOWING
        is_another = (role, leader) != (self._role, self._leader)
        self._role, self._leader = role, leader
        now = anyio.current_time()
        for endpoint in self._endpoints.values():
            endpoint.keep_requests(lambda _, request: request.until > now)
            if role is Role.LEADING:
                endpoint.poll()
                continue
            if is_another:
                endpoint.keep_requests(lambda *_: False)
                endpoint.least = 0
            if not has_followed:
                endpoint.lost_at = float("inf")
            # Also where another one leads again and again, and none publishes anything.
            is_lost = now >= endpoint.lost_at
            if is_lost:
                endpoint.poll()
            if is_another or is_lost:
                self._ask(endpoint)
        self._drop_unwatched()
        self._requests_differ = True  # they are sent again: else whoever leads would forget them

    def _be_alone(self) -> None:
        self._role, self._leader = Role.ALONE, ""
        self._unpublished.clear()
        self._changed.clear()
        for endpoint in self._endpoints.values():
            endpoint.keep_requests(lambda *_: False)
            endpoint.poll()
        self._drop_unwatched()

    async def _send_changes(self) -> None:
        """Whoever leads reads at once what was changed here, if somebody watches it."""
        changed, self._changed = self._changed, {}
        leader = await self._messages.channel.leader() if changed else ""
        if leader and leader != self._messages.own_id:
            requests = tuple(changed.values())
            await self._messages.send(WatchRequests(self._messages.own_id, leader, complete=False, requests=requests))

    async def _send_requests(self) -> None:
        self._requests_differ = False
        watched = [endpoint for endpoint in self._endpoints.values() if endpoint.is_watched]
        requests = tuple(WatchRequest(*each.key, health=each.needs_health, asked=each.asked) for each in watched)
        await self._messages.send(WatchRequests(self._messages.own_id, self._leader, complete=True, requests=requests))

    async def _listen(self, events: AsyncIterator[ChannelEvent]) -> None:
        async for event in events:
            if event.leader is not None:
                if event.leader != self._leader:
                    self._beat_at = 0.0
                    self._woken.set()
                continue
            message = self._messages.take(event.message, follows=self._role is Role.FOLLOWING)
            if isinstance(message, WatchRequests):
                self._take_requests(message)
            elif message is not None and message.sender == self._leader:
                self._take_published(message)

    def _take_requests(self, message: WatchRequests) -> None:
        requested = set[Key]()
        for request in message.requests:
            key = (request.namespace, request.name)
            if not self._may_read(request.namespace):
                self._publish_later(key, {message.sender: request.asked}, None)
                continue
            requested.add(key)
            if message.complete:
                self._endpoint(key).take_request(
                    message.sender, health=request.health, asked=request.asked, valid_s=self._lease_s
                )
            elif key in self._endpoints:
                self._endpoints[key].observe_now()
        if message.complete:
            for key in self._endpoints.keys() - requested:
                self._endpoints[key].keep_requests(lambda replica, _: replica != message.sender)
            self._drop_unwatched()

    def _take_published(self, message: PublishedObservation) -> None:
        endpoint = self._endpoints.get((message.namespace, message.name))
        answered = message.answers.get(self._messages.own_id, 0)
        if endpoint is None or answered < endpoint.least:
            return
        endpoint.lost_at = anyio.current_time() + message.within_s + self._lease_s
        observation = message.observation
        if observation is None:
            endpoint.poll()
        else:
            endpoint.stop_polling()
            endpoint.take(observation, answered)
