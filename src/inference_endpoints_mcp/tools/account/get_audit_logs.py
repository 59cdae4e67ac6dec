"""Show what happened to endpoints, and who did it."""

import json
import re
from typing import Annotated, Any

from pydantic import BaseModel, Field

from inference_endpoints.deploy.plan import MASK
from inference_endpoints.models import AuditEntry, rfc3339
from inference_endpoints.transport import operations
from inference_endpoints_mcp.privacy.answer_text import Cursor, Fenced, Name, Word
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.tools.arguments import Limit, Namespace
from inference_endpoints_mcp.tools.call_context import Call, CallContext
from inference_endpoints_mcp.tools.outputs import NextCall, ToolOutput, fit_rows
from inference_endpoints_mcp.tools.spec import Toolset, tool

CURSOR = re.compile(r"[\w.~%:/+=,-]{1,500}", re.ASCII)
"""A cursor that can be shown. It must be unchanged, so nothing else can."""
MAX_CHANGES = 10
MAX_MORE_CHARACTERS = 500


class AuditLogRow(BaseModel):
    at: Word
    level: Word | None = None
    action: Word
    endpoint_name: Name | None = None
    user: Name | None = Field(default=None, description="Left out for what the service did by itself.")
    changes: list[Name] | None = Field(default=None, description="Settings that were changed.")
    source_ip: Word | None = None
    request_id: Word | None = None
    more: Fenced | None = Field(default=None, description="Fenced: settings before and after, other fields.")


class AuditLogOutput(ToolOutput):
    namespace: Name
    entries: list[AuditLogRow] = Field(description="Newest first.")
    next_cursor: Cursor | None = None


@tool(uses=operations.AUDIT_LOGS, toolset=Toolset.ACCOUNT, title="Read the audit log")
async def get_audit_logs(
    call: Call,
    namespace: Namespace = "",
    endpoint_name: Annotated[str, Field(max_length=130, description="Only this endpoint.")] = "",
    username: Annotated[str, Field(max_length=96, description="Only this user.")] = "",
    limit: Limit = 20,
    cursor: Annotated[str, Field(max_length=500)] = "",
) -> AuditLogOutput:
    """Show who created, changed, paused, resumed or deleted endpoints, and when, newest first. Hugging Face requires a
    Pro or Enterprise plan for it."""
    if endpoint_name:
        namespace, endpoint_name = await call.resolve_endpoint(endpoint_name, namespace)
    else:
        namespace = await call.resolve_namespace(namespace)
    page = await call.endpoints.audit_logs(
        namespace, endpoint=endpoint_name or None, username=username or None, cursor=cursor or None, limit=limit
    )
    cursor_after = page.next_cursor if page.next_cursor and CURSOR.fullmatch(page.next_cursor) else None
    rows = fit_rows([_row(entry, call) for entry in page.items])
    arguments = {"namespace": namespace, "endpoint_name": endpoint_name, "username": username}
    more = arguments | {"limit": limit, "cursor": cursor_after} if cursor_after else None
    now = f"{len(rows)} shown, newest first{'; there are more' if more else ''}." if rows else "There are no entries."
    if page.next_cursor and not cursor_after:
        now += " There are more, but the service's cursor to them cannot be shown."
    if len(rows) < len(page.items):
        more = arguments | {"limit": len(rows), "cursor": cursor}  # a cursor points between pages only
        now = f"{len(rows)} of the {len(page.items)} entries of this page fit: continue with limit={len(rows)}."
    return AuditLogOutput(
        namespace=namespace,
        entries=rows,
        next_cursor=cursor_after if len(rows) == len(page.items) else None,
        now=now,
        next=[NextCall(tool="get_audit_logs", arguments=more)] if more else [],
    )


def _row(entry: AuditEntry, call: CallContext) -> AuditLogRow:
    changes = [clean_line(change.setting, 80) for change in entry.changes[:MAX_CHANGES]]
    if len(entry.changes) > MAX_CHANGES:
        changes.append(f"and {len(entry.changes) - MAX_CHANGES} more")
    more = call.redactor.data(_more(entry))
    return AuditLogRow(
        at=rfc3339(entry.created_at, "seconds") if entry.created_at else "",
        level=clean_line(entry.level, 40) or None,
        action=clean_line(entry.action, 40),
        endpoint_name=clean_line(entry.endpoint, 40) if entry.endpoint else None,
        user=clean_line(entry.user.name or "", 96) if entry.user else None,
        changes=changes or None,
        source_ip=clean_line(entry.ip, 45) if entry.ip else None,
        request_id=clean_line(entry.request_id, 64) if entry.request_id else None,
        more=call.fence.wrap("audit log", json.dumps(more, ensure_ascii=False), MAX_MORE_CHARACTERS) if more else None,
    )


def _more(entry: AuditEntry) -> dict[str, Any]:
    """The settings before and after an update, and fields of a newer service. Secrets are shown by name only."""
    changes = {
        change.setting: MASK if change.setting.startswith("secrets") else [change.before, change.after]
        for change in entry.changes
        if (change.before, change.after) != (None, None)
    }
    extra = {key: value for key, value in (entry.model_extra or {}).items() if value is not None}
    return changes | extra
