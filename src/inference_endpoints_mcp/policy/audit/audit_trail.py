"""The audit trail: one line of JSON for each plan, approval, refusal and change."""

import json
import logging
import os
import stat
import sys
from collections.abc import Callable, Mapping
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference_endpoints_mcp.policy.caller import current_caller
from inference_endpoints_mcp.privacy.redact import Redactor

if TYPE_CHECKING:
    from inference_endpoints_mcp.policy.audit.chained_file import LineSink

STANDARD_OUTPUT = Path("-")

log = logging.getLogger(__name__)


class AuditError(Exception):
    """The audit file cannot be written."""


class AuditTrail:
    """Appends to a file that its owner alone can read, or to standard output (`-`). Without a path, it writes nothing.

    `profile` names the settings under which its lines are written. `on_event` gets each event and outcome,
    also without a path. Raises `AuditError` at once where the file cannot be written.
    """

    def __init__(
        self,
        path: Path | None,
        redactor: Redactor,
        profile: str | None = None,
        on_event: Callable[[str, str], None] = lambda event, outcome: None,
    ) -> None:
        self.redactor = redactor
        self._on_event = on_event
        self._profile = profile
        self._sink = _open(path) if path is not None else None

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

        A call does not fail because its line cannot be written: the line goes to the log instead.
        """
        self._on_event(event, str(facts.get("outcome") or "") if event != "keys" else "")
        if self._sink is None:
            return
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        entry = {"time": now, "event": event, **_caller(), "profile": self._profile, **facts}
        masked = self.redactor.data({key: value for key, value in entry.items() if value is not None})
        try:
            self._sink.append(masked)
        except OSError as error:
            line = json.dumps(masked, ensure_ascii=False, separators=(",", ":"), default=str)
            log.error("the audit file cannot be written (%s): %s", error, line)


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


def _open(path: Path) -> "LineSink":
    from inference_endpoints_mcp.policy.audit.chained_file import ChainedFile, Stream  # not needed without a trail

    if path == STANDARD_OUTPUT:
        return Stream(sys.stdout.fileno())
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
            return Stream(os.open(path, os.O_WRONLY | os.O_APPEND))
        return ChainedFile(path)
    except OSError as error:
        raise AuditError(f"The audit file {path} cannot be written: {error.strerror}.") from error
