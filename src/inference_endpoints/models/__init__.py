"""The JSON documents of the API as typed models: Python names, camelCase aliases."""

from inference_endpoints.models.account import Organization, WhoAmI
from inference_endpoints.models.api_model import ApiModel, ApiModelWithRaw
from inference_endpoints.models.audit_log import AuditChange, AuditEntry, AuditLogs
from inference_endpoints.models.catalogue import Catalogue, CatalogueModel, Recipe, Suggestion
from inference_endpoints.models.endpoint import (
    DEFAULT_SCALE_TO_ZERO_TIMEOUT_MIN,
    Compute,
    Endpoint,
    EndpointConfiguration,
    EndpointPage,
    ModelSettings,
    Person,
    Provider,
    Scaling,
    Status,
    format_hardware_id,
)
from inference_endpoints.models.hardware import (
    HardwareListing,
    Instance,
    InstanceTypeQuota,
    Quota,
    QuotaListing,
    Region,
    Vendor,
    VendorQuotas,
)
from inference_endpoints.models.hub import ModelInfo
from inference_endpoints.models.image import IMAGES_WITHOUT_URL, PARALLELISM_SETTINGS, Image
from inference_endpoints.models.metrics import (
    AllGraphs,
    EngineGraphs,
    EngineRequests,
    Graph,
    Point,
    Series,
    StageGraph,
    StageSeries,
    StageSpan,
)
from inference_endpoints.models.replicas import LogEntry, Logs, Replica, Replicas, ReplicaStatus
from inference_endpoints.models.requests import CreateRequest, MetricsRequest, RequestPart, UpdateRequest
from inference_endpoints.models.status import InferenceEndpointStatus, InferenceEndpointType
from inference_endpoints.models.times import format_duration, rfc3339

__all__ = [
    "DEFAULT_SCALE_TO_ZERO_TIMEOUT_MIN",
    "IMAGES_WITHOUT_URL",
    "PARALLELISM_SETTINGS",
    "AllGraphs",
    "ApiModel",
    "ApiModelWithRaw",
    "AuditChange",
    "AuditEntry",
    "AuditLogs",
    "Catalogue",
    "CatalogueModel",
    "Compute",
    "CreateRequest",
    "Endpoint",
    "EndpointConfiguration",
    "EndpointPage",
    "EngineGraphs",
    "EngineRequests",
    "Graph",
    "HardwareListing",
    "Image",
    "InferenceEndpointStatus",
    "InferenceEndpointType",
    "Instance",
    "InstanceTypeQuota",
    "LogEntry",
    "Logs",
    "MetricsRequest",
    "ModelInfo",
    "ModelSettings",
    "Organization",
    "Person",
    "Point",
    "Provider",
    "Quota",
    "QuotaListing",
    "Recipe",
    "Region",
    "Replica",
    "ReplicaStatus",
    "Replicas",
    "RequestPart",
    "Scaling",
    "Series",
    "StageGraph",
    "StageSeries",
    "StageSpan",
    "Status",
    "Suggestion",
    "UpdateRequest",
    "Vendor",
    "VendorQuotas",
    "WhoAmI",
    "format_duration",
    "format_hardware_id",
    "rfc3339",
]
