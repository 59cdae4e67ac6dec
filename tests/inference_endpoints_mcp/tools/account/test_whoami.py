"""Showing whose token the server uses, what it may do, and whether its account can pay."""

from contextlib import AsyncExitStack
from typing import Any

import pytest
from tests.support.hosts.host import Host, serving
from tests.support.service.scripted_upstream import TOKEN, Answer, Upstream

from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_mcp.server.application import ServerOptions

pytestmark = pytest.mark.anyio

MANAGE, CALL = "inference.endpoints.write", "inference.endpoints.infer.write"


async def whoami(upstream: Upstream, document: dict[str, Any], **options: Any) -> dict[str, Any]:
    async def open_backend(_: AsyncExitStack) -> Backend:
        return local(upstream.url, TOKEN)

    upstream.answers("GET", "/api/whoami-v2", Answer(body={"type": "user", "name": "alice", **document}))
    async with serving(ServerOptions(open_backend=open_backend, **options)) as host:
        return await host.call("whoami")


def fine_grained(*scoped: dict[str, Any], everywhere: tuple[str, ...] = ()) -> dict[str, Any]:
    rights = {"canReadGatedRepos": True, "global": list(everywhere), "scoped": list(scoped)}
    return {"auth": {"type": "access_token", "accessToken": {"role": "fineGrained", "fineGrained": rights}}}


def scope(name: str, *permissions: str, kind: str = "user") -> dict[str, Any]:
    entity = {"_id": "6273f303f6d63a28483fde12", "type": kind, "name": name}
    return {"entity": entity, "permissions": list(permissions)}


async def test_whoami_names_the_namespace_and_the_backend(host: Host) -> None:
    facts = await host.call("whoami")
    assert (facts["name"], facts["default_namespace"], facts["backend"]) == ("acme", "acme", "local")
    assert facts["namespaces"] == ["acme"]
    assert (facts["can_pay"], facts["role"]) == (True, "write")
    assert "permissions" not in facts


async def test_the_permissions_of_a_fine_grained_token_are_shown_by_namespace(upstream: Upstream) -> None:
    scopes = (
        scope("alice", MANAGE, CALL, "repo.content.read"),
        scope("acme", CALL, kind="org"),
        scope("alice/model", "repo.write", kind="model"),
    )
    facts = await whoami(upstream, {"orgs": [{"name": "acme"}]} | fine_grained(*scopes))
    assert facts["role"] == "fineGrained"
    assert facts["permissions"] == {"alice": [CALL, MANAGE], "acme": [CALL]}
    assert "lacks" not in facts["now"]


async def test_permissions_that_hold_everywhere_hold_in_each_namespace(upstream: Upstream) -> None:
    facts = await whoami(upstream, {"orgs": [{"name": "acme"}]} | fine_grained(everywhere=(MANAGE,)))
    assert facts["permissions"] == {"alice": [MANAGE], "acme": [MANAGE]}
    assert f"The token lacks {CALL} for it." in facts["now"]


async def test_the_permissions_that_the_default_namespace_needs_are_named_where_they_are_missing(
    upstream: Upstream,
) -> None:
    facts = await whoami(upstream, fine_grained(scope("alice", "repo.write")), namespace="acme")
    assert facts["permissions"] == {}
    assert f"lacks inference.endpoints.read, {MANAGE}, {CALL} for it" in facts["now"]


async def test_a_namespace_that_cannot_pay_is_reported_with_what_follows_from_it(upstream: Upstream) -> None:
    orgs = {"canPay": True, "orgs": [{"name": "acme", "canPay": False}]}
    assert (await whoami(upstream, orgs))["can_pay"] is True
    facts = await whoami(upstream, orgs, namespace="acme")
    assert facts["can_pay"] is False
    assert "It has no payment method: quotas read 0" in facts["now"]
    assert "can_pay" not in await whoami(upstream, orgs, namespace="elsewhere")
