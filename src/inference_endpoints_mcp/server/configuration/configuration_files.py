"""The settings that are in files of the operator. They are read again when a file changes: all are taken, or none."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference_endpoints_mcp.policy.audit.audit_trail import AuditError, AuditTrail
from inference_endpoints_mcp.server.application import ServerOptions
from inference_endpoints_mcp.server.configuration.file_version import FileVersion, version_of

log = logging.getLogger(__name__)

SETTLED_S = 0.5
"""A file that was written less than so many seconds ago is left for the next request: it may not be whole, and half a
policy allows more than a whole one."""


@dataclass(frozen=True)
class ServedConfiguration:
    """What is served: the options of the process, those of each profile, and the profiles of groups at an identity
    provider. `files` are those that it was read from."""

    options: ServerOptions
    profiles: Mapping[str, ServerOptions] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


class ConfigurationFiles:
    """The configuration in force. `read` reads all of it; raises ValueError or `AuditError` where it is not valid."""

    def __init__(self, read: Callable[[], ServedConfiguration], now: Callable[[], float] = time.time) -> None:
        self._read = read
        self._now = now
        self.current = read()
        self._versions = self._versions_of(self.current.files)

    def read_again(self, audit: AuditTrail, take: Callable[[ServedConfiguration], None]) -> None:
        """Let `take` have the new configuration if a file changed. What cannot be used is reported once, and nothing of
        it is taken. `take` raises `AuditError` before it changes anything."""
        versions = self._versions_of(self.current.files)
        if versions == self._versions or not all(map(self._has_settled, self.current.files)):
            return
        self._versions = versions
        try:
            new = self._read()
            if self._versions_of(self.current.files) != versions:  # one was written meanwhile
                self._versions = {}
                return
            take(new)
        except (ValueError, AuditError) as error:
            log.error("the configuration is unchanged: %s", error)
            audit.write("configuration", outcome="refused", message=str(error))
            return
        changed = changed_settings(self.current, new)
        self._versions = {**self._versions_of(new.files), **versions}
        self.current = new
        log.warning("the configuration was read again: %s", ", ".join(changed) or "no setting has changed")
        audit.write("configuration", outcome="taken", changed=changed)

    def _versions_of(self, files: tuple[Path, ...]) -> dict[Path, FileVersion]:
        return {path: version_of(path) for path in files}

    def _has_settled(self, path: Path) -> bool:
        try:
            age = self._now() - path.stat().st_mtime
        except OSError:
            return True
        return not 0 <= age < SETTLED_S


def changed_settings(old: ServedConfiguration, new: ServedConfiguration) -> dict[str, Any]:
    """Each setting that has changed, by the name of its flag, after the name of its profile. No secret is in it."""
    changed = _changes(old.options, new.options)
    for name in sorted(old.profiles.keys() | new.profiles.keys()):
        before, now = old.profiles.get(name), new.profiles.get(name)
        if before is None or now is None:
            changed[name] = "added" if before is None else "removed"
        else:
            changed |= {f"{name}.{setting}": change for setting, change in _changes(before, now).items()}
    if old.groups != new.groups:
        changed["groups"] = {"before": dict(old.groups), "now": dict(new.groups)}
    return changed


def _changes(old: ServerOptions, new: ServerOptions) -> dict[str, Any]:
    before, now = _shown(old), _shown(new)
    changed: dict[str, Any] = {
        name: {"before": before[name], "now": now[name]} for name in before if before[name] != now[name]
    }
    if old.lent != new.lent:
        values = old.lent.values, new.lent.values
        changed["lend"] = {
            "added": sorted(values[1].keys() - values[0].keys()),
            "removed": sorted(values[0].keys() - values[1].keys()),
            "changed": sorted(
                name for name in values[0].keys() & values[1].keys() if values[0][name] != values[1][name]
            ),
        }
    if old.sealing_keys != new.sealing_keys:
        is_newest = old.sealing_keys[:1] == new.sealing_keys[:1]
        changed["sealing_keys"] = {
            "before": len(old.sealing_keys),
            "now": len(new.sealing_keys),
            "newest": "the same" if is_newest else "another",
        }
    if old.needs_new_server(new):
        changed["restarted_for"] = sorted(
            name
            for name in old.restart_settings | new.restart_settings
            if old.restart_settings.get(name) != new.restart_settings.get(name)
        )
    return changed


def _shown(options: ServerOptions) -> dict[str, Any]:
    """The settings that are no secrets, by the names of their flags."""
    approval = options.approval
    return {
        **options.limits.model_dump(mode="json"),
        "confirm": approval.method.value,
        "confirm_effects": sorted(effect.value for effect in approval.effects),
        "confirm_above": approval.min_price_per_hour,
        "hold": options.host_timeout_s,
        "max_calls": options.max_calls,
        "max_waits": options.max_waits,
    }
