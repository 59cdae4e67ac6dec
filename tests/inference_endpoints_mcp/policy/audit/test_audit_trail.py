"""The audit trail: one line for each refusal and change, in a file of the operator's alone."""

import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.command import Run
from tests.support.hosts.guarded_client import guarded
from tests.support.hosts.host import Mode
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints.transport.backend import local
from inference_endpoints_local.state.faults import Fault
from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.policy.audit import chained_file as audits
from inference_endpoints_mcp.policy.audit.audit_trail import AuditTrail
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.privacy.redact import Redactor

pytestmark = pytest.mark.anyio

NEW: dict[str, Any] = {"endpoint_name": "new", "repository": "org/model", "hardware": "aws-us-east-1-nvidia-l4-x1"}
HUB = "hf_" + "Canary01" * 5


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def lines(trail: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in trail.read_text("utf-8").splitlines()]


async def test_each_change_is_one_line_with_who_what_price_and_outcome(
    driver: Driver, host_of: HostOf, mode: Mode, trail: Path
) -> None:
    async with host_of(
        mode, audit_file=trail, name="chat-ops", approval=ApprovalPolicy(method=ApprovalMethod.OFF)
    ) as host:
        await host.call("create_endpoint", **NEW, max_replica=2)
        await driver.advance(200)
        await host.call("update_endpoint", endpoint_name="new", max_replica=3)
        await host.call("pause_endpoint", endpoint_name="new")
        await host.call("delete_endpoint", endpoint_name="new")
    noted = lines(trail)
    assert [(line["operation"], line["effect"], line.get("price_per_hour_at_most_usd")) for line in noted] == [
        ("create_endpoint", "spends", 1.6),
        ("update_endpoint", "disrupts", 2.4),
        ("pause_endpoint", "disrupts", None),
        ("delete_endpoint", "destroys", None),
    ]
    for line in noted:
        assert (line["event"], line["outcome"], line["endpoint"], line["caller"]) == (
            "change",
            "DONE",
            "acme/new",
            "chat-ops",
        )
    assert len({line["request_id"] for line in noted}) == 4


async def test_waking_by_a_call_is_a_change(driver: Driver, host_of: HostOf, trail: Path) -> None:
    await driver.create_local(compute={"scaling": {"minReplica": 0}})
    await driver.reach("tiny", "running")
    await driver.put_to_sleep("tiny")
    await driver.reach("tiny", "scaledToZero")
    async with host_of(audit_file=trail) as host:
        for _ in range(2):
            await host.call("call_endpoint", endpoint_name="tiny", text="x")
    assert {(line["operation"], line["endpoint"], line["outcome"]) for line in lines(trail)} == {
        ("call_endpoint", "acme/tiny", "DONE")
    }


async def test_each_refusal_is_one_line_whether_of_a_tool_a_namespace_or_a_rule(
    driver: Driver, host_of: HostOf, mode: Mode, trail: Path
) -> None:
    limits = Limits(toolsets=("lifecycle",), namespaces=("acme",), max_replicas=1)
    async with host_of(mode, audit_file=trail, limits=limits) as host:
        await host.refused("whoami", "REFUSED")
        await host.refused("list_endpoints", "REFUSED", namespace="lab")
        await host.refused("create_endpoint", "REFUSED", **NEW, max_replica=2)
    tool, namespace, rule = lines(trail)
    assert {line["event"] for line in (tool, namespace, rule)} == {"refusal"}
    assert tool["tool"] == "whoami"
    assert (namespace["tool"], namespace["namespace"]) == ("list_endpoints", "lab")
    assert (rule["operation"], rule["endpoint"]) == ("create_endpoint", "acme/new")
    assert "at most 1 replica(s)" in rule["message"]


async def test_a_call_that_only_reads_is_not_recorded(driver: Driver, host_of: HostOf, trail: Path) -> None:
    await driver.create()
    await driver.advance(200)
    async with host_of(audit_file=trail) as host:
        for tool in ("list_endpoints", "whoami", "get_vendors"):
            await host.call(tool)
        for tool in ("get_endpoint", "wait_for_endpoint", "get_endpoint_logs"):
            await host.call(tool, endpoint_name="chat")
        await host.call("create_endpoint", **NEW, dry_run=True)
        await host.send("call_endpoint", endpoint_name="chat", text="x")
    assert lines(trail) == []


