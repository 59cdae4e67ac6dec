"""A filter over all namespaces: one set, one approval, and limits that hold for all of it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from mcp.types import ElicitResult
from tests.support.hosts.host import Answer as PersonsAnswer
from tests.support.hosts.host import Host, serving
from tests.support.planes.plane_driver import TOKEN
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.server.application import ServerOptions

pytestmark = pytest.mark.anyio

ALL: dict[str, Any] = {"where": "name=ch*", "namespace": "*"}
Serve = Callable[..., AbstractAsyncContextManager[Host]]


@pytest.fixture
def account(upstream: Upstream) -> Upstream:
    """Someone with two organizations, of which `lab` does not let the token in. The others have one `chat` each."""
    whoami = {"type": "user", "name": "alice", "orgs": [{"name": "acme"}, {"name": "lab"}]}
    upstream.answers("GET", "/api/whoami-v2", Answer(body=whoami))
    for namespace in ("alice", "acme"):
        shows(upstream, namespace, "running", readyReplica=1, targetReplica=1)
    upstream.answers("GET", "/v2/endpoint/lab", Answer(401, {"error": "Unauthorized"}))
    return upstream


def shows(upstream: Upstream, namespace: str, state: str, **status: Any) -> None:
    """The namespace has `chat` in this state, at $0.1 an hour for its one replica."""
    chat, path = upstream.endpoint(state, **status), f"/v2/endpoint/{namespace}/chat"
    instance = {"id": "aws-us-east-1-intel-icl-x2", "numAccelerators": 2, "pricePerHour": 0.1}
    vendor = {"name": "aws", "regions": [{"name": "us-east-1", "computes": [instance]}]}
    upstream.answers("GET", f"/v2/endpoint/{namespace}", Answer(body={"items": [chat]}))
    upstream.answers("GET", path, Answer(body=chat))
    upstream.answers("GET", f"/v2/provider/{namespace}", Answer(body={"vendors": [vendor]}))
    upstream.answers("POST", f"{path}/pause", Answer(body=upstream.endpoint("paused")))
    upstream.answers("POST", f"{path}/resume", Answer(body=upstream.endpoint("initializing")))
    upstream.answers("DELETE", path, Answer(202))


@pytest.fixture
def serve(account: Upstream) -> Serve:
    @asynccontextmanager
    async def served(*, answer: PersonsAnswer | None = None, **options: Any) -> AsyncIterator[Host]:
        async def open_backend(_: AsyncExitStack) -> Backend:
            return local(account.url, TOKEN)

        async with serving(ServerOptions(open_backend=open_backend, **options), answer=answer) as host:
            yield host

    return served


def changes(account: Upstream) -> list[str]:
    return sorted(f"{seen.method} {seen.path}" for seen in account.seen if seen.method != "GET")


async def test_a_plan_shows_where_each_is_and_what_all_cost_together(account: Upstream, serve: Serve) -> None:
    async with serve() as host:
        facts = await host.call("pause_endpoint", **ALL, dry_run=True)
    assert [(row["namespace"], row["endpoint_names"]) for row in facts["endpoints"]] == [
        ("acme", ["chat"]),
        ("alice", ["chat"]),
    ]
    assert (facts["namespace"], facts["plan"]["per_hour_now_usd"]) == ("*", 0.2)
    assert facts["plan"]["warnings"] == ["Not covered: lab (UNAUTHORIZED)."]
    assert changes(account) == []


async def test_one_person_approves_all_of_them_once_and_reads_where_each_is(account: Upstream, serve: Serve) -> None:
    questions: list[str] = []

    def typed(question: str) -> ElicitResult:
        questions.append(question)
        return ElicitResult(action="accept", content={"count": 2, "pattern": "name=ch*"})

    async with serve(answer=typed) as host:
        facts = await host.call("delete_endpoint", **ALL)
    (question,) = questions
    for line in ("in acme, alice:", "- acme/chat: running, $0.1/h", "- alice/chat: running", "Not covered: lab"):
        assert line in question
    assert facts["now"].startswith("2 of 2 endpoints are deleted.")
    assert "Not covered: lab (UNAUTHORIZED)." in facts["now"]
    assert changes(account) == ["DELETE /v2/endpoint/acme/chat", "DELETE /v2/endpoint/alice/chat"]


async def test_what_was_approved_is_shown_again_if_a_namespace_is_lost_meanwhile(
    account: Upstream, serve: Serve
) -> None:
    def typed(_: str) -> ElicitResult:
        account.answers("GET", "/v2/endpoint/acme", Answer(403, {"error": "Forbidden"}))
        return ElicitResult(action="accept", content={"count": 2, "pattern": "name=ch*"})

    async with serve(answer=typed) as host:
        result = await host.send("delete_endpoint", **ALL)
    assert result.is_error
    assert changes(account) == []


async def test_an_excluded_namespace_is_left_alone_and_named(account: Upstream, serve: Serve) -> None:
    async with serve(limits=Limits(namespaces=("alice",))) as host:
        facts = await host.call("pause_endpoint", **ALL)
    assert "Not covered: acme (REFUSED), lab (REFUSED)." in facts["now"]
    assert changes(account) == ["POST /v2/endpoint/alice/chat/pause"]
    assert not [seen.path for seen in account.seen if "acme" in seen.path]


async def test_a_limit_of_all_namespaces_holds_for_the_whole_set(account: Upstream, serve: Serve) -> None:
    for namespace in ("alice", "acme"):
        shows(account, namespace, "paused")
    account.answers("GET", "/api/whoami-v2", Answer(body={"type": "user", "name": "alice", "orgs": [{"name": "acme"}]}))
    alone = {"where": ALL["where"], "namespace": "alice"}
    async with serve(limits=Limits(max_total_price_per_hour=0.15)) as host:
        assert "would be refused" not in str(await host.call("resume_endpoint", **alone, dry_run=True))
        message = await host.refused("resume_endpoint", "REFUSED", **ALL)
    assert "Together with all that runs or starts as well (up to $0.1/h)" in message
    assert changes(account) == []


async def test_a_set_of_all_namespaces_is_as_large_as_one_of_a_single_namespace(
    account: Upstream, serve: Serve
) -> None:
    for namespace in ("alice", "acme"):
        many = [account.endpoint("running") | {"name": f"chat-{number}"} for number in range(60)]
        account.answers("GET", f"/v2/endpoint/{namespace}", Answer(body={"items": many}))
    async with serve() as host:
        assert "120 endpoints are meant" in await host.refused("pause_endpoint", "BAD_REQUEST", **ALL)
    assert changes(account) == []
