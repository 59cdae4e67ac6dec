"""The replicas of an endpoint."""

from datetime import datetime

from pydantic import Field

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
