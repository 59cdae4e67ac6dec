"""The log: on stderr, since stdout carries the protocol. It shows no secret, and nobody can flood it."""

import asyncio
import logging
import sys
import time
from collections import Counter

from inference_endpoints_mcp.policy.audit.lost_lines import LOG as AUDIT_LOG
from inference_endpoints_mcp.privacy.redact import RedactingFilter, Redactor
from inference_endpoints_mcp.server.observability.json_log import JsonFormatter, LogFormat

PERIOD_S = 60.0
LINES_PER_PERIOD = 20
"""Lines with one text, as it is written in the code."""


def log_to_stderr(redactor: Redactor, log_format: LogFormat = "text") -> None:
    """Warnings and errors. As JSON, also one line for each call of a tool."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    if log_format == "json":
        handler.setFormatter(JsonFormatter(redactor))
    for each in (_is_not_cancellation, RepetitionFilter(), RedactingFilter(redactor)):
        handler.addFilter(each)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("inference_endpoints_mcp").setLevel(logging.INFO if log_format == "json" else logging.NOTSET)


class RepetitionFilter(logging.Filter):
    """Lets a text through twenty times a minute: what a caller can cause as often as it likes must not fill a disk.

    Lines that the operator asked for, one for each call, all pass, and so do lines of the audit trail that are nowhere
    else.
    """

    def __init__(self) -> None:
        super().__init__()
        self._period = 0.0
        self._lines: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or record.name == AUDIT_LOG:
            return True
        period = time.monotonic() // PERIOD_S
        if period != self._period:
            self._period = period
            self._lines.clear()
        # Without its arguments it is one of the few texts in the code.
        text = f"{record.name} {record.msg if record.args else record.msg[:100]}"
        self._lines[text] += 1
        if self._lines[text] == LINES_PER_PERIOD:
            record.msg, record.args = f"{record.getMessage()} (such lines are left out for up to a minute)", None
        return self._lines[text] <= LINES_PER_PERIOD


def _is_not_cancellation(record: logging.LogRecord) -> bool:
    """A call that is cut off at the end of the grace period needs no traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))
