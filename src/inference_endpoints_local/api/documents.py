"""Records and status as documents of the API. Keys and shapes: captures of the service, huggingface_hub 2.4.0."""

import hashlib
from datetime import UTC, datetime
from typing import cast

from inference_endpoints_local.control.managed_endpoint import EndedReplica, ManagedEndpoint
from inference_endpoints_local.engines.engine import EngineReplica, ReplicaStage
from inference_endpoints_local.state.audit_event import AuditEvent
from inference_endpoints_local.state.record import EndpointRecord, Spec, without_secret_values
from inference_endpoints_local.wire import responses

DEFAULT_HEALTH_ROUTE = "/health"
NO_NOTIFICATIONS = {"email": False, "push": False}
"""What is shown of an endpoint that was created without; the service's default is not published."""


def endpoint_document(endpoint: ManagedEndpoint, plane_url: str) -> responses.EndpointDocument:
    return cast(
        "responses.EndpointDocument", public_spec(endpoint.record.spec) | {"status": _status(endpoint, plane_url)}
    )


def public_spec(spec: Spec) -> Spec:
    """A configuration as it is shown: complete, and without the values of secrets."""
    scaling = spec["compute"]["scaling"]
    # `metric` is the older spelling of the one key of `measure`. The service returns both.
    scaling = scaling | {"metric": next(iter(scaling["measure"]), None)}
    return (
        {"experimentalFeatures": {}, "notifications": NO_NOTIFICATIONS}
        | without_secret_values(spec)
        | {
            "healthRoute": health_route(spec),
            "compute": spec["compute"] | {"scaling": scaling},
        }
    )


def health_route(spec: Spec) -> str:
    """The route of the image, else the default. huggingface_hub requires one."""
    settings = next(iter(spec["model"]["image"].values()))
    return str(settings.get("healthRoute") or DEFAULT_HEALTH_ROUTE)


def endpoint_url(record: EndpointRecord, plane_url: str) -> str:
    return f"{plane_url}/e/{record.id}"


def replicas_document(endpoint: ManagedEndpoint) -> responses.ReplicasDocument:
    """The replicas that exist, and the last ones that ended: these as long as the plane runs."""
    record = endpoint.record

    def document(
        replica: EngineReplica | EndedReplica, stage: ReplicaStage, ended_ns: int | None, code: int | None
    ) -> responses.ReplicaDocument:
        serves = replica.generation == record.live_generation
        return {
            "id": replica.id,
            "versionId": f"{record.id}-{replica.generation}",
            "status": {
                "stage": stage,
                "live": serves,
                "updating": not serves and replica.generation == record.generation,
                "startedAt": None if stage is ReplicaStage.WAITING else timestamp(replica.launched_ns),
                "stoppedAt": None if ended_ns is None else timestamp(ended_ns),
                "exitCode": code,
            },
        }

    ended = [document(each, ReplicaStage.EXITED, each.ended_ns, each.exit_code) for each in endpoint.ended]
    return {"items": [document(each, each.observe().stage, None, None) for each in endpoint.replicas] + ended}


def audit_entry_document(number: int, event: AuditEvent) -> responses.AuditEntryDocument:
    return {
        "id": str(number),
        "createdAt": timestamp(event.at_ns),
        "level": "info",
        "endpoint": event.endpoint,
        "ip": event.by.address or None,
        "requestId": event.by.request_id,
        "user": person_document(event.by.user),
        "reason": event.reason,
    }


def whoami_document(namespace: str, *, can_pay: bool) -> responses.WhoAmIDocument:
    """The Hub's `whoami-v2` for the only user."""
    return {
        "type": "user",
        "id": person_document(namespace)["id"],
        "name": namespace,
        "fullname": namespace,
        "isPro": False,
        "canPay": can_pay,
        "orgs": [],
        "auth": {"type": "access_token", "accessToken": {"displayName": "local", "role": "write"}},
    }


def person_document(namespace: str) -> responses.PersonDocument:
    """With an id in the Hub's form, 24 hex digits."""
    return {"id": hashlib.sha256(namespace.encode()).hexdigest()[:24], "name": namespace}


def timestamp(nanoseconds: int) -> str:
    """RFC 3339 in UTC with nine fractional digits, ending in `Z` (huggingface_hub accepts nothing else)."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def _status(endpoint: ManagedEndpoint, plane_url: str) -> responses.StatusDocument:
    record, status = endpoint.record, endpoint.status
    simulated = record.engine == "simulated"
    document: responses.StatusDocument = {
        "createdAt": timestamp(record.created_ns),
        "createdBy": person_document(record.namespace),
        "updatedAt": timestamp(record.updated_ns),
        "updatedBy": person_document(record.namespace),
        "state": status.state,
        "message": f"Simulated: {status.message}" if simulated else status.message,
        "readyReplica": status.ready,
        "targetReplica": status.target,
        "url": endpoint_url(record, plane_url),
        "engine": record.engine,
        "inferenceMetricsEnabled": endpoint.engine.measures_requests(record.spec),
    }
    if status.error:
        document["errorMessage"] = status.error
    if endpoint.last_used_ns is not None:
        document["lastUsedAt"] = timestamp(endpoint.last_used_ns)
    if endpoint.agent_message:
        document["agentMessage"] = endpoint.agent_message
    return document
