"""After an update that failed: put back what it changed, since that served before."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from inference_endpoints.deploy.specs import EndpointChange
from inference_endpoints.diagnosis.evidence import Evidence
from inference_endpoints.diagnosis.finding import Action, ActionKind, Finding, Remedy
from inference_endpoints.diagnosis.remedies.engine_changes import is_plain
from inference_endpoints.models import AuditChange
from inference_endpoints.models.status import InferenceEndpointStatus as State

_HARMLESS = frozenset({"replica", "scalingToZero", "measure", "tags", "type", "route"})
"""Groups of settings that make no start fail. They stay as they are."""
MAX_ACTIONS = 2


def propose_to_put_back(finding: Finding, evidence: Evidence) -> Finding:
    """The finding with that remedy too: first where nothing else is known or it would cost more, else second."""
    if evidence.state is not State.UPDATE_FAILED:
        return finding
    changes = [change for change in evidence.last_update if change.setting.split(".")[0] not in _HARMLESS]
    change = _reverse(changes, evidence)
    if change is None:
        return finding
    action = Action(ActionKind.UPDATE, change)
    others = finding.remedy.actions
    fixes = [each for each in others if each.change and not each.change.instance_type]
    undone = [each for each in changes if not _is_added_variable(each)]
    names = ", ".join(dict.fromkeys(each.setting.split(".")[0] for each in undone))
    put_back = f"What its last update changed ({names}) can be put back: that served before."
    put_back += " A variable that it added stays." if len(undone) < len(changes) else ""
    actions = (*others, action) if fixes else (action, *others)
    text = f"{finding.remedy.text} {put_back}" if fixes else f"{put_back} {finding.remedy.text}"
    return replace(finding, remedy=Remedy(text, actions[:MAX_ACTIONS]))


def _reverse(changes: Sequence[AuditChange], evidence: Evidence) -> EndpointChange | None:
    """The change that undoes these; None if one of them cannot be undone by a call, as that of a secret."""
    settings: dict[str, Any] = {}
    for change in changes:
        group, _, name = change.setting.partition(".")
        before = change.before
        if _is_added_variable(change):
            continue  # the service cannot remove it
        if before is None or not is_plain(before):
            return None
        if group == "env" and is_plain(name) and isinstance(before, str):
            settings.setdefault("env", {})[name] = before
        elif change.setting in _FIELDS and isinstance(before, _FIELDS[change.setting][1]):
            settings[_FIELDS[change.setting][0]] = before
        else:
            return None
    if "instance_type" in settings or "instance_size" in settings:
        compute = evidence.endpoint.compute
        settings = {"instance_type": compute.instance_type, "instance_size": compute.instance_size} | settings
    if any("credentials" in image for image in settings.get("image", {}).values() if image):
        return None  # the service shows them redacted
    return EndpointChange(**settings) if settings else None


def _is_added_variable(change: AuditChange) -> bool:
    return change.setting.startswith("env.") and change.before is None


_FIELDS: Mapping[str, tuple[str, type]] = {
    "image": ("image", dict),
    "repository": ("repository", str),
    "repository.revision": ("revision", str),
    "command.args": ("args", list),
    "instance.instanceType": ("instance_type", str),
    "instance.instanceSize": ("instance_size", str),
}
"""By the name of a setting in the audit log: that in a change, and the type of its value."""
