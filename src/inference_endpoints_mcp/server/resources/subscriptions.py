"""Who watches which resources. Each is looked at once, however many watch it, and only as long as somebody does."""

import asyncio
import contextvars
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
)
from mcp.types import (
    INVALID_PARAMS,
    EmptyResult,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)

from inference_endpoints_mcp.policy.audit_trail import asked_by
from inference_endpoints_mcp.server.resources.uris import SCHEME, Address, unknown
from inference_endpoints_mcp.server.resources.watches import Looks, Watch, again, looks_at
from inference_endpoints_mcp.tools.call_context import CallContext

POLL_INTERVAL_S = 5.0
"""Longest between two looks at what the watcher of endpoints does not see, in seconds: logs, and which exist."""

Request = ServerRequestContext[Any, Any]
Open = Callable[[Request, Address | None], Awaitable[CallContext]]
"""A scope for a request about an address, or about which endpoints exist. Raises if policy does not allow it."""
Existing = Callable[[CallContext], Awaitable[Hashable]]
"""Which endpoints exist."""


class Subscriptions:
    """Serves `subscriptions/listen`, and `resources/subscribe` of the older era. Changes are published on the bus.

    `most` bounds what one caller may watch at once, `poll_interval` the seconds between two looks.
    """

    def __init__(
        self, bus: InMemorySubscriptionBus, open_scope: Open, existing: Existing, most: int, poll_interval: float
    ) -> None:
        self._open = open_scope
        self._existing = existing
        self._most = most
        self._poll_interval = min(poll_interval, POLL_INTERVAL_S)
        self._bus = bus
        self._stream = ListenHandler(bus)
        self._counts: Counter[str] = Counter()
        self._watches: dict[ServerEvent, Watch] = {}

    async def listen(self, ctx: Request, params: SubscriptionsListenRequestParams) -> SubscriptionsListenResult:
        """Tells what changes on the stream that answers the request, until the caller closes it."""
        wanted = params.notifications
        with ExitStack() as stack:
            watches = [await self._enter(stack, ctx, uri) for uri in dict.fromkeys(wanted.resource_subscriptions or ())]
            if wanted.resources_list_changed:
                watches.append(await self._enter_list(stack, ctx))
            await asyncio.gather(*(watch.begun() for watch in watches if watch is not None))
            return await self._stream(ctx, params)

    async def subscribe(self, ctx: Request, params: SubscribeRequestParams) -> EmptyResult:
        """Tells on the connection itself what changes, until it is unsubscribed or the connection ends."""
        held, uri = self._mailbox(ctx).held, params.uri
        if uri in held:
            return EmptyResult()
        stack = held[uri] = ExitStack()
        try:
            watch = await self._enter(stack, ctx, uri)
            if watch is not None:
                await watch.begun()
        except BaseException:
            if held.get(uri) is stack:
                del held[uri]
            raise
        finally:
            if held.get(uri) is not stack:  # failed, or unsubscribed meanwhile
                stack.close()
        return EmptyResult()

    async def unsubscribe(self, ctx: Request, params: UnsubscribeRequestParams) -> EmptyResult:
        stack = self._mailbox(ctx).held.pop(params.uri, None)
        if stack is not None:
            stack.close()
        return EmptyResult()

    async def _enter(self, stack: ExitStack, ctx: Request, uri: str) -> Watch | None:
        """Watch an address until the stack is closed. What is no address of ours may be watched, and never changes."""
        stack.enter_context(self._counted(_caller()))
        address = Address.of(uri)
        if address is None:
            if uri.startswith(SCHEME):
                raise unknown(uri)
            return None
        scope = await self._open(ctx, address)
        glance, namespace, name = address.part.glance, address.namespace, address.name
        looks: Looks
        if glance is None:
            looks = partial(looks_at, scope.watcher, namespace, name)
        else:
            looks = partial(again, partial(glance, scope.endpoints, namespace, name), self._poll_interval)
        return stack.enter_context(self._watched(ResourceUpdated(uri=uri), looks))

    async def _enter_list(self, stack: ExitStack, ctx: Request) -> Watch:
        stack.enter_context(self._counted(_caller()))
        scope = await self._open(ctx, None)
        looks = partial(again, partial(self._existing, scope), self._poll_interval)
        return stack.enter_context(self._watched(ResourcesListChanged(), looks))

    @contextmanager
    def _counted(self, caller: str) -> Iterator[None]:
        if self._counts[caller] >= self._most:
            raise MCPError(
                INVALID_PARAMS,
                f"At most {self._most} resources can be watched at once. End another subscription first; "
                "only the operator of this server can allow more (--subscriptions).",
            )
        self._counts[caller] += 1
        try:
            yield
        finally:
            self._counts[caller] -= 1
            if not self._counts[caller]:
                del self._counts[caller]

    @contextmanager
    def _watched(self, event: ServerEvent, looks: Looks) -> Iterator[Watch]:
        watch = self._watches.get(event)
        if watch is None or watch.ended:
            watch = self._watches[event] = Watch(looks, partial(self._bus.publish, event), name=_label(event))
        watch.watchers += 1
        try:
            yield watch
        finally:
            watch.watchers -= 1
            if not watch.watchers:
                watch.stop()
                if self._watches.get(event) is watch:
                    del self._watches[event]

    def _mailbox(self, ctx: Request) -> "_Mailbox":
        # The SDK shows a connection to nobody, and nothing else knows when it ends.
        connection = ctx.session._connection  # noqa: SLF001
        mailbox: _Mailbox | None = connection.state.get(_Mailbox.__name__)
        if mailbox is None:
            mailbox = connection.state[_Mailbox.__name__] = _Mailbox(ctx.session, self._bus)
            connection.exit_stack.callback(mailbox.close)
        return mailbox


class _Mailbox:
    """What one connection of the older era watches. It is told by a task of its own: one that does not read holds
    nobody up, and is told of a resource once, however often that changed meanwhile."""

    def __init__(self, session: ServerSession, bus: InMemorySubscriptionBus) -> None:
        self.held: dict[str, ExitStack] = {}
        self._session = session
        self._changed: dict[str, None] = {}
        self._news = asyncio.Event()
        self._leave = bus.subscribe(self._hear)
        self._task = asyncio.create_task(self._tell(), name="mailbox", context=contextvars.Context())

    def close(self) -> None:
        self._leave()
        self._task.cancel()
        for stack in self.held.values():
            stack.close()
        self.held.clear()

    def _hear(self, event: ServerEvent) -> None:
        if isinstance(event, ResourceUpdated) and event.uri in self.held:
            self._changed[event.uri] = None
            self._news.set()

    async def _tell(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._changed:
                uri = next(iter(self._changed))
                del self._changed[uri]
                if uri in self.held:
                    await self._session.send_resource_updated(uri)


def _caller() -> str:
    """Who is asking: over HTTP the address they ask from, over stdio there is one."""
    caller = asked_by.get()
    return (caller and caller.address) or ""


def _label(event: ServerEvent) -> str:
    return event.uri if isinstance(event, ResourceUpdated) else SCHEME
