"""Stored rows and status as answers of the API. Keys and shapes: captures of the service, huggingface_hub 2.4.0."""

import hashlib
from datetime import UTC, datetime
from typing import Any, cast

from inference_endpoints.models import InferenceEndpointStatus as State
from inference_endpoints_local.control.endpoint import Entry
from inference_endpoints_local.control.reconcile import Status
from inference_endpoints_local.engines.base import Stage
from inference_endpoints_local.models import catalogue
from inference_endpoints_local.state.audit_log import Event
from inference_endpoints_local.state.record import Record, Spec
from inference_endpoints_local.wire import responses

DEFAULT_HEALTH_ROUTE = "/health"
# The address is told from the moment the service would have assigned one; a paused or failed endpoint has none.
_ADDRESSED = frozenset({State.INITIALIZING, State.RUNNING, State.UPDATING, State.UPDATE_FAILED, State.SCALED_TO_ZERO})


def endpoint(entry: Entry, plane_url: str) -> responses.Endpoint:
    record = entry.record
    document = public(record.spec) | {"status": _status(record, entry.status, entry.used_ns, plane_url)}
    return cast("responses.Endpoint", document)


def public(spec: Spec) -> Spec:
    """A configuration as it may be shown: names of secrets without values, registry credentials redacted."""
    model = spec["model"]
    image = {engine: _redacted(settings) for engine, settings in model["image"].items()}
    masked = dict.fromkeys(model["secrets"])
    scaling = spec["compute"]["scaling"]
    # `metric` is the older spelling of the one key of `measure`; the service answers with both.
    scaling = scaling | {"metric": next(iter(scaling["measure"]), None)}
    return spec | {
        "healthRoute": health_route(spec),
        "compute": spec["compute"] | {"scaling": scaling},
        "model": model | {"image": image, "secrets": masked},
    }


def health_route(spec: Spec) -> str:
    """The image's own, else the engines' common one; huggingface_hub cannot do without."""
    settings = next(iter(spec["model"]["image"].values()))
    return str(settings.get("healthRoute") or DEFAULT_HEALTH_ROUTE)


def endpoint_url(record: Record, plane_url: str) -> str:
    return f"{plane_url}/e/{record.id}"


def replicas(entry: Entry) -> responses.Replicas:
    """The service's words for stages are not published: ours are those of endpoint states."""
    items: list[responses.Replica] = []
    for replica in entry.replicas:
        stage = replica.look().stage
        items.append({"id": replica.id, "status": {"stage": str(stage), "live": stage is Stage.READY}})
    return {"items": items}


def event(number: int, event: Event) -> responses.AuditEntry:
    by = event.by
    return {
        "id": str(number),
        "createdAt": timestamp(event.at_ns),
        "action": event.action,
        "endpoint": event.endpoint,
        "changes": list(event.changes),
        "user": person(by.user) if by else None,
        "sourceIp": by.address if by else None,
        "requestId": by.request_id if by else None,
    }


def whoami(namespace: str) -> responses.WhoAmI:
    """The hub's `whoami-v2` for the one user there is."""
    return {
        "type": "user",
        "id": person(namespace)["id"],
        "name": namespace,
        "fullname": namespace,
        "isPro": False,
        "canPay": False,
        "orgs": [],
        "auth": {"type": "access_token", "accessToken": {"displayName": "local", "role": "write"}},
    }


def model(shipped: catalogue.Model) -> responses.ModelInfo:
    """The hub's `/api/models/{owner}/{model}`."""
    return {
        "id": shipped.repository,
        "modelId": shipped.repository,
        "pipeline_tag": shipped.tasks[0],
        "private": False,
        "gated": False,
        "tags": [*shipped.tasks, f"license:{shipped.license}"],
    }


def person(namespace: str) -> responses.Person:
    """An id of the hub's form, 24 hex digits."""
    return {"id": hashlib.sha256(namespace.encode()).hexdigest()[:24], "name": namespace}


def timestamp(nanoseconds: int) -> str:
    """RFC 3339 in UTC with nine fractional digits, ending in `Z` (huggingface_hub accepts nothing else)."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def _status(record: Record, status: Status, used_ns: int | None, plane_url: str) -> responses.Status:
    simulated = record.engine == "simulated"
    document: responses.Status = {
        "createdAt": timestamp(record.created_ns),
        "createdBy": person(record.namespace),
        "updatedAt": timestamp(record.updated_ns),
        "updatedBy": person(record.namespace),
        "state": status.state,
        "message": f"Simulated: {status.message}" if simulated else status.message,
        "readyReplica": status.ready,
        "targetReplica": status.target,
        "engine": "simulated" if simulated else "process",
    }
    if status.error:
        document["errorMessage"] = status.error
    if status.state in _ADDRESSED:
        document["url"] = endpoint_url(record, plane_url)
    if used_ns is not None:
        document["lastUsedAt"] = timestamp(used_ns)
    return document


def _redacted(settings: dict[str, Any]) -> dict[str, Any]:
    """As the service redacts, however little there was."""
    return settings | {"credentials": {"username": "", "password": None}} if settings.get("credentials") else settings
