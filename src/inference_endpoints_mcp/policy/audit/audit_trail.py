"""The audit trail: one line of JSON for each plan, approval, refusal and change."""

import json
import os
import stat
import sys
from collections.abc import Callable, Mapping
from copy import copy
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from inference_endpoints_mcp.policy.audit.chain import LineSink
from inference_endpoints_mcp.policy.audit.collector import AuditCollector
from inference_endpoints_mcp.policy.audit.lost_lines import log_lost_line
from inference_endpoints_mcp.policy.caller import current_caller
from inference_endpoints_mcp.privacy.redact import Redactor

STANDARD_OUTPUT = Path("-")


class AuditError(Exception):
    """The audit file cannot be written."""


class AuditTrail:
    """Appends to a file that its owner alone can read, or to standard output (`-`), and sends to a collector. Without
    either, it writes nothing.

    `profile` names the settings under which its lines are written. `on_event` gets each event and outcome,
    also without a path. Raises `AuditError` at once where the file cannot be written.
    """

    def __init__(
        self,
        path: Path | None,
        redactor: Redactor,
        profile: str | None = None,
        on_event: Callable[[str, str], None] = lambda event, outcome: None,
        collector: AuditCollector | None = None,
    ) -> None:
        self.redactor = redactor
        self._on_event = on_event
        self._profile = profile
        self._collector = collector
        self._sink: LineSink | None = None
        if path is not None:
            self._sink = _open(path)
        elif collector is not None:
            self._sink = collector.chain

    def masked_by(self, redactor: Redactor) -> "AuditTrail":
        """The same trail, for lines in which this redactor masks secrets."""
        other = copy(self)
        other.redactor = redactor
        return other

    @property
    def enabled(self) -> bool:
        return self._sink is not None

    def write(self, event: str, **facts: Any) -> None:
        """One line. `event` is plan, approval, refusal, warning, change, keys or
        configuration; what is None is left out.

        A call does not fail because its line cannot be written or delivered: the line goes to the log instead.
        """
        self._on_event(event, str(facts.get("outcome") or "") if event != "keys" else "")
        if self._sink is None:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        entry = {"time": now, "event": event, **_caller(), "profile": self._profile, **facts}
        masked = self.redactor.data({key: value for key, value in entry.items() if value is not None})
        line = None
        try:
            line = self._sink.append(masked)
        except OSError as error:
            text = json.dumps(masked, ensure_ascii=False, separators=(",", ":"), default=str)
            log_lost_line(f"the audit file cannot be written ({error})", text)
            self._on_event("audit", "unwritten")
        if self._collector is not None:
            self._collector.send(masked, line, lambda: self._on_event("audit", "undelivered"))

    def close(self) -> None:
        """Deliver what is left, for a few seconds."""
        if self._collector is not None:
            self._collector.close()


def _caller() -> Mapping[str, str | None]:
    caller = current_caller.get()
    if caller is None:
        return {}
    return {
        "caller": caller.name,
        "signed_in": caller.signed_in,
        "account": caller.account,
        "address": caller.address,
        "request_id": caller.request_id,
    }


def _open(path: Path) -> LineSink:
    from inference_endpoints_mcp.policy.audit.chained_file import ChainedFile  # not needed without a trail

    if path == STANDARD_OUTPUT:
        return _stream(sys.stdout.fileno())
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
            return _stream(path)
        return ChainedFile(path)
    except OSError as error:
        raise AuditError(f"The audit file {path} cannot be written: {error.strerror}.") from error


@cache
def _stream(of: int | Path) -> LineSink:
    """One for all trails of this process: what comes out is one chain."""
    from inference_endpoints_mcp.policy.audit.chained_file import Stream

    return Stream(of if isinstance(of, int) else os.open(of, os.O_WRONLY | os.O_APPEND))
