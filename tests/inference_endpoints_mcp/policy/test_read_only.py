"""A server that may only read, in its tools and at the send below them."""

from collections.abc import Awaitable, Callable

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.guarded_client import guarded
from tests.support.planes.plane_driver import TOKEN, Driver, cloud

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import Refused
from inference_endpoints.inference.async_inference import AsyncInference
from inference_endpoints.models import CreateRequest, UpdateRequest
from inference_endpoints.transport.backend import local
from inference_endpoints.transport.effect import Effect
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.tools.registry import TOOLS

pytestmark = pytest.mark.anyio

READS = [spec.name for spec in TOOLS if spec.effect is Effect.READS]
CHANGES: dict[str, Callable[[AsyncEndpointsClient], Awaitable[object]]] = {
    "create": lambda client: client.create(CreateRequest.model_validate(cloud("other"))),
    "update": lambda client: client.update("chat", UpdateRequest(tags=["x"])),
    "pause": lambda client: client.pause("chat"),
    "resume": lambda client: client.resume("chat"),
    "scale to zero": lambda client: client.scale_to_zero("chat"),
    "delete": lambda client: client.delete("chat"),
}
READ_ONLY = Limits(read_only=True)


async def test_only_tools_that_read_are_listed(host_of: HostOf) -> None:
    async with host_of(limits=READ_ONLY) as host:
        assert [tool.name for tool in (await host.client.list_tools()).tools] == READS


@pytest.mark.parametrize("tool", [spec.name for spec in TOOLS if spec.name not in READS])
async def test_a_tool_that_changes_something_is_refused_even_if_it_is_called(
    driver: Driver, host_of: HostOf, tool: str
) -> None:
    await driver.create()
    before = await driver.get("chat")
    async with host_of(limits=READ_ONLY) as host:
        message = await host.refused(tool, "REFUSED", endpoint_name="chat")
    assert "--read-only" in message
    assert await driver.get("chat") == before


async def test_reads_still_work(driver: Driver, host_of: HostOf) -> None:
    await driver.create()
    await driver.advance(200)
    async with host_of(limits=READ_ONLY) as host:
        assert (await host.call("get_endpoint", endpoint_name="chat"))["state"] == "running"
        assert (await host.call("wait_for_endpoint", endpoint_name="chat"))["reached"] is True


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_is_refused_at_the_send_whoever_requests_it(driver: Driver, change: str) -> None:
    await driver.create()
    before = await driver.get("chat")
    backend = local(driver.plane.url, TOKEN)
    async with guarded(backend, READ_ONLY) as client:
        with pytest.raises(Refused):
            await CHANGES[change](client)
        assert [endpoint.name for endpoint in await client.list()] == ["chat"]
    assert await driver.get("chat") == before


async def test_a_call_that_would_wake_an_endpoint_is_refused_at_the_send(driver: Driver) -> None:
    await driver.create()
    await driver.advance(200)
    await driver.put_to_sleep("chat")
    backend = local(driver.plane.url, TOKEN)
    async with guarded(backend, READ_ONLY) as client:
        with pytest.raises(Refused):
            await AsyncInference(client).call("chat", body={"inputs": "x"})
    assert await driver.state("chat") == "scaledToZero"
