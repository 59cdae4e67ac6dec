"""Subscriptions to resources. Each resource is read once for all its subscribers, and only while it has one."""

import asyncio
import contextvars
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import anyio
from mcp import MCPError
from mcp.server.session import ServerSession
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
)
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    EmptyResult,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)

from inference_endpoints_mcp.policy.caller import caller_id
from inference_endpoints_mcp.server.resources.change_detection import (
    ChangeDetector,
    FingerprintStream,
    observe_endpoint,
    poll_fingerprint,
    stream_fingerprint,
)
from inference_endpoints_mcp.server.resources.endpoint_resources import EndpointResources, RequestContext
from inference_endpoints_mcp.server.resources.uris import SCHEME, EndpointUri, unknown_resource

POLL_INTERVAL_S = 5.0
"""Longest time between two reads of what the watcher of endpoints does not read: logs, metrics, and the list."""

MAX_STREAMS = 16
"""Open streams of the service for all subscriptions together; others are read at the interval."""


class Subscriptions:
    """Serves `subscriptions/listen`, and `resources/subscribe` of the older protocol. Publishes changes on the bus.

    `counts` are the subscriptions of each caller, at most `max_subscriptions`; `poll_interval` is the longest time
    between two reads in seconds.
    """

    def __init__(
        self,
        bus: InMemorySubscriptionBus,
        resources: EndpointResources,
        counts: Counter[str],
        max_subscriptions: int,
        poll_interval: float,
    ) -> None:
        self._resources = resources
        self._max_subscriptions = max_subscriptions
        self._poll_interval = min(poll_interval, POLL_INTERVAL_S)
        self._bus = bus
        self._listen = ListenHandler(bus)
        self._counts = counts
        self._open_streams = anyio.Semaphore(MAX_STREAMS)
        self._detectors: dict[ServerEvent, ChangeDetector] = {}
        self._opening: set[anyio.CancelScope] = set()
        self._has_ended = False

    async def listen(self, ctx: RequestContext, params: SubscriptionsListenRequestParams) -> SubscriptionsListenResult:
        """Send changes on the stream of the response, until the caller closes it."""
        requested = params.notifications
        with ExitStack() as stack:
            with self._refuse_at_end():
                uris = dict.fromkeys(requested.resource_subscriptions or ())
                detectors = [await self._subscribe_resource(stack, ctx, uri) for uri in uris]
                if requested.resources_list_changed:
                    detectors.append(await self._subscribe_list(stack, ctx))
                if not detectors:  # a stream for nothing of ours is still a stream
                    stack.enter_context(self._count_subscription(caller_id()))
                await asyncio.gather(*(detector.wait_started() for detector in detectors if detector is not None))
            return await self._listen(ctx, params)

    def end(self) -> None:
        """End each stream of `subscriptions/listen` with its result: the server is about to end.

        Refuses each subscription that is not open yet: it would hold the end until the service has answered.
        """
        self._has_ended = True
        self._listen.close()
        for opening in self._opening:
            opening.cancel()

    async def subscribe(self, ctx: RequestContext, params: SubscribeRequestParams) -> EmptyResult:
        """Send changes on the connection itself, until the caller unsubscribes or the connection ends."""
        subscribed, uri = self._connection(ctx).subscribed, params.uri
        if uri in subscribed:
            return EmptyResult()
        stack = subscribed[uri] = ExitStack()
        try:
            with self._refuse_at_end():
                detector = await self._subscribe_resource(stack, ctx, uri)
                if detector is not None:
                    await detector.wait_started()
        except BaseException:
            if subscribed.get(uri) is stack:
                del subscribed[uri]
            raise
        finally:
            if subscribed.get(uri) is not stack:  # it failed, or the caller unsubscribed meanwhile
                stack.close()
        return EmptyResult()

    async def unsubscribe(self, ctx: RequestContext, params: UnsubscribeRequestParams) -> EmptyResult:
        stack = self._connection(ctx).subscribed.pop(params.uri, None)
        if stack is not None:
            stack.close()
        return EmptyResult()

    async def _subscribe_resource(self, stack: ExitStack, ctx: RequestContext, uri: str) -> ChangeDetector | None:
        """Subscribe until the stack is closed. A URI of another scheme is accepted, and never changes."""
        stack.enter_context(self._count_subscription(caller_id()))
        endpoint_uri = EndpointUri.parse(uri)
        if endpoint_uri is None:
            if uri.startswith(SCHEME):
                raise unknown_resource(uri)
            return None
        call = await self._resources.open_resource_call(ctx, endpoint_uri)
        kind, namespace, name = endpoint_uri.kind, endpoint_uri.namespace, endpoint_uri.name
        read = kind.read_fingerprint and partial(kind.read_fingerprint, call.endpoints, namespace, name)
        fingerprints: FingerprintStream
        if read is None:
            fingerprints = partial(observe_endpoint, call.watcher, namespace, name)
        elif kind.open_stream is None:
            fingerprints = partial(poll_fingerprint, read, self._poll_interval)
        else:
            stream = partial(kind.open_stream, call.endpoints, namespace, name)
            fingerprints = partial(stream_fingerprint, read, stream, uri, self._open_streams, self._poll_interval)
        return stack.enter_context(self._share_detector(ResourceUpdated(uri=uri), fingerprints))

    async def _subscribe_list(self, stack: ExitStack, ctx: RequestContext) -> ChangeDetector:
        stack.enter_context(self._count_subscription(caller_id()))
        call = await self._resources.open_resource_call(ctx, None)
        fingerprints = partial(poll_fingerprint, partial(self._resources.read_names, call), self._poll_interval)
        return stack.enter_context(self._share_detector(ResourcesListChanged(), fingerprints))

    @contextmanager
    def _refuse_at_end(self) -> Iterator[None]:
        with anyio.CancelScope() as opening:
            self._opening.add(opening)
            if self._has_ended:
                opening.cancel()
            try:
                yield
            finally:
                self._opening.discard(opening)
        if self._has_ended:
            raise MCPError(INTERNAL_ERROR, "The server is about to end. Subscribe again when it runs.")

    @contextmanager
    def _count_subscription(self, caller: str) -> Iterator[None]:
        if self._counts[caller] >= self._max_subscriptions:
            raise MCPError(
                INVALID_PARAMS,
                f"A caller can subscribe to at most {self._max_subscriptions} resources. End another subscription "
                "first. Only the operator of this server can allow more (--subscriptions).",
            )
        self._counts[caller] += 1
        try:
            yield
        finally:
            self._counts[caller] -= 1
            if not self._counts[caller]:
                del self._counts[caller]

    @contextmanager
    def _share_detector(self, event: ServerEvent, fingerprints: FingerprintStream) -> Iterator[ChangeDetector]:
        detector = self._detectors.get(event)
        if detector is None or detector.has_ended:
            detector = ChangeDetector(fingerprints, partial(self._bus.publish, event), name=_event_name(event))
            self._detectors[event] = detector
        detector.subscribers += 1
        try:
            yield detector
        finally:
            detector.subscribers -= 1
            if not detector.subscribers:
                detector.stop()
                if self._detectors.get(event) is detector:
                    del self._detectors[event]

    def _connection(self, ctx: RequestContext) -> "_ConnectionSubscriptions":
        # The SDK has no public access to the connection, and nothing else knows when it ends.
        connection = ctx.session._connection  # noqa: SLF001
        key = _ConnectionSubscriptions.__name__
        found: _ConnectionSubscriptions | None = connection.state.get(key)
        if found is None:
            found = connection.state[key] = _ConnectionSubscriptions(ctx.session, self._bus)
            connection.exit_stack.callback(found.close)
        return found


