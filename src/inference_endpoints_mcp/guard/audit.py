"""The audit trail: one line of JSON for each plan, approval, refusal and change."""

import json
import logging
import os
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from inference_endpoints_mcp.guard.redact import Redactor

LARGEST_FILE = 10 * 1024 * 1024
"""Bytes after which a new file is begun."""
KEPT_FILES = 5


class Audit:
    """Appends to a file only its owner can read, which rotates. Without a file, it keeps silent."""

    def __init__(self, path: Path | None, redactor: Redactor) -> None:
        self._redactor = redactor
        self._handler = _PrivateFile(path) if path is not None else None

    def note(self, event: str, **facts: Any) -> None:
        """One line. `event` is plan, approval, refusal or change; what is None is left out."""
        if self._handler is None:
            return
        said = {key: value for key, value in facts.items() if value is not None}
        entry = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **said}
        text = json.dumps(self._redactor.data(entry), ensure_ascii=False, separators=(",", ":"), default=str)
        self._handler.handle(logging.LogRecord("audit", logging.INFO, "", 0, text, None, None))

    def close(self) -> None:
        if self._handler is not None:
            self._handler.close()


class _PrivateFile(RotatingFileHandler):
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        super().__init__(path, maxBytes=LARGEST_FILE, backupCount=KEPT_FILES, encoding="utf-8", delay=True)

    def _open(self) -> Any:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8")
