"""Subscriptions to resources, in both protocols: every change is sent, and nothing is read without a subscriber."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import Implementation, ResourceUpdatedNotification
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Mode, pollers
from tests.support.hosts.in_process import InMemoryTransport
from tests.support.planes.plane_driver import CAN_SLEEP, TOKEN, Driver
from tests.support.polling import eventually

from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_local.state.faults import Fault
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.server.mcp_server import EndpointsServer
from inference_endpoints_mcp.server.resources import change_detection, subscriptions

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore:resources.(un)?subscribe is removed")]

CHAT = "endpoint://acme/chat"
LOGS = CHAT + "/logs"


class Subscriber:
    """Subscribes to resources with its protocol, and keeps the notifications."""

    def __init__(self, client: Client, mode: Mode) -> None:
        self.client = client
        self.notified: list[str] = []
        self._mode = mode
        self._changed = asyncio.Event()
        self._streams: dict[str, AsyncExitStack] = {}

    async def subscribe(self, uri: str) -> None:
        """Return after the server acknowledged."""
        if self._mode == "legacy":
            await self.client.session.subscribe_resource(uri)
            return
        stack = self._streams[uri] = AsyncExitStack()
        stream = await stack.enter_async_context(self.client.listen(resource_subscriptions=[uri]))
        reading = asyncio.create_task(self._read(stream))
        stack.callback(reading.cancel)

    async def unsubscribe(self, uri: str) -> None:
        if self._mode == "legacy":
            await self.client.session.unsubscribe_resource(uri)
        else:
            await self._streams.pop(uri).aclose()

    async def close(self) -> None:
        for stack in self._streams.values():
            await stack.aclose()

    async def wait_for(self, count: int) -> list[str]:
        """The notified URIs, as soon as there are this many."""
        async with asyncio.timeout(HANG_TIMEOUT_S):
            while len(self.notified) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.notified

    async def on_message(self, message: Any) -> None:
        if self._mode == "legacy" and isinstance(message, ResourceUpdatedNotification):
            self._record(str(message.params.uri))

    async def _read(self, stream: Any) -> None:
        async for event in stream:
            self._record(event.uri)

    def _record(self, uri: str) -> None:
        self.notified.append(uri)
        self._changed.set()


class RunningServer:
    """A server of a plane, with its clients."""

    def __init__(self, driver: Driver, mode: Mode, **options: Any) -> None:
        async def open_backend(_: AsyncExitStack) -> Backend:
            return local(driver.plane.url, TOKEN)

        self.mode = mode
        self.server = EndpointsServer(
            ServerOptions(**{"open_backend": open_backend, "poll_interval": 0.05, **options}), Redactor()
        )

    @asynccontextmanager
    async def subscriber(self) -> AsyncIterator[Subscriber]:
        subscriber: Subscriber

        async def on_message(message: Any) -> None:
            await subscriber.on_message(message)

        transport = InMemoryTransport(self.server)
        info = Implementation(name="mcp", version="1")
        async with Client(transport, mode=self.mode, client_info=info, message_handler=on_message) as client:
            subscriber = Subscriber(client, self.mode)
            try:
                yield subscriber
            finally:
                await subscriber.close()


@pytest.fixture
async def subscriber(driver: Driver, mode: Mode, anyio_backend: str) -> AsyncIterator[Subscriber]:
    async with RunningServer(driver, mode).subscriber() as subscriber:
        yield subscriber


async def test_subscriptions_are_announced_only_where_they_are_served(driver: Driver, mode: Mode) -> None:
    for most, announced in ((20, True), (0, False)):
        async with RunningServer(driver, mode, max_subscriptions=most).subscriber() as subscriber:
            capabilities = subscriber.client.server_capabilities
            assert capabilities is not None
            assert capabilities.resources is not None
            assert bool(capabilities.resources.subscribe) is announced
            if not announced:
                with pytest.raises(MCPError, match="Method not found"):
                    await subscriber.subscribe(CHAT)


async def test_a_change_by_another_caller_is_sent(driver: Driver, subscriber: Subscriber) -> None:
    await driver.create()
    await subscriber.subscribe(CHAT)
    await driver.do("chat", "pause")
    assert await subscriber.wait_for(1) == [CHAT]
    await driver.call("PUT", "/v2/endpoint/acme/chat", {"tags": ["new"]})
    assert await subscriber.wait_for(2) == [CHAT, CHAT]
    await driver.call("DELETE", "/v2/endpoint/acme/chat")
    assert await subscriber.wait_for(3) == [CHAT, CHAT, CHAT]


async def test_a_change_by_a_tool_is_sent(driver: Driver, subscriber: Subscriber) -> None:
    await driver.create()
    await subscriber.subscribe(CHAT)
    await subscriber.client.call_tool("pause_endpoint", {"endpoint_name": "chat"})
    assert await subscriber.wait_for(1) == [CHAT]


async def test_an_endpoint_that_does_not_exist_yet_can_be_subscribed_to(driver: Driver, subscriber: Subscriber) -> None:
    await subscriber.subscribe(CHAT)
    await driver.create()
    assert await subscriber.wait_for(1) == [CHAT]


async def test_new_log_lines_are_sent(driver: Driver, subscriber: Subscriber) -> None:
    await driver.create()
    await subscriber.subscribe(LOGS)
    await driver.advance(60)
    assert await subscriber.wait_for(1) == [LOGS]


async def test_new_log_lines_are_sent_at_once_where_the_service_streams_them(
    driver: Driver, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "POLL_INTERVAL_S", 3_600.0)
    monkeypatch.setattr(change_detection, "MIN_READ_INTERVAL_S", 0.0)
    await driver.create()
    async with RunningServer(driver, mode, poll_interval=3_600.0).subscriber() as subscriber:
        await subscriber.subscribe(LOGS)
        await driver.advance(60)
        assert await subscriber.wait_for(1) == [LOGS]


async def test_changed_metrics_are_sent(driver: Driver, subscriber: Subscriber) -> None:
    await driver.create_local("tiny")
    await driver.reach("tiny", "running")
    metrics = "endpoint://acme/tiny/metrics"
    await subscriber.subscribe(metrics)
    path = await driver.path_of("tiny")
    assert (await driver.call("POST", path + "/a", {})).status == 200
    assert (await subscriber.wait_for(1))[0] == metrics


async def test_nothing_is_sent_where_nothing_changed(driver: Driver, subscriber: Subscriber) -> None:
    await driver.create()
    await subscriber.subscribe(CHAT)
    await subscriber.subscribe(LOGS)
    await driver.create("other")
    await subscriber.subscribe("endpoint://acme/other")
    await driver.do("other", "pause")
    assert await subscriber.wait_for(1) == ["endpoint://acme/other"]


async def test_unsubscribing_stops_polling(driver: Driver, subscriber: Subscriber) -> None:
    await driver.create()
    for uri in (CHAT, LOGS):
        await subscriber.subscribe(uri)
        assert pollers()
        await subscriber.unsubscribe(uri)
        await eventually(lambda: pollers() == [])


async def test_the_end_of_a_connection_stops_polling(driver: Driver, mode: Mode) -> None:
    await driver.create()
    async with RunningServer(driver, mode).subscriber() as subscriber:
        await subscriber.subscribe(CHAT)
        await subscriber.subscribe(LOGS)
        assert len(pollers()) == 3
    await eventually(lambda: pollers() == [])


async def test_a_subscriber_that_leaves_does_not_affect_another(driver: Driver, mode: Mode) -> None:
    await driver.create()
    stand = RunningServer(driver, mode)
    async with stand.subscriber() as one, stand.subscriber() as other:
        await one.subscribe(CHAT)
        await other.subscribe(CHAT)
        await one.unsubscribe(CHAT)
        await driver.do("chat", "pause")
        assert await other.wait_for(1) == [CHAT]
        assert one.notified == []


async def test_subscribing_twice_counts_once(driver: Driver) -> None:
    await driver.create()
    async with RunningServer(driver, "legacy", max_subscriptions=1).subscriber() as subscriber:
        await asyncio.gather(subscriber.subscribe(CHAT), subscriber.subscribe(CHAT))
        await subscriber.unsubscribe(CHAT)
        await eventually(lambda: pollers() == [])
        await subscriber.subscribe(LOGS)


async def test_the_subscriptions_of_a_caller_are_limited_with_a_hint(driver: Driver, mode: Mode) -> None:
    async with RunningServer(driver, mode, max_subscriptions=2).subscriber() as subscriber:
        await subscriber.subscribe(CHAT)
        await subscriber.subscribe(LOGS)
        with pytest.raises(MCPError, match=r"can subscribe to at most 2 resources\. End another") as refusal:
            await subscriber.subscribe("endpoint://acme/third")
        assert refusal.value.code == -32602
        await subscriber.unsubscribe(LOGS)
        await eventually(lambda: not any(LOGS in name for name in pollers()))
        await subscriber.subscribe("endpoint://acme/third")


async def test_a_resource_that_may_not_be_read_cannot_be_subscribed_to(driver: Driver, mode: Mode) -> None:
    await driver.create()
    limits = Limits(namespaces=("acme",), toolsets=("lifecycle",))
    async with RunningServer(driver, mode, limits=limits).subscriber() as subscriber:
        for uri, message in ((LOGS, "This tool is not among"), ("endpoint://other/x", "Only these namespaces")):
            with pytest.raises(MCPError, match=message):
                await subscriber.subscribe(uri)
        with pytest.raises(MCPError, match="This resource does not exist"):
            await subscriber.subscribe("endpoint://acme/chat/secrets")
        await subscriber.subscribe(CHAT)
        assert len(pollers()) == 2


async def test_a_temporary_failure_of_the_control_plane_is_no_change(driver: Driver, subscriber: Subscriber) -> None:
    await driver.create()
    await subscriber.subscribe(CHAT)
    driver.plane.faults.arm(Fault.SERVER_ERROR, "get_endpoint", 4)
    await eventually(lambda: not driver.plane.faults.armed)
    await driver.do("chat", "pause")
    assert await subscriber.wait_for(1) == [CHAT]


async def test_a_changed_list_is_sent_to_its_subscriber(driver: Driver) -> None:
    async with (
        RunningServer(driver, "auto").subscriber() as subscriber,
        subscriber.client.listen(resources_list_changed=True) as stream,
    ):
        await driver.create()
        async with asyncio.timeout(HANG_TIMEOUT_S):
            await anext(aiter(stream))
        assert (await subscriber.client.list_resources()).resources[0].name == "acme/chat"
    await eventually(lambda: pollers() == [])


async def test_a_subscriber_that_does_not_read_delays_nobody(driver: Driver) -> None:
    await driver.create(compute=CAN_SLEEP)
    stand = RunningServer(driver, "legacy")
    stalled = asyncio.Event()
    async with stand.subscriber() as slow, stand.subscriber() as quick:

        async def read_nothing(_: Any) -> None:
            await stalled.wait()

        slow.on_message = read_nothing  # type: ignore[assignment, method-assign]
        await slow.subscribe(CHAT)
        await quick.subscribe(CHAT)
        for count, action in enumerate(("pause", "resume", "scale-to-zero"), 1):
            await driver.do("chat", action)
            await quick.wait_for(count)
        stalled.set()
