"""`--log-format json`: a line for each call, with the request id that the audit trail has."""

import json
import logging
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp.client.streamable_http import streamable_http_client
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from tests.support.command import Start
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Mode, connected

from inference_endpoints_mcp.policy.caller import Caller, current_caller
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.server.observability.json_log import JsonFormatter

pytestmark = pytest.mark.anyio

CANARY = "a-prompt-of-somebody"


async def test_each_call_is_a_line_that_has_the_request_id_of_the_audit_trail(
    start: Start, tmp_path: Path, mode: Mode
) -> None:
    trail = tmp_path / "audit.jsonl"
    flags = ["--local", "--data-dir", str(tmp_path / "plane"), "--audit-file", str(trail), "--read-only"]
    process = start("serve", "--http", "--port", "0", "--log-format", "json", *flags)
    assert process.stderr is not None
    address = process.stderr.readline().removeprefix("Serving ").strip()
    async with connected(streamable_http_client(address), mode, name="ours") as host:
        await host.call("list_endpoints", search=CANARY)
        await host.refused("get_endpoint", "NOT_FOUND", endpoint_name=CANARY)
        await host.refused("pause_endpoint", "REFUSED", endpoint_name=CANARY)
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=HANG_TIMEOUT_S)
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.splitlines()]
    calls = [line for line in lines if "tool" in line]
    assert [(line["tool"], line["outcome"], line["level"], line["caller"]) for line in calls] == [
        ("list_endpoints", "OK", "INFO", "ours"),
        ("get_endpoint", "NOT_FOUND", "INFO", "ours"),
        ("pause_endpoint", "REFUSED", "INFO", "ours"),
    ]
    assert all(line["duration_s"] >= 0 and line["characters"] > 0 for line in calls)
    assert len({line["request_id"] for line in calls}) == 3
    (refusal,) = [line for line in map(json.loads, trail.read_text().splitlines()) if line.get("event") == "refusal"]
    assert refusal["request_id"] == calls[2]["request_id"]
    assert CANARY not in log


def test_a_line_has_the_span_and_the_exception_of_its_request() -> None:
    span = NonRecordingSpan(SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(1)))
    caller = current_caller.set(Caller("ours", "127.0.0.1", "0123456789ab", "alice"))
    try:
        with trace.use_span(span):
            try:
                raise ValueError("as it was")
            except ValueError:
                record = logging.LogRecord("log", logging.ERROR, __file__, 1, "%s\nfailed", ("it",), sys.exc_info())
            (line,) = JsonFormatter(Redactor()).format(record).splitlines()
    finally:
        current_caller.reset(caller)
    shown = json.loads(line)
    assert shown["message"] == "it\nfailed"
    assert shown["exception"].endswith("ValueError: as it was")
    assert (shown["trace_id"], shown["span_id"]) == (f"{0xABC:032x}", f"{0xDEF:016x}")
    assert (shown["request_id"], shown["caller"], shown["signed_in"]) == ("0123456789ab", "ours", "alice")
