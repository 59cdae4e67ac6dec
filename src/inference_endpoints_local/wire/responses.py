"""What the plane answers, key by key, spelled as on the wire. A key that is not listed here is not sent.

Typed dictionaries rather than the model layer's models: those read whatever a newer service may say, these say what
this one does say.
"""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads those of the standard library only from Python 3.12 on

from inference_endpoints.models import InferenceEndpointStatus
from inference_endpoints_local.state.audit_log import EventKind
from inference_endpoints_local.wire.images import Image
from inference_endpoints_local.wire.requests import Metric, Name

Timestamp = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(\d{6})?Z$")]
Count = Annotated[int, Field(ge=0)]


class Error(TypedDict):
    error: str


class Person(TypedDict):
    id: str
    name: str


class Provider(TypedDict):
    vendor: str
    region: str


class Scaling(TypedDict):
    minReplica: Count
    maxReplica: Count
    scaleToZeroTimeout: int | None
    measure: dict[Metric, float | None]
    metric: Metric


class Compute(TypedDict):
    id: str
    accelerator: str
    instanceType: str
    instanceSize: str
    scaling: Scaling


class Model(TypedDict):
    """`secrets` has their names alone."""

    repository: str
    framework: str
    revision: str | None
    task: str | None
    image: Image
    env: dict[str, str]
    secrets: dict[str, None]
    args: NotRequired[list[str]]
    command: NotRequired[list[str]]


class Status(TypedDict):
    """`engine` is this plane's own: process or simulated."""

    createdAt: Timestamp
    createdBy: Person
    updatedAt: Timestamp
    updatedBy: Person
    state: InferenceEndpointStatus
    message: str
    readyReplica: Count
    targetReplica: Count
    engine: Literal["process", "simulated"]
    errorMessage: NotRequired[str]
    url: NotRequired[str]
    lastUsedAt: NotRequired[Timestamp]


class Endpoint(TypedDict):
    name: Name
    type: Literal["public", "authenticated", "private"]
    provider: Provider
    healthRoute: str
    compute: Compute
    model: Model
    tags: list[str]
    status: Status
    route: NotRequired[dict[str, Any]]
    cacheHttpResponses: NotRequired[bool]
    experimentalFeatures: NotRequired[dict[str, Any]]
    privateService: NotRequired[dict[str, Any]]
    network: NotRequired[dict[str, Any]]
    notifications: NotRequired[dict[str, Any]]
    customRouter: NotRequired[dict[str, Any]]


class Endpoints(TypedDict):
    """One page; `nextCursor` is null on the last."""

    items: list[Endpoint]
    nextCursor: str | None
    totalItems: Count


class Deployed(TypedDict):
    endpoint: Endpoint


class Nothing(TypedDict):
    pass


class LogEntry(TypedDict):
    timestamp: Timestamp
    line: str
    stream: Literal["stdout", "stderr"]
    replica_id: str
    level: Literal["error", "warning", "info"] | None


class ReplicaStatus(TypedDict):
    stage: str
    live: bool


class Replica(TypedDict):
    id: str
    status: ReplicaStatus


class Replicas(TypedDict):
    items: list[Replica]


class Point(TypedDict):
    x: Timestamp
    y: float


class HardwareSeries(TypedDict):
    """`deviceId` is the service's for each of several accelerators, of which there are none here."""

    replicaId: str
    deviceId: NotRequired[str]
    data: list[Point]


class StatusSeries(TypedDict):
    status: str
    data: list[Point]


class PercentileSeries(TypedDict):
    percentile: float
    data: list[Point]


class StatusCodeSeries(TypedDict):
    statusCode: str
    data: list[Point]


class Frame(TypedDict):
    """What all graphs of one answer have in common."""

    start: Timestamp
    stop: Timestamp
    timeWindowSeconds: Count
    replicaIds: list[str]


class GraphHardware(Frame):
    series: list[HardwareSeries]


