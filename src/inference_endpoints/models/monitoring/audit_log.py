"""The audit log: what happened to endpoints, and who did it. Source: the service's OpenAPI document 2.0.0."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from inference_endpoints.models.api_model import ApiModel, ApiModelWithRaw
from inference_endpoints.models.endpoint import Person


class AuditChange(BaseModel):
    """One setting, such as `replica.maxReplica`, before and after an update."""

    setting: str
    before: Any = None
    after: Any = None


class AuditEntry(ApiModel):
    """One action. `level` is debug, info or critical. `user` is None for what the service did by itself.

    `reason` has one key, such as `endpointPaused`; that of `endpointUpdated` has one key again, the settings that
    changed, with `before` and `after`.
    """

    id: str = ""
    created_at: datetime | None = None
    level: str = ""
    endpoint: str | None = None
    user: Person | None = None
    ip: str | None = None
    request_id: str | None = None
    reason: dict[str, Any] = Field(default_factory=dict)

    @property
    def action(self) -> str:
        """The key of the reason without its first word: created, updated, paused, resumed, scaledToZero, deleted."""
        action = next(iter(self.reason), "").removeprefix("endpoint")
        return action[:1].lower() + action[1:]

    @property
    def changes(self) -> list[AuditChange]:
        """The settings that an update changed."""
        updated = self.reason.get("endpointUpdated")
        return list(_changes(updated)) if isinstance(updated, dict) else []


class AuditLogs(ApiModelWithRaw):
    """One page of the answer of `GET /v2/audit-logs/{namespace}`, newest first. Its cursors have snake_case keys."""

    items: list[AuditEntry] = Field(default_factory=list, alias="list")
    next_cursor: str | None = Field(default=None, alias="next_cursor")
    prev_cursor: str | None = Field(default=None, alias="prev_cursor")


def _changes(updated: dict[str, Any]) -> Iterator[AuditChange]:
    for kind, change in updated.items():
        before, after = (_flat(change, side) for side in ("before", "after"))
        differing = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        for name in differing:
            # A change of one thing, such as env, repeats its name.
            setting = name if name.split(".")[0] == kind else f"{kind}.{name}"
            yield AuditChange(setting=setting, before=before.get(name), after=after.get(name))
        if not differing:  # the value of a secret
            yield from (AuditChange(setting=name) for name in after or [kind])


def _flat(change: Any, side: str) -> dict[str, Any]:
    """The settings on one side; variables and secrets by their names, such as `env.MODE`."""
    settings = change.get(side) if isinstance(change, dict) else None
    flat: dict[str, Any] = {}
    for name, value in settings.items() if isinstance(settings, dict) else ():
        inner = value if name in {"env", "secrets"} and isinstance(value, dict) else None
        flat |= {name: value} if inner is None else {f"{name}.{key}": one for key, one in inner.items()}
    return flat
