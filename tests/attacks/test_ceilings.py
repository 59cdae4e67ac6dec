"""Attacks on the price limits: each tries to have more run than the operator allows. An L4 costs $0.80/h."""

from typing import Any

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.guarded_client import guarded
from tests.support.planes.plane_driver import CAN_SLEEP, TOKEN, Driver, cloud
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.errors import InferenceEndpointError, Refused
from inference_endpoints.models import CreateRequest, UpdateRequest
from inference_endpoints.transport.backend import local
from inference_endpoints_mcp.policy.budget import Spending
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.replicas.shared_state import SharedStateUnavailable

pytestmark = pytest.mark.anyio

L4 = "aws-us-east-1-nvidia-l4-x1"
GPU = {"accelerator": "gpu", "instanceType": "nvidia-l4", "instanceSize": "x1"}
NEW: dict[str, Any] = {"endpoint_name": "new", "repository": "org/model", "hardware": L4}
CHAT = {"endpoint_name": "chat"}
ONE = Limits(max_price_per_hour=1.0)
TOTAL = Limits(max_total_price_per_hour=1.0)


def scaled(low: int, high: int) -> dict[str, Any]:
    return GPU | {"scaling": {"minReplica": low, "maxReplica": high}}


class Namespace:
    """The scripted service: its prices, what runs in `acme`, and whether it creates what is asked of it."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.prices(0.8)
        self.runs()
        upstream.answers("GET", "/api/whoami-v2", Answer(body={"name": "acme", "type": "user", "orgs": []}))
        upstream.answers("POST", "/v2/endpoint/acme", Answer(body=self.endpoint("running")))
        upstream.answers("PUT", "/v2/endpoint/acme/chat", Answer(body=self.endpoint("running")))

    def prices(self, *prices: float | None) -> None:
        """The price of an L4, one for each reading of the hardware listing."""
        instance = {"id": L4, **GPU}
        listings = [
            {"vendors": [{"name": "aws", "regions": [{"name": "us-east-1", "computes": [instance | shown]}]}]}
            for shown in ({"pricePerHour": price} for price in prices)
        ]
        self.upstream.answers("GET", "/v2/provider/acme", *(Answer(body=listing) for listing in listings))

    def endpoint(self, state: str, name: str = "other", **status: Any) -> dict[str, Any]:
        document = self.upstream.endpoint(state, **status)
        document["name"] = name
        document["compute"] = scaled(0, 1)
        document["provider"] = {"vendor": "aws", "region": "us-east-1"}
        return document

    def runs(self, *endpoints: dict[str, Any]) -> None:
        self.upstream.answers("GET", "/v2/endpoint/acme", Answer(body={"items": list(endpoints)}))

    async def creates(self, limits: Limits = ONE, **changes: Any) -> bool:
        """Whether the guard lets an endpoint on an L4 be created."""
        request = CreateRequest.model_validate(cloud("new", **{"compute": scaled(0, 1)} | changes))
        async with guarded(local(self.upstream.url, TOKEN), limits) as client:
            try:
                await client.create(request)
            except Refused:
                assert not any(seen.method == "POST" for seen in self.upstream.seen)
                return False
        return True


@pytest.fixture
def namespace(upstream: Upstream) -> Namespace:
    return Namespace(upstream)


async def test_raising_the_minimum_below_an_old_maximum_is_a_start(driver: Driver, host_of: HostOf) -> None:
    await driver.create(compute=scaled(0, 3))
    await driver.advance(200)
    async with host_of(limits=ONE) as host:
        assert "$2.4/h at 3 replica(s)" in await host.refused("update_endpoint", "REFUSED", **CHAT, min_replica=3)
    assert (await driver.get("chat"))["compute"]["scaling"]["minReplica"] == 0


@pytest.mark.parametrize("state", ["pending", "initializing", "updating", "updateFailed", "running", "thinking"])
async def test_an_endpoint_that_reports_no_replicas_counts_as_one_in_every_billed_state(
    namespace: Namespace, state: str
) -> None:
    namespace.runs(namespace.endpoint(state, targetReplica=0, readyReplica=0))
    assert await namespace.creates() is False


async def test_two_endpoints_that_could_each_grow_cannot_pass_the_limit_together(namespace: Namespace) -> None:
    grows = namespace.endpoint("running", targetReplica=1, readyReplica=1)
    grows["compute"] = scaled(0, 2)
    namespace.runs(grows)
    assert await namespace.creates(Limits(max_price_per_hour=1.7)) is False
    assert await namespace.creates(Limits(max_price_per_hour=2.4)) is True


async def test_replicas_below_zero_lower_no_cost(namespace: Namespace) -> None:
    namespace.runs(namespace.endpoint("running", targetReplica=-5, readyReplica=-5))
    assert await namespace.creates() is False


@pytest.mark.parametrize("status", [401, 403])
async def test_a_namespace_that_may_not_be_listed_does_not_count_as_empty(namespace: Namespace, status: int) -> None:
    namespace.upstream.answers("GET", "/v2/endpoint/acme", Answer(status, {"error": "Forbidden"}))
    assert await namespace.creates() is False
    assert await namespace.creates(TOTAL) is False


async def test_an_organization_that_may_not_be_listed_does_not_count_as_empty_in_the_total(
    namespace: Namespace,
) -> None:
    whoami = {"name": "acme", "type": "user", "orgs": [{"name": "closed"}]}
    namespace.upstream.answers("GET", "/api/whoami-v2", Answer(body=whoami))
    namespace.upstream.answers("GET", "/v2/endpoint/closed", Answer(403, {"error": "Forbidden"}))
    assert await namespace.creates(TOTAL) is False
    assert await namespace.creates() is True


@pytest.mark.parametrize("price", [-0.8, None, float("inf"), float("nan")])
async def test_a_price_that_is_none_is_not_priced_as_nothing(namespace: Namespace, price: float | None) -> None:
    namespace.prices(price)
    assert await namespace.creates() is False


async def test_a_negative_price_of_another_endpoint_makes_no_room(namespace: Namespace) -> None:
    cheap = {"id": "aws-us-east-1-intel-spr-x1", "instanceType": "intel-spr", "instanceSize": "x1"}
    computes = [cheap | {"accelerator": "cpu", "pricePerHour": -9.0}, {"id": L4, "pricePerHour": 0.8, **GPU}]
    vendors = [{"name": "aws", "regions": [{"name": "us-east-1", "computes": computes}]}]
    namespace.upstream.answers("GET", "/v2/provider/acme", Answer(body={"vendors": vendors}))
    other = namespace.endpoint("running", targetReplica=1)
    other["compute"] = {**cheap, "accelerator": "cpu", "scaling": {"minReplica": 0, "maxReplica": 1}}
    namespace.runs(other)
    assert await namespace.creates(Limits(max_price_per_hour=100)) is False


async def test_a_price_that_rose_a_moment_ago_counts(namespace: Namespace) -> None:
    namespace.prices(0.8, 0.8, 1.6)
    request = CreateRequest.model_validate(cloud("new", compute=scaled(0, 1)))
    async with guarded(local(namespace.upstream.url, TOKEN), ONE) as client:
        await client.create(request)
        await client.create(request)
        with pytest.raises(Refused, match=r"\$1\.6/h"):
            await client.create(request)


@pytest.mark.parametrize("tool", ["create_endpoint", "update_endpoint"])
async def test_an_id_that_names_other_hardware_than_the_request_is_refused(
    driver: Driver, host_of: HostOf, tool: str
) -> None:
    await driver.create(compute=GPU)
    config = {"compute": {"id": "aws-us-east-1-nvidia-h100-x8"}}
    arguments = NEW if tool == "create_endpoint" else CHAT
    async with host_of(limits=ONE) as host:
        assert "compute.id" in await host.refused(tool, "BAD_REQUEST", **arguments, config=config)


async def test_an_endpoint_that_names_two_kinds_of_hardware_has_the_price_of_the_dearer(namespace: Namespace) -> None:
    dear = {"id": "aws-us-east-1-nvidia-h100-x8", "instanceType": "nvidia-h100", "instanceSize": "x8"}
    computes = [{"id": L4, "pricePerHour": 0.8, **GPU}, dear | {"accelerator": "gpu", "pricePerHour": 80.0}]
    vendors = [{"name": "aws", "regions": [{"name": "us-east-1", "computes": computes}]}]
    namespace.upstream.answers("GET", "/v2/provider/acme", Answer(body={"vendors": vendors}))
    other = namespace.endpoint("running", name="chat", targetReplica=1)
    other["compute"] = dear | {"id": L4, "accelerator": "gpu", "scaling": {"minReplica": 0, "maxReplica": 1}}
    namespace.runs(other)
    assert await namespace.creates(Limits(max_price_per_hour=10)) is False
    paused = namespace.endpoint("paused", name="chat")
    paused["compute"] = other["compute"]
    namespace.runs()
    namespace.upstream.answers("GET", "/v2/endpoint/acme/chat", Answer(body=paused))
    for limits in (Limits(max_price_per_hour=10), Limits(hardware=("*-l4-*",))):
        async with guarded(local(namespace.upstream.url, TOKEN), limits) as client:
            with pytest.raises(Refused):
                await client.resume("chat")


async def test_a_minimum_above_the_maximum_is_priced_at_the_minimum_and_refused(
    driver: Driver, namespace: Namespace, host_of: HostOf
) -> None:
    assert await namespace.creates(Limits(max_price_per_hour=3.0), compute=scaled(4, 1)) is False
    assert await namespace.creates(Limits(max_replicas=3), compute=scaled(4, 1)) is False
    await driver.create(compute=GPU)
    config = {"compute": {"scaling": {"minReplica": 4, "maxReplica": 1}}}
    async with host_of() as host:
        for tool, arguments in (("create_endpoint", NEW), ("update_endpoint", CHAT)):
            assert "above max_replica" in await host.refused(tool, "BAD_REQUEST", **arguments, config=config)


@pytest.mark.parametrize("tool", ["create_endpoint", "update_endpoint"])
async def test_a_gpu_cannot_be_called_a_cpu(driver: Driver, host_of: HostOf, tool: str) -> None:
    await driver.create(compute=GPU | CAN_SLEEP)
    await driver.advance(200)
    config = {"compute": {"accelerator": "cpu"}}
    arguments = NEW if tool == "create_endpoint" else CHAT
    async with host_of(limits=Limits(no_always_on=True)) as host:
        assert "accelerator" in await host.refused(tool, "BAD_REQUEST", **arguments, config=config)


async def test_a_gpu_that_is_called_a_cpu_is_not_always_on(namespace: Namespace) -> None:
    always = scaled(1, 1) | {"accelerator": "cpu"}
    assert await namespace.creates(Limits(no_always_on=True), compute=always) is False


async def test_prices_that_cannot_be_read_start_nothing(namespace: Namespace) -> None:
    namespace.upstream.answers("GET", "/v2/provider/acme", Answer(404, {"error": "gone"}))
    for limits in (ONE, TOTAL):
        with pytest.raises(InferenceEndpointError):
            await namespace.creates(limits)
    assert not any(seen.method == "POST" for seen in namespace.upstream.seen)


async def test_what_is_priced_is_the_document_that_is_sent(namespace: Namespace) -> None:
    """The endpoint has grown since the caller read it: the guard reads it again."""
    grown = namespace.endpoint("paused", name="chat")
    grown["compute"] = scaled(0, 4)
    namespace.upstream.answers("GET", "/v2/endpoint/acme/chat", Answer(body=grown))
    namespace.upstream.answers("POST", "/v2/endpoint/acme/chat/resume", Answer(body=grown))
    async with guarded(local(namespace.upstream.url, TOKEN), ONE) as client:
        with pytest.raises(Refused, match=r"\$3\.2/h at 4 replica"):
            await client.resume("chat")
        with pytest.raises(Refused, match=r"\$4/h at 5 replica"):
            await client.update("chat", UpdateRequest.model_validate({"compute": {"scaling": {"maxReplica": 5}}}))


async def test_lowering_a_paused_endpoint_is_no_start_even_above_the_limit(driver: Driver, host_of: HostOf) -> None:
    await driver.create(compute=scaled(0, 4))
    await driver.advance(200)
    await driver.do("chat", "pause")
    async with host_of(limits=ONE) as host:
        assert (await host.call("update_endpoint", **CHAT, max_replica=3))["changed"] is True
        await host.refused("update_endpoint", "REFUSED", **CHAT, max_replica=4)
        await host.refused("resume_endpoint", "REFUSED", **CHAT)


@pytest.mark.parametrize(
    "member",
    [
        '["acme", ["one"], 1, -1000.0]',
        '["acme", ["one"], 1, NaN]',
        '["acme", ["one"], 1, "nothing"]',
        '["acme", 5, 1, 2.0]',
        '["acme"]',
        "[",
        "",
        "[" * 100_000,
    ],
)
def test_what_somebody_else_wrote_to_the_broker_is_no_start_under_way(member: str) -> None:
    with pytest.raises(SharedStateUnavailable):
        Spending.of_text(member)
