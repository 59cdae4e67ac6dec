"""`namespace="*"`: all namespaces of the caller at once, with those that refuse named."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.support.hosts.host import Host, serving
from tests.support.planes.plane_driver import TOKEN
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.server.application import ServerOptions

pytestmark = pytest.mark.anyio


@pytest.fixture
def account(upstream: Upstream) -> Upstream:
    """Someone with two organizations, of which `lab` does not let the token in."""
    whoami = {"type": "user", "name": "alice", "orgs": [{"name": "acme"}, {"name": "lab"}]}
    upstream.answers("GET", "/api/whoami-v2", Answer(body=whoami))
    instance = {"id": "aws-us-east-1-intel-icl-x2", "numAccelerators": 2, "pricePerHour": 0.1}
    vendors = {"vendors": [{"name": "aws", "regions": [{"name": "us-east-1", "computes": [instance]}]}]}
    for namespace, used in (("alice", 0), ("acme", 12)):
        upstream.answers("GET", f"/v2/endpoint/{namespace}", Answer(body={"items": [upstream.endpoint("running")]}))
        upstream.answers("GET", f"/v2/provider/{namespace}", Answer(body=vendors))
        quota = {"instanceType": "nvidia-l4", "maxAccelerators": 16, "usedAccelerators": used}
        quotas = {"vendors": [{"name": "aws", "quotas": [quota]}]}
        upstream.answers("GET", f"/v2/provider/quotas/{namespace}", Answer(body=quotas))
    refusal = Answer(401, {"error": "Unauthorized"})
    upstream.answers("GET", "/v2/endpoint/lab", refusal)
    upstream.answers("GET", "/v2/provider/quotas/lab", refusal)
    return upstream


async def host_with(account: Upstream, **options: Any) -> AsyncIterator[Host]:
    async def open_backend(_: AsyncExitStack) -> Backend:
        return local(account.url, TOKEN)

    async with serving(ServerOptions(open_backend=open_backend, **options)) as host:
        yield host


@pytest.fixture
async def host(account: Upstream, anyio_backend: str) -> AsyncIterator[Host]:
    async for host in host_with(account):
        yield host


@pytest.fixture
async def bounded(account: Upstream, anyio_backend: str) -> AsyncIterator[Host]:
    """Its operator allows two of the three namespaces."""
    async for host in host_with(account, limits=Limits(namespaces=("alice", "lab"))):
        yield host


async def test_endpoints_of_all_namespaces_are_listed_and_refused_namespaces_are_named(host: Host) -> None:
    listed = await host.call("list_endpoints", namespace="*")
    assert [(row["namespace"], row["endpoint_name"]) for row in listed["endpoints"]] == [
        ("alice", "chat"),
        ("acme", "chat"),
    ]
    assert (listed["total"], listed["cost_now_per_hour_usd"]) == (2, 0.2)
    assert listed["refused"] == [{"namespace": "lab", "code": "UNAUTHORIZED"}]
    assert "Not covered: lab (UNAUTHORIZED)" in listed["now"]


async def test_pages_go_on_over_all_namespaces(host: Host) -> None:
    first = await host.call("list_endpoints", namespace="*", limit=1)
    second = await host.call("list_endpoints", **first["next"][0]["arguments"])
    assert [row["namespace"] for row in first["endpoints"] + second["endpoints"]] == ["alice", "acme"]


async def test_quotas_are_compared_over_all_namespaces_most_used_first(host: Host) -> None:
    quotas = await host.call("get_quotas", namespace="*")
    assert [(row["namespace"], row["used"], row["left"]) for row in quotas["quotas"]] == [
        ("acme", 12, 4),
        ("alice", 0, 16),
    ]
    assert quotas["refused"] == [{"namespace": "lab", "code": "UNAUTHORIZED"}]


async def test_an_excluded_namespace_is_not_queried_and_is_named(bounded: Host, account: Upstream) -> None:
    listed = await bounded.call("list_endpoints", namespace="*")
    assert [row["namespace"] for row in listed["endpoints"]] == ["alice"]
    assert {(one["namespace"], one["code"]) for one in listed["refused"]} == {
        ("acme", "REFUSED"),
        ("lab", "UNAUTHORIZED"),
    }
    assert not [seen.path for seen in account.seen if "acme" in seen.path]


async def test_if_every_namespace_fails_the_call_fails(host: Host, account: Upstream) -> None:
    for namespace in ("alice", "acme"):
        account.answers("GET", f"/v2/endpoint/{namespace}", Answer(403, {"error": "Forbidden"}))
    await host.refused("list_endpoints", "FORBIDDEN", namespace="*")
