"""What the user did to endpoints, in the form in which the service reports it (its OpenAPI document 2.0.0).

What the plane does by itself is no event: the service's form requires a user.
"""

from dataclasses import dataclass
from typing import Any

from inference_endpoints_local.state.clock import wall_ns
from inference_endpoints_local.state.record import EndpointRecord, Spec, without_secret_values

MAX_EVENTS = 10_000
MAX_AGE_NS = 90 * 24 * 3_600 * 1_000_000_000
"""Events kept, and the nanoseconds after which they are deleted."""


@dataclass(frozen=True)
class Actor:
    """The user of the token, the address of their client, and the id of the request."""

    user: str
    address: str
    request_id: str


@dataclass(frozen=True)
class AuditEvent:
    """`reason` has one key, which names what happened."""

    at_ns: int
    namespace: str
    endpoint: str
    by: Actor
    reason: dict[str, Any]


def _event(record: EndpointRecord, by: Actor, reason: str, details: dict[str, Any] | None = None) -> AuditEvent:
    return AuditEvent(wall_ns(), record.namespace, record.name, by, {reason: details or {}})


def created(record: EndpointRecord, by: Actor) -> AuditEvent:
    return _event(record, by, "endpointCreated", without_secret_values(record.spec))


def paused(record: EndpointRecord, by: Actor) -> AuditEvent:
    return _event(record, by, "endpointPaused")


def resumed(record: EndpointRecord, by: Actor) -> AuditEvent:
    return _event(record, by, "endpointResumed")


def scaled_to_zero(record: EndpointRecord, by: Actor) -> AuditEvent:
    return _event(record, by, "endpointScaledToZero")


def deleted(record: EndpointRecord, by: Actor) -> AuditEvent:
    return _event(record, by, "endpointDeleted")


def updated(before: Spec, record: EndpointRecord, by: Actor) -> list[AuditEvent]:
    """One event for each kind of setting that changed. A secret is shown by name, also where its value changed."""
    shown_before, shown_after = _settings(without_secret_values(before)), _settings(without_secret_values(record.spec))
    after = _settings(record.spec)
    return [
        _event(record, by, "endpointUpdated", {kind: {"before": shown_before[kind], "after": shown_after[kind]}})
        for kind, values in _settings(before).items()
        if values != after[kind]
    ]


def _settings(spec: Spec) -> dict[str, dict[str, Any]]:
    """The settings whose changes the service reports, in its groups."""
    compute, model = spec["compute"], spec["model"]
    scaling = compute["scaling"]
    return {
        "type": {"endpointType": spec["type"]},
        # The service's document has no group for `provider`: a move is one to another instance.
        "instance": _of(compute, "instanceType", "instanceSize") | _of(spec["provider"], "vendor", "region"),
        "replica": _of(scaling, "minReplica", "maxReplica"),
        "scalingToZero": _of(scaling, "scaleToZeroTimeout"),
        "measure": _of(scaling, "measure"),
        "repository": _of(model, "repository", "revision"),
        "task": _of(model, "task"),
        "framework": _of(model, "framework"),
        "command": _of(model, "command", "args"),
        "image": _of(model, "image"),
        "secrets": _of(model, "secrets"),
        "env": _of(model, "env"),
        "experimentalFeatures": {"experimentalFeatures": spec.get("experimentalFeatures") or {}},
        "tags": _of(spec, "tags"),
        "route": _of(spec, "route"),
    }


def _of(settings: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: settings.get(name) for name in names}
