"""The JSON documents of responses, key by key, spelled as on the wire. No other key is sent.

Typed dictionaries rather than the model layer's models: those accept what a newer service may send, these state exactly
what this plane sends.
"""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads those of the standard library only from Python 3.12 on

from inference_endpoints.models import InferenceEndpointStatus
from inference_endpoints.models.settings.literals import ScalingMetric
from inference_endpoints_local.state.record import EngineName
from inference_endpoints_local.wire.endpoint_body import Name
from inference_endpoints_local.wire.images import ImageBody

Timestamp = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(\d{6})?Z$")]
Count = Annotated[int, Field(ge=0)]


class ErrorDocument(TypedDict):
    """The service's, though its own document does not describe it: 403 with FORBIDDEN, 400 with BAD_REQUEST."""

    error: str
    code: str


class PersonDocument(TypedDict):
    id: str
    name: str


class ProviderDocument(TypedDict):
    vendor: str
    region: str


class ScalingDocument(TypedDict):
    minReplica: Count
    maxReplica: Count
    scaleToZeroTimeout: int | None
    measure: dict[ScalingMetric, float | None]
    metric: ScalingMetric


class ComputeDocument(TypedDict):
    id: str
    accelerator: str
    instanceType: str
    instanceSize: str
    scaling: ScalingDocument


class ModelDocument(TypedDict):
    """`secrets` has the names without values."""

    repository: str
    framework: str
    revision: str | None
    task: str | None
    image: ImageBody
    env: dict[str, str]
    secrets: dict[str, None]
    args: NotRequired[list[str]]
    command: NotRequired[list[str]]
    fromCatalog: NotRequired[bool]


class StatusDocument(TypedDict):
    """`engine` is not a key of the service: process or simulated."""

    createdAt: Timestamp
    createdBy: PersonDocument
    updatedAt: Timestamp
    updatedBy: PersonDocument
    state: InferenceEndpointStatus
    message: str
    readyReplica: Count
    targetReplica: Count
    engine: EngineName
    errorMessage: NotRequired[str]
    url: str
    inferenceMetricsEnabled: bool
    lastUsedAt: NotRequired[Timestamp]
    agentMessage: NotRequired[str]


class EndpointDocument(TypedDict):
    name: Name
    type: Literal["public", "authenticated", "private"]
    provider: ProviderDocument
    healthRoute: str
    compute: ComputeDocument
    model: ModelDocument
    tags: list[str]
    status: StatusDocument
    route: NotRequired[dict[str, Any]]
    cacheHttpResponses: NotRequired[bool]
    experimentalFeatures: dict[str, Any]
    privateService: NotRequired[dict[str, Any]]
    network: NotRequired[dict[str, Any]]
    notifications: dict[str, Any]
    customRouter: NotRequired[dict[str, Any]]


class EndpointsDocument(TypedDict):
    """One page. A cursor is null where there is no such page."""

    items: list[EndpointDocument]
    nextCursor: str | None
    prevCursor: str | None
    totalItems: Count


class EndpointNameDocument(TypedDict):
    name: Name


class EndpointNamesDocument(TypedDict):
    items: list[EndpointNameDocument]


class NoItemsDocument(TypedDict):
    """A list of which this plane has no items."""

    items: Annotated[list[Any], Field(max_length=0)]


class DeployedDocument(TypedDict):
    endpoint: EndpointDocument


class EmptyDocument(TypedDict):
    pass


class LogEntryDocument(TypedDict):
    timestamp: Timestamp
    line: str
    stream: Literal["stdout", "stderr"]
    replica_id: str
    level: Literal["error", "warning", "info"] | None


class ReplicaStatusDocument(TypedDict):
    """`live`: of the version that serves; `updating`: of the one that is being rolled out."""

    stage: str
    live: bool
    updating: bool
    startedAt: Timestamp | None
    stoppedAt: Timestamp | None
    exitCode: int | None


class ReplicaDocument(TypedDict):
    id: str
    versionId: str
    status: ReplicaStatusDocument


class ReplicasDocument(TypedDict):
    items: list[ReplicaDocument]


class AuditEntryDocument(TypedDict):
    """`reason` has one key, such as endpointPaused; that of endpointUpdated has one again, the kind of setting, with
    `before` and `after`. The service does not publish which of its levels debug, info and critical it uses."""

    id: str
    createdAt: Timestamp
    level: Literal["info"]
    endpoint: str
    ip: str | None
    requestId: str
    user: PersonDocument
    reason: dict[str, Any]


class AuditLogsDocument(TypedDict):
    """One page, newest first. A cursor is null where there is no such page."""

    list: list[AuditEntryDocument]
    next_cursor: str | None
    prev_cursor: str | None


class QuotaDocument(TypedDict):
    maxAccelerators: Count
    usedAccelerators: Count


class InstanceDocument(TypedDict):
    """Memory in GB, price in USD per hour and replica. `memoryGb` is 0 where the service's value is not known."""

    id: str
    accelerator: Literal["cpu", "gpu", "neuron"]
    numAccelerators: Count
    memoryGb: float
    gpuMemoryGb: float | None
    instanceType: str
    instanceSize: str
    architecture: str
    status: Literal["available", "low_availability", "not_available", "reserved", "deprecated"]
    pricePerHour: float
    quota: QuotaDocument


class RegionDocument(TypedDict):
    name: str
    label: str
    status: Literal["available"]
    computes: list[InstanceDocument]


class VendorDocument(TypedDict):
    name: str
    status: Literal["available"]
    regions: list[RegionDocument]


class HardwareListingDocument(TypedDict):
    vendors: list[VendorDocument]


class InstanceTypeQuotaDocument(TypedDict):
    instanceType: str
    architecture: str
    maxAccelerators: Count
    usedAccelerators: Count


class VendorQuotasDocument(TypedDict):
    name: str
    quotas: list[InstanceTypeQuotaDocument]


class QuotaListingDocument(TypedDict):
    vendors: list[VendorQuotasDocument]


class AccessTokenDocument(TypedDict):
    displayName: str
    role: str


class AuthDocument(TypedDict):
    type: Literal["access_token"]
    accessToken: AccessTokenDocument


class WhoAmIDocument(TypedDict):
    type: Literal["user"]
    id: Annotated[str, Field(pattern="^[0-9a-f]{24}$")]
    name: str
    fullname: str
    isPro: bool
    canPay: bool
    orgs: list[Any]
    auth: AuthDocument


class RecipeDocument(TypedDict):
    publicId: str
    accelerator: str
    engineType: str
    ggufFile: NotRequired[str]


class ModelInfoDocument(TypedDict):
    """The part of the Hub's model document that is known here."""

    id: str
    modelId: str
    pipeline_tag: str
    private: bool
    gated: bool | str
    tags: list[str]
    safetensors: NotRequired[dict[str, Any]]


class CatalogueModelDocument(TypedDict):
    repoId: str
    modelName: str
    authorName: str
    license: str
    task: str
    createdAt: Timestamp
    recipes: list[RecipeDocument]


class SuggestionDocument(TypedDict):
    """Only `suggestedCompute` is known from the service. The others are keys of a create request."""

    suggestedCompute: str
    task: str
    framework: str
    image: ImageBody


class CatalogueDocument(TypedDict):
    items: list[CatalogueModelDocument]


class ClockDocument(TypedDict):
    """Seconds of the simulation's clock."""

    now: float


class PlaneStatusDocument(TypedDict):
    """Whether the plane may end, so that another can take its place."""

    may_end: bool
