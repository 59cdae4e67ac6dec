"""Several replicas behind one address: what one starts another can end, and limits hold for all together."""

import asyncio
import os
from collections import Counter
from pathlib import Path

import pytest
from tests.broker.conftest import NEW, OLD, Replicas, host_at
from tests.support.command import Run, address_of, write_private
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Mode, text_of
from tests.support.hosts.round_robin import round_robin
from tests.support.polling import eventually

from inference_endpoints.transport.http import httpx

pytestmark = pytest.mark.anyio

L4 = "aws-us-east-1-nvidia-l4-x1"
MODES: list[Mode] = ["auto", "legacy"]


def wish(name: str) -> dict[str, str]:
    return {"endpoint_name": name, "repository": "a/b", "hardware": L4}


@pytest.mark.parametrize("mode", MODES)
async def test_a_plan_of_one_replica_is_carried_out_once_by_whichever_gets_it(replicas: Replicas, mode: Mode) -> None:
    one, other = replicas.addresses("--confirm", "plan", "--confirm-effects", "disrupts")
    async with host_at(one, mode) as first, host_at(other, mode) as second:
        await first.call("create_endpoint", **wish("chat"))
        token = (await first.call("pause_endpoint", endpoint_name="chat"))["plan_token"]
        assert (await second.call("pause_endpoint", endpoint_name="chat", plan_token=token))["changed"] is True
        assert (await first.call("resume_endpoint", endpoint_name="chat"))["changed"] is True
        for host in (first, second):
            refused = await host.refused("pause_endpoint", "REFUSED", endpoint_name="chat", plan_token=token)
            assert "carried out already" in refused


async def test_a_person_approves_at_another_replica_than_the_one_that_asked(replicas: Replicas) -> None:
    addresses = replicas.addresses()
    async with round_robin(addresses) as address, host_at(address, answer=lambda question: True) as host:
        for number in range(4):
            assert (await host.call("create_endpoint", **wish(f"asked-{number}")))["changed"] is True


async def test_a_key_is_replaced_while_plans_of_the_old_one_are_open(replicas: Replicas) -> None:
    before = address_of(replicas.one(f"{OLD}\n{NEW}\n", "--confirm", "plan"))
    after = address_of(replicas.one(f"# newest first\n{NEW}\n{OLD}\n", "--confirm", "plan"))
    only_new = address_of(replicas.one(f"{NEW}\n", "--confirm", "plan"))
    async with host_at(before) as old, host_at(after) as new, host_at(only_new) as last:
        sealed_before = (await old.call("create_endpoint", **wish("one")))["plan_token"]
        sealed_after = (await new.call("create_endpoint", **wish("two")))["plan_token"]
        assert (await new.call("create_endpoint", **wish("one"), plan_token=sealed_before))["changed"] is True
        assert (await old.call("create_endpoint", **wish("two"), plan_token=sealed_after))["changed"] is True
        again = (await old.call("create_endpoint", **wish("three")))["plan_token"]
        refused = await last.refused("create_endpoint", "REFUSED", **wish("three"), plan_token=again)
        assert "not from this server" in refused


async def test_a_key_is_replaced_while_replicas_run(replicas: Replicas) -> None:
    """In the order that the documentation gives: known to all, then the newest, then alone."""
    one, other = replicas.addresses("--confirm", "plan")
    keys = replicas.folder / f"keys-o{len(OLD) + 1}"

    def replace_keys(text: str) -> None:
        new = write_private(replicas.folder / "new", text)
        os.utime(new, (1, 1))
        new.replace(keys)

    async with host_at(one) as first, host_at(other) as second:
        sealed_by_old = (await first.call("create_endpoint", **wish("one")))["plan_token"]
        replace_keys(f"{OLD}\n{NEW}\n")
        assert (await second.call("list_endpoints"))["total"] == 0
        replace_keys(f"{NEW}\n{OLD}\n")
        sealed_by_new = (await second.call("create_endpoint", **wish("two")))["plan_token"]
        assert (await first.call("create_endpoint", **wish("two"), plan_token=sealed_by_new))["changed"] is True
        assert (await second.call("create_endpoint", **wish("one"), plan_token=sealed_by_old))["changed"] is True
        sealed_by_both = (await first.call("create_endpoint", **wish("three")))["plan_token"]
        replace_keys(f"{NEW}\n")
        assert (await second.call("create_endpoint", **wish("three"), plan_token=sealed_by_both))["changed"] is True


