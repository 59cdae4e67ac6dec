"""The replicas of an endpoint and their logs."""

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from inference_endpoints.models.api_model import ApiModel, ApiModelWithRaw


class ReplicaStatus(ApiModel):
    """The stage is pending, downloading, pulling, initializing, running, terminating or stopped. `live`: it belongs to
    the live version of the endpoint; `updating`: to the one that is rolled out (the service's OpenAPI document 2.0.0).
    """

    stage: str = ""
    live: bool = False
    updating: bool = False
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    exit_code: int | None = None

    @property
    def running(self) -> bool:
        return self.stage == "running"


class Replica(ApiModel):
    """`version_id` names the version of the endpoint's settings that it runs."""

    id: str
    version_id: str | None = None
    status: ReplicaStatus = Field(default_factory=ReplicaStatus)


class Replicas(ApiModelWithRaw):
    items: list[Replica] = Field(default_factory=list)


class LogEntry(ApiModel):
    """One line of a replica's output: strangers' text. The one document of the API with snake_case keys."""

    timestamp: str | None = None
    line: str = ""
    stream: str | None = None
    replica_id: str | None = Field(default=None, alias="replica_id")
    level: str | None = None


def _entries(payload: Any) -> Any:
    """Logs come as a list of entries, as `{"items": […]}`, or as text: plain lines or one entry a line.

    The service's OpenAPI document does not specify the form.
    """
    if isinstance(payload, dict):
        return payload.get("items", [])
    if not isinstance(payload, str):
        return payload
    return [_entry(line) for line in payload.splitlines() if line.strip()]


def _entry(line: str) -> dict[str, Any]:
    if line.startswith("{"):
        try:
            entry = json.loads(line)
        except ValueError:
            return {"line": line}
        if isinstance(entry, dict) and "line" in entry:
            return entry
    return {"line": line}


Logs = Annotated[list[LogEntry], BeforeValidator(_entries)]