class GraphStatus(Frame):
    series: list[StatusSeries]


class GraphElapsed(Frame):
    series: list[PercentileSeries]


class GraphStatusCode(Frame):
    series: list[StatusCodeSeries]


class GraphHardwareCpu(TypedDict):
    """The service calls it "CPU and RAM": the two graphs as the answer with all of them has them."""

    hardwareCpu: GraphHardware
    hardwareMem: GraphHardware


class AllGraphs(Frame):
    hardwareCpu: GraphHardware
    hardwareMem: GraphHardware
    hardwareGpu: GraphHardware
    hardwareGpuMem: GraphHardware
    pendingRequest: GraphStatus
    replicasRunning: GraphStatus
    replicasStatus: GraphStatus
    responseElapsed: GraphElapsed
    responseStatusCode: GraphStatusCode
    responseStatusCodeGrouped: GraphStatusCode


class AuditEntry(TypedDict):
    """What the service's interface shows; its keys are not published. `changes` names settings. The last three keys
    and `user` are null where nobody asked and the plane acted by itself."""

    id: str
    createdAt: Timestamp
    action: EventKind
    endpoint: str
    changes: list[str]
    user: Person | None
    sourceIp: str | None
    requestId: str | None


class AuditLogs(TypedDict):
    """One page, newest first; `nextCursor` is null on the last."""

    items: list[AuditEntry]
    nextCursor: str | None


class Quota(TypedDict):
    maxAccelerators: Count
    usedAccelerators: Count


class Instance(TypedDict):
    """Memory in GB, price in USD per hour and replica."""

    id: str
    accelerator: Literal["cpu", "gpu", "neuron"]
    numAccelerators: Count
    memoryGb: float | None
    gpuMemoryGb: float | None
    instanceType: str
    instanceSize: str
    architecture: str
    status: Literal["available", "low_availability", "not_available", "reserved", "deprecated"]
    pricePerHour: float
    quota: Quota


class Region(TypedDict):
    name: str
    label: str
    status: Literal["available"]
    computes: list[Instance]


class Vendor(TypedDict):
    name: str
    status: Literal["available"]
    regions: list[Region]


class Vendors(TypedDict):
    vendors: list[Vendor]


class TypeQuota(TypedDict):
    instanceType: str
    architecture: str
    maxAccelerators: Count
    usedAccelerators: Count


class QuotaOfVendor(TypedDict):
    name: str
    quotas: list[TypeQuota]


class VendorQuotas(TypedDict):
    vendors: list[QuotaOfVendor]


class AccessToken(TypedDict):
    displayName: str
    role: str


class Auth(TypedDict):
    type: Literal["access_token"]
    accessToken: AccessToken


class WhoAmI(TypedDict):
    type: Literal["user"]
    id: Annotated[str, Field(pattern="^[0-9a-f]{24}$")]
    name: str
    fullname: str
    isPro: bool
    canPay: bool
    orgs: list[Any]
    auth: Auth


class Recipe(TypedDict):
    publicId: str
    accelerator: str
    engineType: str
    ggufFile: NotRequired[str]


class ModelInfo(TypedDict):
    """What the Hub tells of a model, as far as it is known here."""

    id: str
    modelId: str
    pipeline_tag: str
    private: bool
    gated: bool
    tags: list[str]


class CatalogueModel(TypedDict):
    repoId: str
    modelName: str
    authorName: str
    license: str
    task: str
    createdAt: Timestamp
    recipes: list[Recipe]


class Suggestion(TypedDict):
    """Of the service's own answer only `suggestedCompute` is known; the others are keys of a create request."""

    suggestedCompute: str
    task: str
    framework: str
    image: Image


class Catalogue(TypedDict):
    items: list[CatalogueModel]


class Now(TypedDict):
    """Seconds on the simulation's clock."""

    now: float


class Idle(TypedDict):
    """Whether the plane can make room for another."""

    may_end: bool
