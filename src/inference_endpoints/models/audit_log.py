"""The audit log: what happened to endpoints, and who did it."""

from datetime import datetime

from pydantic import Field

from inference_endpoints.models.api_model import ApiModel, ApiModelWithRaw
from inference_endpoints.models.endpoint import Person


class AuditEntry(ApiModel):
    """One action. The service publishes the route but no fields: these are what its interface shows, spelled as the
    embedded control plane does; others stay in `model_extra`. `user` is None for what the service did by itself.
    """

    created_at: datetime | None = None
    action: str = ""
    endpoint: str | None = None
    user: Person | None = None
    changes: list[str] = Field(default_factory=list)
    source_ip: str | None = None
    request_id: str | None = None


class AuditLogs(ApiModelWithRaw):
    """One page of the answer of `GET /v2/audit-logs/{namespace}`, newest first."""

    items: list[AuditEntry] = Field(default_factory=list)
    next_cursor: str | None = None
