"""Costs: what each endpoint costs, how long it is idle, and the call that saves most."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mcp.client.streamable_http import streamable_http_client
from tests.support.hosts.host import Host, Mode, connected, serving
from tests.support.hosts.http_server import http_server
from tests.support.hosts.options import options_for
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.service.scripted_fleet import script_fleet
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.deploy.costs import Costs, EndpointCost
from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_mcp.server.application import ServerOptions

pytestmark = pytest.mark.anyio

L4 = {"accelerator": "gpu", "instanceType": "nvidia-l4", "instanceSize": "x1"}
L4_ID = "aws-us-east-1-nvidia-l4-x1"
L4_PRICE = 0.8


@pytest.fixture
async def fleet(upstream: Upstream, anyio_backend: str) -> AsyncIterator[Host]:
    """A host of a server whose control plane returns what the test sets."""
    instance = {"id": L4_ID, "numAccelerators": 1, "pricePerHour": L4_PRICE}
    vendors = {"vendors": [{"name": "aws", "regions": [{"name": "us-east-1", "computes": [instance]}]}]}
    upstream.answers("GET", "/api/whoami-v2", Answer(body={"type": "user", "name": "acme", "orgs": []}))
    upstream.answers("GET", "/v2/provider/acme", Answer(body=vendors))

    async def open_backend(_: AsyncExitStack) -> Backend:
        return local(upstream.url, TOKEN)

    async with serving(ServerOptions(open_backend=open_backend)) as host:
        yield host


def running(upstream: Upstream, name: str, *, called: timedelta | None, replicas: int = 1, **scaling: Any) -> Any:
    """An endpoint with one L4 for each replica, changed a month ago; `called` is the time since its last call."""
    now = datetime.now(UTC)
    status = {"updatedAt": (now - timedelta(days=30)).isoformat(), "readyReplica": replicas, "targetReplica": replicas}
    if called is not None:
        status["lastUsedAt"] = (now - called).isoformat()
    document = upstream.endpoint("running", **status)
    compute = L4 | {"id": L4_ID, "scaling": {"minReplica": 0, "maxReplica": replicas} | scaling}
    return document | {"name": name, "compute": compute}


async def costs(host: Host, upstream: Upstream, *endpoints: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    upstream.answers("GET", "/v2/endpoint/acme", Answer(body={"items": list(endpoints)}))
    facts = await host.call("get_costs")
    return facts, {row["endpoint_name"]: row for row in facts["savings"]}


async def test_without_endpoints_nothing_is_billed(modern: Host) -> None:
    facts = await modern.call("get_costs")
    assert (facts["cost_now_per_hour_usd"], facts["total"], facts["savings"]) == (0, 0, [])
    assert "No billing API exists" in facts["computed_from"]


async def test_the_most_expensive_comes_first_with_its_cost_now_and_at_most(driver: Driver, host: Host) -> None:
    for name, least, most in (("small", 1, 2), ("large", 3, 4), ("asleep", 0, 1), ("stopped", 1, 1)):
        await driver.create(name, compute=L4 | {"scaling": {"minReplica": least, "maxReplica": most}})
    await driver.put_to_sleep("asleep")
    await driver.do("stopped", "pause")
    await driver.advance(200)
    facts = await host.call("get_costs")
    rows = [(row["endpoint_name"], round(row["cost_now_per_hour_usd"], 2)) for row in facts["endpoints"]]
    assert rows == [("large", 2.4), ("small", L4_PRICE), ("asleep", 0), ("stopped", 0)]
    assert facts["cost_now_per_hour_usd"] == 3.2
    assert facts["cost_at_most_per_hour_usd"] == round(7 * L4_PRICE, 4)
    assert facts["cost_now_per_month_usd"] == 3.2 * 730
    assert "simulated" in facts["now"]


async def test_an_idle_endpoint_kept_running_should_scale_to_zero(upstream: Upstream, fleet: Host) -> None:
    chat = running(upstream, "chat", called=timedelta(hours=3.5), replicas=2, minReplica=2)
    facts, savings = await costs(fleet, upstream, chat)
    saving = savings["chat"]
    assert (saving["saves_usd"], saving["per"]) == (2 * L4_PRICE, "hour")
    assert "nobody has called it for 3 h" in saving["why"]
    assert saving["call"]["tool"] == "update_endpoint"
    assert saving["call"]["arguments"].items() >= {"min_replica": 0, "scale_to_zero_timeout": 15}.items()
    assert facts["next"] == [saving["call"]]
    assert "$1.60/h can be saved" in facts["now"]


async def test_an_idle_endpoint_that_may_scale_to_zero_is_scaled_to_zero(upstream: Upstream, fleet: Host) -> None:
    facts, savings = await costs(fleet, upstream, running(upstream, "chat", called=timedelta(hours=2)))
    assert (savings["chat"]["call"]["tool"], savings["chat"]["saves_usd"]) == ("scale_endpoint_to_zero", L4_PRICE)
    assert facts["endpoints"][0]["idle_minutes"] == 120


async def test_an_endpoint_without_calls_for_a_week_is_paused(upstream: Upstream, fleet: Host) -> None:
    often = running(upstream, "often", called=timedelta(minutes=1), minReplica=1)
    never = running(upstream, "never", called=None, minReplica=1)
    _, savings = await costs(fleet, upstream, often, never)
    assert savings.keys() == {"never"}
    assert savings["never"]["call"]["tool"] == "pause_endpoint"
    assert "30 days" in savings["never"]["why"]


async def test_a_used_endpoint_is_changed_only_for_a_long_time_out(upstream: Upstream, fleet: Host) -> None:
    busy = running(upstream, "busy", called=timedelta(minutes=1), scaleToZeroTimeout=135)
    _, savings = await costs(fleet, upstream, busy, running(upstream, "calm", called=timedelta(minutes=1)))
    assert savings.keys() == {"busy"}
    assert savings["busy"]["call"]["arguments"]["scale_to_zero_timeout"] == 15
    assert (savings["busy"]["saves_usd"], savings["busy"]["per"]) == (2 * L4_PRICE, "idle stretch")


async def test_oversized_hardware_is_reported_with_hardware_that_suffices(upstream: Upstream, fleet: Host) -> None:
    large = {"accelerator": "gpu", "instanceType": "nvidia-a100", "instanceSize": "x1"}
    named = {"id": "aws-us-east-1-nvidia-a100-x1", "numAccelerators": 1, "pricePerHour": 2.5, "gpuMemoryGb": 80}
    small = L4 | {"id": L4_ID, "numAccelerators": 1, "pricePerHour": L4_PRICE, "gpuMemoryGb": 24, "status": "available"}
    computes = [small, large | named | {"status": "available"}]
    vendors = {"vendors": [{"name": "aws", "regions": [{"name": "us-east-1", "computes": computes}]}]}
    upstream.answers("GET", "/v2/provider/acme", Answer(body=vendors))
    chat = running(upstream, "chat", called=timedelta(minutes=1), replicas=2)
    chat["compute"] |= large | {"id": named["id"]}
    chat["provider"] = {"vendor": "aws", "region": "us-east-1"}
    chat["model"] |= {"repository": "meta-llama/Llama-3.1-8B-Instruct", "task": "text-generation"}
    _, savings = await costs(
        fleet, upstream, chat, {**chat, "name": "bert", "model": chat["model"] | {"repository": "x/y"}}
    )
    assert savings.keys() == {"chat"}
    assert savings["chat"]["call"]["arguments"]["hardware"] == L4_ID
    assert savings["chat"]["saves_usd"] == round(2 * (2.5 - L4_PRICE), 4)
    assert "needs about 21.1 GB (estimated from its name)" in savings["chat"]["why"]


async def test_hourly_savings_come_before_occasional_ones(upstream: Upstream, fleet: Host) -> None:
    slow = running(upstream, "slow", called=timedelta(minutes=1), scaleToZeroTimeout=10_000)
    idle = running(upstream, "idle", called=timedelta(hours=5))
    large = running(upstream, "large", called=timedelta(hours=5), replicas=4)
    _, savings = await costs(fleet, upstream, slow, idle, large)
    assert list(savings) == ["large", "idle", "slow"]


async def test_a_thousand_endpoints_fit_into_one_output(upstream: Upstream, fleet: Host) -> None:
    many = [running(upstream, f"endpoint-{number}", called=timedelta(hours=number)) for number in range(1_000)]
    facts, _ = await costs(fleet, upstream, *many)
    assert (facts["total"], len(facts["endpoints"]), len(facts["savings"])) == (1_000, 20, 10)
    assert len(str(facts)) < 8_000 * 3.5
    assert facts["cost_now_per_hour_usd"] == 800


def measured(upstream: Upstream, name: str, *, since: timedelta, called: timedelta | None) -> None:
    """The metrics of an endpoint begin so long ago, with one response."""
    now = datetime.now(UTC)
    running = [{"status": "running", "data": [{"x": (now - since).isoformat(), "y": 1}]}]
    answered = [{"statusCode": "200", "data": [{"x": (now - called).isoformat(), "y": 1}]}] if called else []
    graphs = {"replicasRunning": {"series": running}, "responseStatusCode": {"series": answered}}
    upstream.answers("POST", f"/v2/endpoint/acme/{name}/metrics", Answer(body=graphs))


async def test_metrics_show_that_nobody_called_since_it_was_started(upstream: Upstream, fleet: Host) -> None:
    started, called = running(upstream, "started", called=timedelta(minutes=5)), timedelta(minutes=5)
    measured(upstream, "started", since=timedelta(hours=30), called=timedelta(hours=26))
    measured(upstream, "silent", since=timedelta(hours=3), called=None)
    facts, savings = await costs(fleet, upstream, started, running(upstream, "silent", called=called))
    assert savings["started"]["why"] == "nobody has called it for 26 h; the next call wakes it (by its metrics)"
    assert "no request in its metrics; no data before" in savings["silent"]["why"]
    assert {row["rule"] for row in facts["savings"]} == {"idle"}
    assert facts["next"][0] == {
        "tool": "scale_endpoint_to_zero",
        "arguments": {"names": ["silent", "started"], "namespace": "acme"},
    }, "one call for those alike"


async def test_what_is_billed_and_broken_is_paused(upstream: Upstream, fleet: Host) -> None:
    ages = {"stuck": timedelta(hours=9), "starting": timedelta(minutes=9)}
    documents = []
    for name, age in ages.items():
        changed = (datetime.now(UTC) - age).isoformat()
        document = upstream.endpoint("initializing", updatedAt=changed, lastUsedAt=changed, targetReplica=1)
        documents.append(document | {"name": name, "compute": L4 | {"id": L4_ID, "scaling": {"maxReplica": 1}}})
    _, savings = await costs(fleet, upstream, *documents)
    assert savings.keys() == {"stuck"}
    assert (savings["stuck"]["rule"], savings["stuck"]["call"]["tool"]) == ("broken", "pause_endpoint")
    assert savings["stuck"]["why"] == "it has been starting for 9 h, and no replica is ready"


async def test_no_saving_has_a_reason(upstream: Upstream, fleet: Host) -> None:
    busy, _ = await costs(fleet, upstream, running(upstream, "busy", called=timedelta(minutes=1)))
    assert "No saving was found. Each that is billed was used within the last hour" in busy["now"]
    none, _ = await costs(fleet, upstream, upstream.endpoint("paused"))
    assert none["now"].endswith("Nothing is billed, so nothing can be saved.")


async def test_money_has_no_error_of_fractions(upstream: Upstream, fleet: Host) -> None:
    facts, _ = await costs(fleet, upstream, running(upstream, "three", called=timedelta(minutes=1), replicas=3))
    assert facts["endpoints"][0]["cost_now_per_hour_usd"] == facts["cost_now_per_hour_usd"] == 2.4


async def test_a_wide_window_of_metrics_makes_no_new_endpoint_idle(upstream: Upstream, fleet: Host) -> None:
    new = running(upstream, "new", called=timedelta(minutes=2))
    new["status"]["createdAt"] = (datetime.now(UTC) - timedelta(minutes=3)).isoformat()
    point = {"x": (datetime.now(UTC) - timedelta(minutes=80)).isoformat(), "y": 0}
    graphs = {"timeWindowSeconds": 5_040, "replicasRunning": {"series": [{"status": "running", "data": [point]}]}}
    upstream.answers("POST", "/v2/endpoint/acme/new/metrics", Answer(body=graphs))
    facts, savings = await costs(fleet, upstream, new)
    assert savings == {}
    assert facts["endpoints"][0]["idle_minutes"] <= 3


async def test_the_call_of_another_is_answered_in_the_middle_of_the_costs_of_a_thousand(
    upstream: Upstream, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    script_fleet(upstream, 1_000)
    computed = 0
    begun = asyncio.Event()
    compute = Costs.of

    def counted(costs: Costs, *arguments: Any) -> EndpointCost:
        nonlocal computed
        computed += 1
        begun.set()
        return compute(costs, *arguments)

    monkeypatch.setattr(Costs, "of", counted)
    async with (
        http_server(options_for(local(upstream.url, TOKEN))) as address,
        connected(streamable_http_client(address), mode) as one,
        connected(streamable_http_client(address), mode) as other,
    ):
        for host in (one, other):  # a first call loads and opens what it needs, and asks for the list of tools
            await host.call("whoami")

        async def call_once_begun() -> int:
            await begun.wait()
            await other.call("whoami")
            return computed

        answered = asyncio.create_task(call_once_begun())
        assert (await one.call("get_costs"))["total"] == 1_000
        assert 0 < await answered < computed == 1_000
