"""What was tried: a remedy after which an endpoint failed in the same way is not proposed again."""

from dataclasses import replace

from inference_endpoints.deploy.specs import EndpointChange
from inference_endpoints.diagnosis.evidence import Evidence
from inference_endpoints.diagnosis.finding import READ_LOGS, Action, ActionKind, Finding, Remedy
from inference_endpoints.diagnosis.log_patterns import match_earlier
from inference_endpoints.diagnosis.remedies.putting_back import propose_to_put_back
from inference_endpoints.models import AuditEntry, format_duration

TRIED_FACTOR = 0.8
"""Multiplies the confidence in a cause whose remedy was tried in vain."""
MAX_SETTINGS = 4
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_KINDS = {
    "instance": lambda change: change.instance_type is not None,
    "image": lambda change: change.image is not None,
    "args": lambda change: change.args is not None,
    "command": lambda change: change.args is not None,
    "env": lambda change: change.env is not None,
    "model": lambda change: change.revision is not None,
    "repository": lambda change: change.revision is not None,
}
"""By the kind of a change in the audit log: whether a proposed change is of that kind."""


def reconsider(finding: Finding, evidence: Evidence) -> Finding:
    """The finding with what was changed before, and without what that showed not to help."""
    last = evidence.last_change
    if last is None or not (evidence.has_failed or evidence.is_starting):
        return finding
    what = f"Its last change ({_describe(last, evidence)})"
    if not match_earlier(evidence, finding.cause):
        since = f"{what} came before this failure, and its log before that does not show it." if finding.quotes else ""
        told = replace(finding, evidence=(*finding.evidence, *([since] if since and evidence.earlier_lines else [])))
        return propose_to_put_back(told, evidence)
    statement = f"{what} did not help: its log shows the same failure before and after it."
    kept = tuple(action for action in finding.remedy.actions if not _repeats(action, last, evidence))
    if kept == finding.remedy.actions:
        return replace(finding, evidence=(*finding.evidence, statement))
    text = "The same kind of change was made last, and the failure is the same: look for another reason in its log."
    return replace(
        finding,
        confidence=finding.confidence * TRIED_FACTOR,
        remedy=Remedy(text, kept or (READ_LOGS,)),
        evidence=(*finding.evidence, statement),
    )


def _repeats(action: Action, last: AuditEntry, evidence: Evidence) -> bool:
    """Whether an action is of the kind that did not help. What is computed to help is another thing."""
    if action.kind is ActionKind.RESUME:
        return last.action == "resumed"
    if action.kind is not ActionKind.UPDATE or action.change is None or evidence.memory_shortage:
        return False
    return any(_is_kind(change.setting, action.change) for change in last.changes)


def _is_kind(setting: str, change: EndpointChange) -> bool:
    is_kind = _KINDS.get(setting.split(".")[0])
    return is_kind is not None and is_kind(change)


def _describe(last: AuditEntry, evidence: Evidence) -> str:
    """`updated instance.instanceType, 12 min ago`: words of ours, and the names of settings."""
    settings = [change.setting for change in last.changes if set(change.setting) <= _PLAIN][:MAX_SETTINGS]
    at = last.created_at
    ago = f", {format_duration(max(0.0, (evidence.now - at).total_seconds()))} ago" if at and at.tzinfo else ""
    return f"{last.action}{' ' if settings else ''}{', '.join(settings)}{ago}"
