"""What happened to endpoints, and who caused it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from inference_endpoints_local.state.clock import wall_ns
from inference_endpoints_local.state.record import EndpointRecord, Spec

MAX_EVENTS = 10_000
MAX_AGE_NS = 90 * 24 * 3_600 * 1_000_000_000
"""Events kept, and the nanoseconds after which they are deleted."""
MAX_CHANGES = 50
"""Settings named for one update."""


class AuditAction(StrEnum):
    """The first four and the last are the service's own words."""

    CREATED = "created"
    UPDATED = "updated"
    PAUSED = "paused"
    RESUMED = "resumed"
    SCALED_TO_ZERO = "scaledToZero"
    WOKEN = "woken"
    FAILED = "failed"
    DELETED = "deleted"


@dataclass(frozen=True)
class Actor:
    """The user of the token, the address of their client, and the id of the request."""

    user: str
    address: str
    request_id: str


@dataclass(frozen=True)
class AuditEvent:
    """`by` is None where the plane acted by itself. `changes` names settings, never values."""

    at_ns: int
    namespace: str
    endpoint: str
    action: AuditAction
    by: Actor | None = None
    changes: tuple[str, ...] = ()


def audit_event(
    record: EndpointRecord, action: AuditAction, by: Actor | None = None, changes: tuple[str, ...] = ()
) -> AuditEvent:
    """An event that happens now."""
    return AuditEvent(wall_ns(), record.namespace, record.name, action, by, changes)


def changed_settings(before: Spec, after: Spec) -> tuple[str, ...]:
    """The paths of the settings that differ, at most `MAX_CHANGES`."""
    return tuple(sorted(_paths(before, after, ""))[:MAX_CHANGES])


def _paths(before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() | after.keys():
            yield from _paths(before.get(key), after.get(key), f"{path}.{key}".lstrip("."))
    elif before != after:
        yield path
