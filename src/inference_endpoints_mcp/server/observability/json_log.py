"""Log lines as JSON objects, for whoever collects them. A line has the id that the audit trail has for its request."""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from opentelemetry.trace import get_current_span

from inference_endpoints_mcp.policy.caller import current_caller
from inference_endpoints_mcp.privacy.redact import Redactor

LogFormat = Literal["text", "json"]


def with_facts(**facts: Any) -> Mapping[str, Any]:
    """The `extra` of a log call: facts that a JSON line has as members of its own. They must hold no text of others."""
    return {"facts": facts}


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message, the request and its caller, and the span that it belongs to. A
    caller chooses its name, so that is masked."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self._redactor.data(_request()),
            **_span(),
            **getattr(record, "facts", {}),
            "exception": record.exc_text or (self.formatException(record.exc_info) if record.exc_info else None),
        }
        known = {name: value for name, value in line.items() if value is not None}
        return json.dumps(known, ensure_ascii=False, separators=(",", ":"))


def _request() -> Mapping[str, str | None]:
    caller = current_caller.get()
    if caller is None:
        return {}
    return {
        "request_id": caller.request_id,
        "caller": caller.name,
        "signed_in": caller.signed_in,
        "account": caller.account,
    }


def _span() -> Mapping[str, str]:
    context = get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
