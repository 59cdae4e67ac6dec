"""Watching resources: told whoever changed them, in both eras, and nothing is looked at for nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.client._memory import InMemoryTransport
from mcp.types import Implementation, ResourceUpdatedNotification
from tests.support.driver import TOKEN, Driver
from tests.support.host import Mode, eventually, pollers

from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_local.state.faults import Fault
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.server.mcp_server import EndpointsServer

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:resources.(un)?subscribe is removed")]

CHAT = "endpoint://acme/chat"
LOGS = CHAT + "/logs"


class Subscriber:
    """Watches resources as its era has it, and keeps what it is told."""

    def __init__(self, client: Client, mode: Mode) -> None:
        self.client = client
        self.told: list[str] = []
        self._mode = mode
        self._news = asyncio.Event()
        self._streams: dict[str, AsyncExitStack] = {}

    async def watch(self, uri: str) -> None:
        """Return once the server has acknowledged."""
        if self._mode == "legacy":
            await self.client.session.subscribe_resource(uri)
            return
        stack = self._streams[uri] = AsyncExitStack()
        stream = await stack.enter_async_context(self.client.listen(resource_subscriptions=[uri]))
        reading = asyncio.create_task(self._read(stream))
        stack.callback(reading.cancel)

    async def unwatch(self, uri: str) -> None:
        if self._mode == "legacy":
            await self.client.session.unsubscribe_resource(uri)
        else:
            await self._streams.pop(uri).aclose()

    async def leave(self) -> None:
        for stack in self._streams.values():
            await stack.aclose()

    async def heard(self, count: int) -> list[str]:
        """What was told once it was told so many times."""
        async with asyncio.timeout(5):
            while len(self.told) < count:
                self._news.clear()
                await self._news.wait()
        return self.told

    async def hear(self, message: Any) -> None:
        if self._mode == "legacy" and isinstance(message, ResourceUpdatedNotification):
            self._hear(str(message.params.uri))

    async def _read(self, stream: Any) -> None:
        async for event in stream:
            self._hear(event.uri)

    def _hear(self, uri: str) -> None:
        self.told.append(uri)
        self._news.set()


class Stand:
    """A server on a plane, and its clients."""

    def __init__(self, driver: Driver, mode: Mode, **options: Any) -> None:
        async def open_backend(_: AsyncExitStack) -> Backend:
            return local(driver.plane.url, TOKEN)

        self.mode = mode
        self.server = EndpointsServer(
            ServerOptions(**{"open_backend": open_backend, "poll_interval": 0.05, **options}), Redactor()
        )

    @asynccontextmanager
    async def subscriber(self) -> AsyncIterator[Subscriber]:
        watcher: Subscriber

        async def hear(message: Any) -> None:
            await watcher.hear(message)

        transport = InMemoryTransport(self.server)
        info = Implementation(name="mcp", version="1")
        async with Client(transport, mode=self.mode, client_info=info, message_handler=hear) as client:
            watcher = Subscriber(client, self.mode)
            try:
                yield watcher
            finally:
                await watcher.leave()


@pytest.fixture
async def subscriber(driver: Driver, mode: Mode, anyio_backend: str) -> AsyncIterator[Subscriber]:
    async with Stand(driver, mode).subscriber() as subscriber:
        yield subscriber


async def test_watching_is_announced_where_it_is_served(driver: Driver, mode: Mode) -> None:
    for most, announced in ((20, True), (0, False)):
        async with Stand(driver, mode, max_subscriptions=most).subscriber() as subscriber:
            capabilities = subscriber.client.server_capabilities
            assert capabilities is not None
            assert capabilities.resources is not None
            assert bool(capabilities.resources.subscribe) is announced
            if not announced:
                with pytest.raises(MCPError, match="Method not found"):
                    await subscriber.watch(CHAT)


async def test_a_change_somebody_else_made_is_told(driver: Driver, subscriber: Subscriber) -> None:
    await driver.create()
    await subscriber.watch(CHAT)
    await driver.do("chat", "pause")
    assert await subscriber.heard(1) == [CHAT]
    await driver.call("PUT", "/v2/endpoint/acme/chat", {"tags": ["new"]})
    assert await subscriber.heard(2) == [CHAT, CHAT]
    await driver.call("DELETE", "/v2/endpoint/acme/chat")
    assert await subscriber.heard(3) == [CHAT, CHAT, CHAT]


async def test_a_change_made_through_a_tool_is_told(driver: Driver, subscriber: Subscriber) -> None:
    await driver.create()
    await subscriber.watch(CHAT)
    await subscriber.client.call_tool("pause_endpoint", {"endpoint_name": "chat"})
    assert await subscriber.heard(1) == [CHAT]


async def test_what_does_not_exist_yet_can_be_watched(driver: Driver, subscriber: Subscriber) -> None:
    await subscriber.watch(CHAT)
    await driver.create()
    assert await subscriber.heard(1) == [CHAT]


async def test_new_lines_of_the_log_are_told(driver: Driver, subscriber: Subscriber) -> None:
    await driver.create()
    await subscriber.watch(LOGS)
    await driver.advance(60)
    assert await subscriber.heard(1) == [LOGS]


async def test_what_is_measured_is_told(driver: Driver, subscriber: Subscriber) -> None:
    await driver.create_local("tiny")
    await driver.reach("tiny", "running")
    metrics = "endpoint://acme/tiny/metrics"
    await subscriber.watch(metrics)
    path = await driver.path_of("tiny")
    assert (await driver.call("POST", path + "/a", {})).status == 200
    assert (await subscriber.heard(1))[0] == metrics


async def test_nothing_is_told_where_nothing_changed(driver: Driver, subscriber: Subscriber) -> None:
    await driver.create()
    await subscriber.watch(CHAT)
    await subscriber.watch(LOGS)
    await driver.create("other")
    await subscriber.watch("endpoint://acme/other")
    await driver.do("other", "pause")
    assert await subscriber.heard(1) == ["endpoint://acme/other"]


async def test_unsubscribing_stops_looking(driver: Driver, subscriber: Subscriber) -> None:
    await driver.create()
    for uri in (CHAT, LOGS):
        await subscriber.watch(uri)
        assert pollers()
        await subscriber.unwatch(uri)
        await eventually(lambda: pollers() == [])


async def test_a_connection_that_ends_stops_looking(driver: Driver, mode: Mode) -> None:
    await driver.create()
    async with Stand(driver, mode).subscriber() as subscriber:
        await subscriber.watch(CHAT)
        await subscriber.watch(LOGS)
        assert len(pollers()) == 3
    await eventually(lambda: pollers() == [])


async def test_one_leaving_takes_nothing_from_another(driver: Driver, mode: Mode) -> None:
    await driver.create()
    stand = Stand(driver, mode)
    async with stand.subscriber() as one, stand.subscriber() as other:
        await one.watch(CHAT)
        await other.watch(CHAT)
        await one.unwatch(CHAT)
        await driver.do("chat", "pause")
        assert await other.heard(1) == [CHAT]
        assert one.told == []


async def test_subscribing_twice_is_subscribing_once(driver: Driver) -> None:
    await driver.create()
    async with Stand(driver, "legacy", max_subscriptions=1).subscriber() as subscriber:
        await asyncio.gather(subscriber.watch(CHAT), subscriber.watch(CHAT))
        await subscriber.unwatch(CHAT)
        await eventually(lambda: pollers() == [])
        await subscriber.watch(LOGS)


async def test_a_caller_watches_at_most_so_many_and_is_told_what_to_do(driver: Driver, mode: Mode) -> None:
    async with Stand(driver, mode, max_subscriptions=2).subscriber() as subscriber:
        await subscriber.watch(CHAT)
        await subscriber.watch(LOGS)
        with pytest.raises(MCPError, match=r"can subscribe to at most 2 resources\. End another") as refusal:
            await subscriber.watch("endpoint://acme/third")
        assert refusal.value.code == -32602
        await subscriber.unwatch(LOGS)
        await eventually(lambda: not any(LOGS in name for name in pollers()))
        await subscriber.watch("endpoint://acme/third")


async def test_what_may_not_be_read_cannot_be_watched(driver: Driver, mode: Mode) -> None:
    await driver.create()
    limits = Limits(namespaces=("acme",), toolsets=("lifecycle",))
    async with Stand(driver, mode, limits=limits).subscriber() as subscriber:
        for uri, words in ((LOGS, "This tool is not among"), ("endpoint://other/x", "Only these namespaces")):
            with pytest.raises(MCPError, match=words):
                await subscriber.watch(uri)
        with pytest.raises(MCPError, match="This resource does not exist"):
            await subscriber.watch("endpoint://acme/chat/secrets")
        await subscriber.watch(CHAT)
        assert len(pollers()) == 2


async def test_a_passing_failure_of_the_control_plane_is_no_change(driver: Driver, subscriber: Subscriber) -> None:
    await driver.create()
    await subscriber.watch(CHAT)
    driver.plane.faults.arm(Fault.SERVER_ERROR, "get_endpoint", 4)
    await eventually(lambda: not driver.plane.faults.armed, within=20)
    await driver.do("chat", "pause")
    assert await subscriber.heard(1) == [CHAT]


async def test_a_list_that_changes_is_told_to_who_asked(driver: Driver) -> None:
    async with (
        Stand(driver, "auto").subscriber() as subscriber,
        subscriber.client.listen(resources_list_changed=True) as stream,
    ):
        await driver.create()
        async with asyncio.timeout(5):
            await anext(aiter(stream))
        assert [resource.name for resource in (await subscriber.client.list_resources()).resources] == ["acme/chat"]
    await eventually(lambda: pollers() == [])


async def test_one_that_does_not_read_holds_nobody_up(driver: Driver) -> None:
    await driver.create()
    stand = Stand(driver, "legacy")
    stalled = asyncio.Event()
    async with stand.subscriber() as slow, stand.subscriber() as quick:

        async def read_nothing(_: Any) -> None:
            await stalled.wait()

        slow.hear = read_nothing  # type: ignore[assignment, method-assign]
        await slow.watch(CHAT)
        await quick.watch(CHAT)
        for count, action in enumerate(("pause", "resume", "scale-to-zero"), 1):
            await driver.do("chat", action)
            await quick.heard(count)
        stalled.set()
