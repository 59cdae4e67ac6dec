"""`--audit-otlp`: the audit trail as log records of OpenTelemetry, whose chain a collector's copy still shows."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from mcp.client.streamable_http import streamable_http_client
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.command import COMMAND, Start, address_of
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Mode, connected
from tests.support.hosts.http_server import INITIALIZE
from tests.support.hosts.otlp_receiver import Receiver, receiving
from tests.support.polling import eventually

from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.cli.main import main
from inference_endpoints_mcp.policy.audit.audit_trail import AuditTrail
from inference_endpoints_mcp.policy.audit.chain import ChainedLine, unchained
from inference_endpoints_mcp.policy.audit.collected import verify_collected
from inference_endpoints_mcp.policy.audit.verification import verify
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.server.observability import otlp_logs
from inference_endpoints_mcp.server.observability.otlp_logs import OtlpLogs

pytestmark = pytest.mark.anyio

NEW: dict[str, Any] = {"endpoint_name": "new", "repository": "org/model", "hardware": "aws-us-east-1-nvidia-l4-x1"}
SECRET = "canary-of-an-operator"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def collector(receiver: Receiver) -> Iterator[OtlpLogs]:
    collector = OtlpLogs(receiver.url)
    yield collector
    receiver.is_open.set()
    collector.close()


async def test_each_line_is_a_record_with_its_place_in_the_chain_of_the_file(
    host_of: HostOf, receiver: Receiver, collector: OtlpLogs, tmp_path: Path, mode: Mode
) -> None:
    trail = tmp_path / "audit"
    async with host_of(
        mode, audit_file=trail, audit_collector=collector, approval=ApprovalPolicy(method=ApprovalMethod.OFF)
    ) as host:
        await host.call("create_endpoint", **NEW)
        await host.call("pause_endpoint", endpoint_name="new")
        await host.call("delete_endpoint", endpoint_name="new")
    await eventually(lambda: len(receiver.records) == 3)
    assert [record["body"] for record in receiver.records] == trail.read_text().splitlines()
    first, second, _ = receiver.records
    said = first["audit.operation"], first["audit.outcome"], first["audit.event"]
    assert said == ("create_endpoint", "DONE", "change")
    assert first["eventName"] == "inference_endpoints_mcp.audit.change"
    assert first["audit.previous"] == ""
    assert second["audit.previous"] == first["audit.chain"]
    assert verify_collected(receiver.write_to(tmp_path / "copy")).last == (verify(trail).last,)


async def test_without_a_file_the_records_are_a_chain_of_their_own_and_show_no_secret(
    receiver: Receiver, collector: OtlpLogs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    for profile in ("readers", "ops"):
        trail = AuditTrail(None, Redactor([SECRET]), profile, collector=collector)
        assert trail.enabled
        for number in range(3):
            trail.write("refusal", number=number, message=f"of {SECRET}")
    collector.close()
    found = verify_collected(receiver.write_to(tmp_path / "copy"))
    assert (found.lines, found.chains, len(found.last)) == (6, 1, 1)
    assert SECRET not in json.dumps(receiver.exports)


Exports = list[dict[str, Any]]


def changed(records: Exports) -> Exports:
    records[1]["body"]["stringValue"] = records[1]["body"]["stringValue"].replace("acme/chat", "acme/mine")
    return records


def chained_anew(records: Exports) -> Exports:
    """Somebody changes a line with its hash, and cannot change those after it."""
    chain = {each["key"]: each["value"] for each in records[1]["attributes"]}
    text, _ = unchained(records[1]["body"]["stringValue"].replace("acme/chat", "acme/mine").encode()) or (b"", "")
    line = ChainedLine(text, chain["audit.previous"]["stringValue"])
    records[1]["body"]["stringValue"], chain["audit.chain"]["stringValue"] = line.line.decode(), line.chain
    return records


def beside(records: Exports) -> Exports:
    return [*records, chained_anew(deepcopy(records))[1]]


def without_hash(records: Exports) -> Exports:
    records[1]["attributes"] = [each for each in records[1]["attributes"] if each["key"] != "audit.chain"]
    return records


@pytest.mark.parametrize(
    ("tamper", "why"),
    [
        (changed, "is not as it was sent"),
        (chained_anew, "is missing"),
        (beside, "More than one record follows"),
        (without_hash, "is missing"),
        (lambda records: [records[0], *records[2:]], "is missing"),
        (lambda records: [records[1], records[3]], "is missing"),
        (lambda records: [*records, {"body": {"kvlistValue": {}}}], "is no export"),
    ],
)
def test_what_was_changed_or_left_out_of_a_copy_is_found(
    receiver: Receiver,
    collector: OtlpLogs,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    tamper: Callable[[Exports], Exports],
    why: str,
) -> None:
    trail = AuditTrail(None, Redactor(), collector=collector)
    for number in range(4):
        trail.write("change", number=number, endpoint="acme/chat")
    collector.close()
    resource = receiver.exports[0]["resourceLogs"][0]
    scope = resource["scopeLogs"][0]
    records = [record for each in receiver.exports for record in each["resourceLogs"][0]["scopeLogs"][0]["logRecords"]]

    def write(path: Path, records: Exports) -> str:
        export = {"resourceLogs": [{**resource, "scopeLogs": [{**scope, "logRecords": records}]}]}
        path.write_text(json.dumps(export) + "\n")
        return str(path)

    in_order = write(tmp_path / "in order", [*reversed(records), records[2]])
    assert main(["audit", "verify", "--audit-file", in_order]) == 0
    assert "4 record(s) in 1 chain(s), each as it was sent" in capsys.readouterr().out
    later = write(tmp_path / "later", records[1:])
    assert main(["audit", "verify", "--audit-file", later]) == 0
    assert "does not begin with the first record" in capsys.readouterr().out
    assert main(["audit", "verify", "--audit-file", write(tmp_path / "tampered", tamper(records))]) == 1
    assert why in capsys.readouterr().err


def undelivered(log: str, problem: str) -> list[int]:
    """The numbers of the lines that the log has instead."""
    return [int(found) for found in re.findall(rf'{problem}: {{.*?"number":(\d+)', log)]


@pytest.mark.parametrize(
    "answer", [{"status": 400}, {"status": 302}, {"status": 308}, {"refused": 1}, {"is_endless": True}]
)
def test_what_the_collector_refuses_is_in_the_log_and_counted(
    receiver: Receiver, collector: OtlpLogs, caplog: pytest.LogCaptureFixture, answer: dict[str, Any]
) -> None:
    for name, value in answer.items():
        setattr(receiver, name, value)
    events: list[tuple[str, str]] = []
    trail = AuditTrail(None, Redactor(), on_event=lambda *event: events.append(event), collector=collector)
    for number in range(30):
        trail.write("refusal", number=number)
    collector.close()
    assert undelivered(caplog.text, "the audit line could not be delivered") == list(range(30))
    assert events.count(("audit", "undelivered")) == 30


async def test_a_collector_that_does_not_answer_holds_no_call_and_loses_no_line(
    host_of: HostOf,
    receiver: Receiver,
    collector: OtlpLogs,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(otlp_logs, "MOST_WAITING", 2)
    monkeypatch.setattr(otlp_logs, "FLUSH_S", 0.1)
    receiver.is_open.clear()
    trail = AuditTrail(None, Redactor(), collector=collector)
    trail.write("refusal", number=0)
    await eventually(receiver.asked.is_set)
    for number in range(1, 4):
        trail.write("refusal", number=number)
    assert undelivered(caplog.text, "the collector of the audit trail does not keep up") == [3]
    async with host_of(audit_collector=collector, approval=ApprovalPolicy(method=ApprovalMethod.OFF)) as host:
        assert (await host.call("create_endpoint", **NEW))["changed"] is True
    assert '"operation":"create_endpoint"' in caplog.text
    await asyncio.to_thread(collector.close)
    assert undelivered(caplog.text, "the audit line may not have been delivered before the end") == [0, 1, 2]
    trail.write("refusal", number=4)
    assert undelivered(caplog.text, "the collector of the audit trail does not keep up") == [3, 4]


@pytest.mark.parametrize(("status", "arrived"), [(200, 25), (400, 0)])
async def test_at_its_end_a_server_has_sent_each_line_or_its_log_has_it(
    start: Start, receiver: Receiver, tmp_path: Path, status: int, arrived: int
) -> None:
    receiver.status = status
    flags = ["--local", "--read-only", "--data-dir", str(tmp_path / "plane"), "--audit-otlp", receiver.url]
    process = start("serve", "--http", "--port", "0", *flags)
    async with connected(streamable_http_client(address_of(process)), "auto") as host:
        for _ in range(25):
            await host.refused("delete_endpoint", "REFUSED", endpoint_name="chat")
    process.send_signal(signal.SIGTERM)
    _, log = await asyncio.to_thread(process.communicate, timeout=HANG_TIMEOUT_S)
    assert len(receiver.records) == arrived
    assert log.count("the audit line could not be delivered") == 25 - arrived


def test_over_stdio_the_last_line_arrives_too(environment: dict[str, str], receiver: Receiver, tmp_path: Path) -> None:
    call = {"name": "delete_endpoint", "arguments": {"endpoint_name": "chat"}}
    messages = [INITIALIZE, {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}]
    flags = ["--local", "--read-only", "--data-dir", str(tmp_path / "plane"), "--audit-otlp", receiver.url]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*COMMAND, *flags], env=environment, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for message in messages:
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
            process.stdout.readline()
        process.communicate(timeout=HANG_TIMEOUT_S)
    (record,) = receiver.records
    assert record["audit.event"] == "refusal"


@pytest.mark.parametrize(
    "url", ["collector:4318", "ftp://collector/v1/logs", "http://user:secret@collector/v1/logs", "http:///v1/logs"]
)
def test_the_address_of_the_collector_is_one_and_holds_no_secret(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--http", "--audit-otlp", url])
    message = capsys.readouterr().err
    assert "--audit-otlp" in message
    assert "secret@" not in message


def test_without_the_extra_it_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "inference_endpoints_mcp.server.observability.otlp_logs", None)
    flags = ["--local", "--data-dir", str(tmp_path), "--audit-otlp", "http://127.0.0.1:4318/v1/logs"]
    assert main(["serve", "--http", *flags]) == 2
    assert "pip install inference-endpoints-mcp[otel]" in capsys.readouterr().err


TWO_TRAILS = """
from pathlib import Path
from inference_endpoints_mcp.policy.audit.audit_trail import AuditTrail
from inference_endpoints_mcp.privacy.redact import Redactor
trails = [AuditTrail(Path("-"), Redactor(), profile) for profile in ("readers", "ops")]
for number in range(4):
    trails[number % 2].write("change", number=number)
"""


def test_what_all_profiles_write_to_standard_output_is_one_chain(tmp_path: Path) -> None:
    with (tmp_path / "audit").open("wb") as out:
        subprocess.run([sys.executable, "-c", TWO_TRAILS], stdout=out, check=True, timeout=HANG_TIMEOUT_S)
    assert verify(tmp_path / "audit").lines == 4