@pytest.mark.parametrize(
    ("fault", "outcome"), [(Fault.QUOTA_EXCEEDED, "QUOTA_EXCEEDED"), (Fault.DROP_ANSWER, "OUTCOME_UNKNOWN")]
)
async def test_a_failed_change_is_recorded_with_its_error(
    driver: Driver, host_of: HostOf, trail: Path, fault: Fault, outcome: str
) -> None:
    driver.plane.faults.arm(fault, "create_endpoint")
    async with host_of(audit_file=trail) as host:
        await host.send("create_endpoint", **NEW)
    (line,) = lines(trail)
    assert (line["event"], line["outcome"]) == ("change", outcome)


async def test_the_services_own_number_of_a_failed_request_is_noted(upstream: Upstream, trail: Path) -> None:
    upstream.answers("POST", "/v2/endpoint/acme/chat/pause", Answer(403, {}, {"x-request-id": "Root=1-abc"}))
    async with client_of(upstream, trail) as client:
        with pytest.raises(InferenceEndpointError):
            await client.pause("chat")
    (line,) = lines(trail)
    assert (line["outcome"], line["upstream_request_id"]) == ("FORBIDDEN", "Root=1-abc")


async def test_a_change_whose_caller_goes_away_part_of_the_way_is_recorded_as_unknown(
    upstream: Upstream, trail: Path
) -> None:
    async with client_of(upstream, trail) as client, anyio.create_task_group() as tasks:

        async def cancelling() -> None:
            tasks.cancel_scope.cancel()
            await client.pause("chat")

        tasks.start_soon(cancelling)
    (line,) = lines(trail)
    assert (line["operation"], line["outcome"]) == ("pause_endpoint", "OUTCOME_UNKNOWN")


@asynccontextmanager
async def client_of(upstream: Upstream, trail: Path) -> AsyncIterator[AsyncEndpointsClient]:
    """A client under a policy that keeps a trail and forbids nothing."""
    async with guarded(local(upstream.url, TOKEN), Limits(), AuditTrail(trail, Redactor())) as client:
        yield client


async def test_no_line_shows_a_secret(driver: Driver, host_of: HostOf, trail: Path) -> None:
    limits = Limits(repositories=(f"{HUB}/*",), namespaces=("acme",))
    async with host_of(audit_file=trail, limits=limits, name=HUB) as host:
        await host.refused("create_endpoint", "REFUSED", **NEW)
        await host.refused("get_endpoint", "REFUSED", endpoint_name="x", namespace=HUB)
    noted = lines(trail)
    assert [line["caller"] for line in noted] == ["***", "***"]
    assert "Canary" not in json.dumps(noted)
    assert TOKEN not in json.dumps(noted)


def test_the_file_is_its_owners_alone_and_rotates(trail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audits, "LARGEST_FILE", 500)
    audit = AuditTrail(trail, Redactor())
    for number in range(100):
        audit.write("change", number=number, text="x" * 40)
    kept = sorted(path for path in trail.parent.iterdir() if path.suffix != ".lock")
    assert [path.name for path in kept] == [trail.name, *(f"{trail.name}.{each}" for each in range(1, 6))]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}
    assert all(path.stat().st_size <= 500 for path in kept)
    assert lines(trail)[-1]["number"] == 99


def test_two_servers_append_to_one_file(trail: Path) -> None:
    for number in range(2):
        audit = AuditTrail(trail, Redactor())
        audit.write("change", number=number)
    assert [line["number"] for line in lines(trail)] == [0, 1]


@pytest.mark.parametrize("command", [[], ["serve", "--http", "--port", "0"]])
def test_a_file_that_cannot_be_written_is_a_plain_sentence_at_the_start(
    run: Run, tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "file").touch()
    for wrong in (tmp_path, tmp_path / "file" / "audit"):
        ended = run(*command, "--audit-file", str(wrong))
        assert (ended.returncode, ended.stdout) == (2, "")
        (sentence,) = ended.stderr.splitlines()
        assert sentence.startswith(f"The audit file {wrong} cannot be written: ")


async def test_a_disk_that_fills_up_later_fails_no_call_and_leaves_the_line_in_the_log(
    driver: Driver, host_of: HostOf, caplog: pytest.LogCaptureFixture
) -> None:
    async with host_of(audit_file=Path("/dev/full")) as host:
        assert (await host.call("create_endpoint", **NEW))["changed"] is True
    assert '"operation":"create_endpoint"' in caplog.text
