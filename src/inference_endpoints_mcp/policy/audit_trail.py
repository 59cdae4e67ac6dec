"""The audit trail: one line of JSON for each plan, approval, refusal and change."""

import json
import logging
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, Any

from inference_endpoints_mcp.policy.caller import current_caller
from inference_endpoints_mcp.privacy.redact import Redactor

LARGEST_FILE = 10 * 1024 * 1024
"""Bytes after which a new file is begun."""
KEPT_FILES = 5

log = logging.getLogger(__name__)


class AuditError(Exception):
    """The audit file cannot be written."""


class AuditTrail:
    """Appends to a file only its owner can read, which rotates. Without a file, it writes nothing.

    Raises `AuditError` at once where the file cannot be written.
    """

    def __init__(self, path: Path | None, redactor: Redactor) -> None:
        self._redactor = redactor
        self._handler = _opened(path) if path is not None else None

    @property
    def enabled(self) -> bool:
        return self._handler is not None

    def write(self, event: str, **facts: Any) -> None:
        """One line. `event` is plan, approval, refusal, warning, change or keys; what is None is left out."""
        if self._handler is None:
            return
        caller = current_caller.get()
        who = (
            {
                "caller": caller.name,
                "signed_in": caller.signed_in,
                "address": caller.address,
                "request_id": caller.request_id,
            }
            if caller
            else {}
        )
        entry = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **who, **facts}
        masked = self._redactor.data({key: value for key, value in entry.items() if value is not None})
        text = json.dumps(masked, ensure_ascii=False, separators=(",", ":"), default=str)
        self._handler.handle(logging.LogRecord("audit", logging.INFO, "", 0, text, None, None))

    def close(self) -> None:
        if self._handler is not None:
            self._handler.close()


def _opened(path: Path) -> "_PrivateFile":
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _PrivateFile(path, maxBytes=LARGEST_FILE, backupCount=KEPT_FILES, encoding="utf-8")
    except OSError as error:
        raise AuditError(f"The audit file {path} cannot be written: {error.strerror}.") from error


class _PrivateFile(RotatingFileHandler):
    def _open(self) -> IO[str]:  # type: ignore[override]
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """A call does not fail because its line cannot be written: the line goes to the log instead."""
        log.error("the audit file cannot be written (%s): %s", sys.exception(), record.getMessage())
        with suppress(OSError):
            self.close()  # drops what it still buffers, which would fail again; the next line reopens it