class _ConnectionSubscriptions:
    """The subscriptions of one connection of the older protocol, and the task that sends their changes.

    A connection that does not read delays nobody else. It gets one notification for a resource that changed meanwhile,
    however often.
    """

    def __init__(self, session: ServerSession, bus: InMemorySubscriptionBus) -> None:
        self.subscribed: dict[str, ExitStack] = {}
        self._session = session
        self._changed_uris: dict[str, None] = {}
        self._has_changes = asyncio.Event()
        self._leave_bus = bus.subscribe(self._on_event)
        self._task = asyncio.create_task(self._send_changes(), name="subscriptions", context=contextvars.Context())

    def close(self) -> None:
        self._leave_bus()
        self._task.cancel()
        for stack in self.subscribed.values():
            stack.close()
        self.subscribed.clear()

    def _on_event(self, event: ServerEvent) -> None:
        if isinstance(event, ResourceUpdated) and event.uri in self.subscribed:
            self._changed_uris[event.uri] = None
            self._has_changes.set()

    async def _send_changes(self) -> None:
        while True:
            await self._has_changes.wait()
            self._has_changes.clear()
            while self._changed_uris:
                uri = next(iter(self._changed_uris))
                del self._changed_uris[uri]
                if uri in self.subscribed:
                    await self._session.send_resource_updated(uri)


def _event_name(event: ServerEvent) -> str:
    return event.uri if isinstance(event, ResourceUpdated) else SCHEME