async def test_creations_in_two_replicas_at_once_do_not_pass_a_price_limit_together(replicas: Replicas) -> None:
    """An L4 is $0.80/h, so there is room for two."""
    one, other = replicas.addresses("--confirm", "off", "--max-price-per-hour", "2")
    async with host_at(one) as first, host_at(other) as second:
        await asyncio.gather(first.call("list_endpoints"), second.call("list_endpoints"))
        results = await asyncio.gather(
            *(
                host.send("create_endpoint", **wish(f"{name}-{number}"))
                for number in range(8)
                for name, host in [("a", first), ("b", second)]
            )
        )
        outcomes = Counter("REFUSED" if result.is_error else "created" for result in results)
        assert outcomes == {"created": 2, "REFUSED": 14}, [text_of(result) for result in results]
        assert all("limit of $2/h" in text_of(result) for result in results if result.is_error)
        assert (await first.call("list_endpoints"))["total"] == 2


@pytest.mark.parametrize("mode", MODES)
async def test_waits_of_one_caller_count_in_all_replicas(replicas: Replicas, mode: Mode) -> None:
    one, other = replicas.addresses("--confirm", "off", "--max-waits", "1", "--simulated-speed", "0.01")
    async with host_at(one, mode) as first, host_at(other, mode) as second:
        await second.call("create_endpoint", **wish("slow"))
        waiting = asyncio.create_task(first.send("wait_for_endpoint", endpoint_name="slow"))
        await first.wait_for_progress("0/1")
        refused = await second.refused("wait_for_endpoint", "RATE_LIMITED", endpoint_name="slow")
        assert "already has 1 waits running" in refused
        await second.call("pause_endpoint", endpoint_name="slow")
        await waiting
        paused = await second.call("wait_for_endpoint", endpoint_name="slow", until="paused")
        assert paused["reached"] is True


async def status_of(address: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=HANG_TIMEOUT_S) as client:
        return await client.get(address.removesuffix("/mcp") + "/readyz")


async def test_without_its_broker_a_replica_reads_and_starts_nothing_until_the_broker_is_back(
    replicas: Replicas,
) -> None:
    (address,) = replicas.addresses("--confirm", "plan", "--max-price-per-hour", "5", count=1)
    async with host_at(address) as host:
        token = (await host.call("create_endpoint", **wish("planned")))["plan_token"]
        assert (await status_of(address)).json() == {"status": "ready", "broker": "ready"}
        replicas.broker.kill()
        lost = await status_of(address)
        assert lost.status_code == 200
        assert "cannot be reached" in lost.json()["broker"]
        refused = await host.refused("create_endpoint", "UNAVAILABLE", **wish("planned"), plan_token=token)
        assert "nothing was changed" in refused
        assert (await host.call("list_endpoints"))["total"] == 0
        replicas.broker.start()

        async def is_back() -> bool:
            return bool((await status_of(address)).json()["broker"] == "ready")

        await eventually(is_back)
        assert (await host.call("create_endpoint", **wish("planned"), plan_token=token))["changed"] is True


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--broker", "redis://:secret@h:6379"], "--broker-password-file"),
        (["--broker", "http://h"], "redis://"),
        (["--broker", "redis://h"], "--sealing-keys"),
        (["--sealing-keys", "keys"], "--broker"),
        (["--broker", "redis://h", "--sealing-keys", "short"], "openssl rand"),
    ],
)
def test_settings_that_would_share_nothing_are_refused(run: Run, tmp_path: Path, flags: list[str], says: str) -> None:
    short = write_private(tmp_path / "short", "too short\n")
    ended = run("serve", "--http", "--local", *(str(short) if flag == "short" else flag for flag in flags))
    assert ended.returncode == 2
    assert says in ended.stderr
    assert "secret" not in ended.stdout + ended.stderr
