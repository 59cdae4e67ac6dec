"""Replicas whose callers bring tokens of their own: an account is one in all of them, and no token is at the broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from tests.broker.broker import PASSWORD, Broker
from tests.broker.conftest import NEW, OLD
from tests.inference_endpoints_mcp.server.http.sign_in.test_profiles import write_keys
from tests.support.hosts.accounts import FIRST, SECOND, acting, options_of_callers
from tests.support.hosts.host import Mode
from tests.support.hosts.http_server import ON_LOOPBACK, http_server
from tests.support.planes.plane_driver import PlaneOf
from tests.support.polling import eventually
from tests.support.service.scripted_fleet import script_fleet
from tests.support.service.scripted_upstream import SILENT, Upstream

from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.replicas.broker_state import BrokerState

pytestmark = pytest.mark.anyio

MODES: list[Mode] = ["auto", "legacy"]
L4 = "aws-us-east-1-nvidia-l4-x1"
END = "the end of this test"


def wish(name: str) -> dict[str, str]:
    return {"endpoint_name": name, "repository": "a/b", "hardware": L4}


@asynccontextmanager
async def replicas(
    broker: Broker, accounts: dict[str, str] | Upstream, tmp_path: Path, *sealing_keys: tuple[str, ...], **options: Any
) -> AsyncIterator[tuple[list[str], dict[str, str]]]:
    """Servers with these sealing keys, on one broker. Yields their addresses, and the keys of callers."""
    keys = write_keys(tmp_path / "keys", {"alice": None, "bob": None})
    async with AsyncExitStack() as stack:
        addresses = []
        for each in sealing_keys:
            own = options_of_callers(
                accounts,
                sealing_keys=tuple(key.encode() for key in each),
                open_shared=partial(BrokerState, broker.url, PASSWORD),
                **options,
            )
            server = http_server(own, replace(ON_LOOPBACK, keys_file=tmp_path / "keys"))
            addresses.append(await stack.enter_async_context(server))
        yield addresses, keys


@asynccontextmanager
async def seen_by(broker: Broker) -> AsyncIterator[list[str]]:
    """Every command that the broker gets during the block; they are complete after it."""
    redis: Redis = Redis.from_url(broker.url, password=PASSWORD, decode_responses=True)
    seen: list[str] = []
    async with redis, redis.monitor() as monitor:

        async def listen() -> None:
            async for command in monitor.listen():
                seen.append(str(command["command"]))  # noqa: PERF401 - each is seen when it comes

        listening = asyncio.create_task(listen())
        yield seen
        await redis.echo(END)
        await eventually(lambda: any(END in command for command in seen))
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    await redis.connection_pool.disconnect()


@pytest.mark.parametrize("mode", MODES)
async def test_a_plan_of_an_account_is_carried_out_at_any_replica_under_its_own_token_alone(
    broker: Broker, plane_of: PlaneOf, tmp_path: Path, mode: Mode
) -> None:
    approval = ApprovalPolicy(method=ApprovalMethod.PLAN, include_simulated=True)
    async with (
        seen_by(broker) as seen,
        plane_of(token=FIRST, data_dir=tmp_path / "first") as first,
        plane_of(token=SECOND, data_dir=tmp_path / "second") as second,
        replicas(
            broker,
            {FIRST: first.plane.url, SECOND: second.plane.url},
            tmp_path,
            (OLD,),
            (OLD, NEW),
            approval=approval,
        ) as ((one, other), keys),
        acting(one, keys["alice"], FIRST, mode) as alice,
        acting(other, keys["alice"], FIRST, mode) as at_the_other,
        acting(other, keys["alice"], SECOND, mode) as elsewhere,
        acting(other, keys["bob"], FIRST, mode) as bob,
    ):
        plan = (await alice.call("create_endpoint", **wish("chat")))["plan_token"]
        for host in (elsewhere, bob):
            refused = await host.refused("create_endpoint", "REFUSED", **wish("chat"), plan_token=plan)
            assert "made for another caller" in refused
        assert (await at_the_other.call("create_endpoint", **wish("chat"), plan_token=plan))["changed"] is True
        assert (await elsewhere.call("list_endpoints"))["total"] == 0
    assert len(seen) > 5
    assert not any(token in command for command in seen for token in (FIRST, SECOND, plan))


async def test_replicas_tell_each_other_what_they_observe_for_one_account_and_not_for_another_with_the_same_token(
    broker: Broker, plane_of: PlaneOf, tmp_path: Path
) -> None:
    approval = ApprovalPolicy(method=ApprovalMethod.OFF)
    async with (
        seen_by(broker) as seen,
        plane_of(token=FIRST, data_dir=tmp_path / "first") as first,
        replicas(broker, {FIRST: first.plane.url}, tmp_path, (OLD,), (OLD,), approval=approval) as ((one, other), keys),
        acting(one, keys["alice"], FIRST, "auto") as alice,
        acting(other, keys["alice"], FIRST, "auto") as at_the_other,
        acting(other, keys["bob"], FIRST, "auto") as bob,
    ):
        await alice.call("create_endpoint", **wish("chat"))
        hosts = (alice, at_the_other, bob)
        waits = [
            asyncio.create_task(host.call("wait_for_endpoint", endpoint_name="chat", until="paused")) for host in hosts
        ]
        for host in hosts:
            await host.wait_for_progress("0/1 replicas")
        await eventually(lambda: len(channels(seen)) == 3)
        await alice.call("pause_endpoint", endpoint_name="chat")
        assert all([(await wait)["reached"] for wait in waits])
    assert [len(set(channels(seen))), len(channels(seen))] == [2, 3]


def channels(seen: list[str]) -> list[str]:
    """The channels that a replica began to listen to."""
    return [command.split()[1] for command in seen if command.startswith("SUBSCRIBE ")]


async def test_a_start_of_an_account_counts_for_it_alone_in_all_replicas_while_a_sealing_key_is_replaced(
    broker: Broker, upstream: Upstream, tmp_path: Path
) -> None:
    """An L4 is $0.80/h, so there is room for one: the first, which the service does not answer yet."""
    script_fleet(upstream, 0)
    upstream.answers("POST", "/v2/endpoint/acme", SILENT)

    def started() -> list[str]:
        return [seen.headers["authorization"] for seen in upstream.seen if seen.method == "POST"]

    approval, limits = ApprovalPolicy(method=ApprovalMethod.OFF), Limits(max_price_per_hour=1)
    async with (
        replicas(broker, upstream, tmp_path, (OLD, NEW), (NEW, OLD), approval=approval, limits=limits) as (
            (one, other),
            keys,
        ),
        acting(one, keys["alice"], FIRST, "auto") as alice,
        acting(other, keys["alice"], FIRST, "auto") as at_the_other,
        acting(other, keys["alice"], SECOND, "auto") as elsewhere,
    ):
        starting = [asyncio.create_task(alice.send("create_endpoint", **wish("first"), max_replica=1))]
        await eventually(lambda: len(started()) == 1)
        refused = await at_the_other.refused("create_endpoint", "REFUSED", **wish("second"), max_replica=1)
        assert "limit of $1/h" in refused
        starting.append(asyncio.create_task(elsewhere.send("create_endpoint", **wish("third"), max_replica=1)))
        await eventually(lambda: len(started()) == 2)
        for each in starting:
            each.cancel()
    assert started() == [f"Bearer {FIRST}", f"Bearer {SECOND}"]
