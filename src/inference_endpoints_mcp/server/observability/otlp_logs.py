"""The audit trail as log records of OpenTelemetry, sent as OTLP over HTTP. Needs the extra `otel`.

The part of its SDK that has logs is public by its documentation and private by its name (`_logs`), as is what finds the
operator's session, so they may change with any version: no other module imports them. Records go to the exporter from
here, not through a `LoggerProvider`: the SDK's own queue drops what it has no room for or cannot deliver,
`OTEL_SDK_DISABLED` would switch the trail off without a word, and limits of attributes would cut a hash.
"""

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import requests
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._common import _load_session_from_envvar
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from inference_endpoints_mcp import __version__
from inference_endpoints_mcp.policy.audit.chain import ChainedLine, ProcessChain
from inference_endpoints_mcp.policy.audit.collected import CHAIN, PREVIOUS, SCOPE
from inference_endpoints_mcp.policy.audit.lost_lines import log_lost_line

MOST_WAITING = 4_096
"""Lines that wait to be sent. The next one is lost."""
MOST_TOGETHER = 256
EXPORT_S = 10.0
"""Seconds in which the exporter tries to deliver, again and again where that may help."""
FLUSH_S = 5.0
"""Seconds for what is left at the end of the process."""
_MOST_READ = 64 * 1024
"""Bytes of a collector's answer."""


@dataclass(frozen=True)
class _Waiting:
    record: ReadableLogRecord
    text: str
    on_lost: Callable[[], None]

    def lose(self, problem: str) -> None:
        log_lost_line(problem, self.text)
        self.on_lost()


class OtlpLogs:
    """Implements `AuditCollector`: a thread sends. `OTEL_EXPORTER_OTLP_HEADERS` and the other variables of the exporter
    hold, but its address and time are ours."""

    def __init__(self, url: str) -> None:
        self.chain = ProcessChain()
        session = _load_session_from_envvar("OTEL_PYTHON_EXPORTER_OTLP_HTTP_LOGS_CREDENTIAL_PROVIDER")
        session = session or requests.Session()
        session.hooks["response"].append(_check)
        self._exporter: LogRecordExporter = OTLPLogExporter(endpoint=url, timeout=EXPORT_S, session=session)
        service = {"service.name": "inference-endpoints-mcp", "service.version": __version__}
        self._resource = Resource.create(service)
        self._scope = InstrumentationScope(SCOPE, __version__)
        self._waiting: deque[_Waiting] = deque()
        self._sending: Sequence[_Waiting] = ()
        self._is_busy = False
        self._changed = threading.Condition()
        self._has_ended = False
        self._thread = threading.Thread(target=self._send_all, name="audit to OTLP", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def send(self, entry: Mapping[str, Any], line: ChainedLine | None, on_lost: Callable[[], None]) -> None:
        body = (line.line if line is not None else ChainedLine.of(entry, "").text).decode()
        waiting = _Waiting(self._record(entry, line, body), body, on_lost)
        with self._changed:
            has_room = len(self._waiting) < MOST_WAITING and not self._has_ended
            if has_room:
                self._waiting.append(waiting)
                self._changed.notify_all()
        if not has_room:
            waiting.lose("the collector of the audit trail does not keep up")

    def close(self) -> None:
        """Send what is left, within `FLUSH_S`. What is not delivered by then goes to the log."""
        with self._changed:
            if self._has_ended:
                return
            self._changed.wait_for(lambda: not self._waiting and not self._is_busy, FLUSH_S)
            self._has_ended = True
            left = [*self._sending, *self._waiting]
            self._waiting.clear()
            self._changed.notify_all()
        for waiting in left:
            waiting.lose("the audit line may not have been delivered before the end")
        self._exporter.shutdown()

    def _send_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._has_ended)
                if self._has_ended:
                    return
                self._sending = [self._waiting.popleft() for _ in range(min(MOST_TOGETHER, len(self._waiting)))]
                self._is_busy = True
            delivered = self._export([waiting.record for waiting in self._sending])
            with self._changed:
                lost = () if delivered or self._has_ended else self._sending
                self._sending = ()
            for waiting in lost:
                waiting.lose("the audit line could not be delivered")
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()

    def _export(self, records: Sequence[ReadableLogRecord]) -> bool:
        try:
            return self._exporter.export(records) is LogRecordExportResult.SUCCESS
        except Exception:  # whatever it is, the lines must not be lost with it
            return False

    def _record(self, entry: Mapping[str, Any], line: ChainedLine | None, body: str) -> ReadableLogRecord:
        facts = {f"audit.{name}": value for name, value in entry.items() if isinstance(value, str | int | float)}
        place = {CHAIN: line.chain, PREVIOUS: line.previous} if line is not None else {}
        record = LogRecord(
            timestamp=time.time_ns(),
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            body=body,
            attributes={**facts, **place},
            event_name=f"{SCOPE}.{entry['event']}",
        )
        return ReadableLogRecord(record, self._resource, self._scope)


def _check(response: requests.Response, **_: Any) -> None:
    """Raises OSError for what the exporter would take for delivered and is not: a redirect, which it does not follow,
    and an answer that refuses some of the lines. No more of an answer is read than it can need."""
    answer = response.raw.read(_MOST_READ + 1, decode_content=True)
    if len(answer) > _MOST_READ:
        response.close()
        raise OSError("the collector's answer has no end")
    if 300 <= response.status_code < 400:
        raise OSError("the collector redirects")
    is_message = response.headers.get("content-type", "").startswith("application/x-protobuf")
    if response.ok and is_message and ExportLogsServiceResponse.FromString(answer).partial_success.rejected_log_records:
        raise OSError("the collector refused some lines")


@cache
def otlp_logs(url: str) -> OtlpLogs:
    """One for all servers of this process, so that their lines are one chain."""
    return OtlpLogs(url)
