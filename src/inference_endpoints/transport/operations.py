"""Every operation of the control plane, defined once.

The client's requests and retries, the embedded control plane's routes and the tools' annotations all come from here.
Paths and answers: the service's OpenAPI document and huggingface_hub 2.4.0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from pydantic import TypeAdapter

from inference_endpoints.engines.model_config import ModelConfig, ModelConfigFile
from inference_endpoints.models import (
    AllGraphs,
    AuditLogs,
    Catalogue,
    CreateRequest,
    Endpoint,
    EndpointPage,
    EngineRequests,
    HardwareGraphs,
    HardwareListing,
    Listing,
    LogEntry,
    MetricGraph,
    MetricStages,
    ModelInfo,
    QuotaListing,
    Replicas,
    RequestPart,
    Suggestion,
    TextLogs,
    WhoAmI,
)
from inference_endpoints.transport.effect import Effect
from inference_endpoints.transport.path_segment import check_segment
from inference_endpoints.transport.service import Service

Result = TypeVar("Result")


class Retry(StrEnum):
    """Whether a failed request may be sent again."""

    SAFE = "safe"  # always: the operation is idempotent
    UNSENT = "unsent"  # only if the first request certainly never arrived


PREFIXES: Mapping[Service, str] = {Service.CONTROL_PLANE: "/v2", Service.CONTROL_PLANE_V3: "/v3"}
"""Of the paths of the control plane, which the service's document describes."""
JSON, TEXT, EVENT_STREAM = "application/json", "text/plain", "text/event-stream"


@dataclass(frozen=True)
class Request:
    """An operation with its arguments filled in, ready to send."""

    operation: "Operation[Any]"
    path: str
    body: RequestPart | None
    subject: str
    """What the operation applies to: `acme/chat`."""
    arguments: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def action(self) -> str:
        """`pause endpoint acme/chat`: for messages."""
        return self.operation.action_template.format(self.subject).strip()

    @property
    def missing_kind(self) -> str:
        """ "namespace" if a 404 can only mean that the namespace does not exist; else empty."""
        return "namespace" if self.arguments.keys() == {"namespace"} else ""


@dataclass(frozen=True)
class Operation(Generic[Result]):
    """One method and path of the API, with the type of its answer, its effect, and whether it may be retried."""

    name: str
    method: str
    path: str
    returns: Any
    effect: Effect = Effect.READS
    retry: Retry = Retry.SAFE
    service: Service = Service.CONTROL_PLANE
    media_type: str = JSON
    words: str = ""
    """The action in words, where the name does not read as one."""

    @property
    def documented_path(self) -> str:
        """The path in the service's document; that of another service as it is."""
        return PREFIXES.get(self.service, "") + self.path

    @property
    def action_template(self) -> str:
        """`pause endpoint {}`: for messages, with a place for the subject."""
        words = self.words or self.name.replace("_", " ")
        return words if "{}" in words else f"{words} {{}}"

    def build(
        self,
        *,
        query: Mapping[str, str | int | bool | None] | None = None,
        body: RequestPart | None = None,
        **arguments: str,
    ) -> Request:
        """Fill in the path, each segment encoded separately. Raises `BadRequest` for an invalid name."""
        for kind, value in arguments.items():
            check_segment(kind, value)
        path = self.path.format(**{kind: quote(value, safe="") for kind, value in arguments.items()})
        parameters = {key: str(value) for key, value in (query or {}).items() if value is not None}
        if parameters:
            path += "?" + urlencode(parameters)
        created = [body.name] if isinstance(body, CreateRequest) else []
        return Request(self, path, body, "/".join([*arguments.values(), *created]), arguments, parameters)

    def parse(self, payload: Any) -> Result:
        """The answer, typed. Raises pydantic's `ValidationError` if the payload has another form."""
        result: Result = self._adapter.validate_python(payload)
        return result

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.returns)


_ALL = "/endpoint/{namespace}"
_ONE = "/endpoint/{namespace}/{name}"

LIST = Operation[EndpointPage]("list_endpoints", "GET", _ALL, EndpointPage, words="list the endpoints of")
SEARCH = Operation[Listing]("search_endpoints", "GET", "/search/{namespace}", Listing, words="search the endpoints of")
GET = Operation[Endpoint]("get_endpoint", "GET", _ONE, Endpoint)
CREATE = Operation[Endpoint]("create_endpoint", "POST", _ALL, Endpoint, Effect.SPENDS, Retry.UNSENT)
UPDATE = Operation[Endpoint]("update_endpoint", "PUT", _ONE, Endpoint, Effect.DISRUPTS)
DELETE = Operation[dict[str, Any]]("delete_endpoint", "DELETE", _ONE, dict[str, Any], Effect.DESTROYS, Retry.UNSENT)
PAUSE = Operation[Endpoint]("pause_endpoint", "POST", _ONE + "/pause", Endpoint, Effect.DISRUPTS)
RESUME = Operation[Endpoint]("resume_endpoint", "POST", _ONE + "/resume", Endpoint, Effect.SPENDS)
SCALE_TO_ZERO = Operation[Endpoint](
    "scale_endpoint_to_zero",
    "POST",
    _ONE + "/scale-to-zero",
    Endpoint,
    Effect.DISRUPTS,
    words="scale endpoint {} to zero",
)
LOGS = Operation[list[LogEntry]](
    "get_logs",
    "GET",
    _ONE + "/logs",
    list[LogEntry],
    service=Service.CONTROL_PLANE_V3,
    words="read the logs of endpoint",
)
"""One page. The service answers 501 where it cannot search logs."""
DOWNLOAD_LOGS = Operation[list[LogEntry]](
    "download_logs",
    "GET",
    _ONE + "/logs/download",
    TextLogs,
    service=Service.CONTROL_PLANE_V3,
    media_type=TEXT,
    words="download the logs of endpoint",
)
FOLLOW_LOGS = Operation[list[LogEntry]](
    "follow_logs",
    "GET",
    _ONE + "/logs/sse",
    TextLogs,
    service=Service.CONTROL_PLANE_V3,
    media_type=EVENT_STREAM,
    words="follow the logs of endpoint",
)
"""A stream of server-sent events, one for each entry."""
LOGS_V2 = Operation[list[LogEntry]]("get_logs_v2", "GET", _ONE + "/logs", TextLogs, media_type=TEXT, words=LOGS.words)
FOLLOW_LOGS_V2 = Operation[list[LogEntry]](
    "follow_logs_v2", "GET", _ONE + "/logs/sse", TextLogs, media_type=EVENT_STREAM, words=FOLLOW_LOGS.words
)
DEBUG = Operation[Endpoint](
    "debug_endpoint", "POST", _ONE + "/agent/debug", Endpoint, words="run the service's debugger on endpoint"
)
REPLICAS = Operation[Replicas](
    "get_replicas", "GET", _ONE + "/replica", Replicas, words="list the replicas of endpoint"
)
METRICS = Operation[AllGraphs](
    "get_metrics", "POST", _ONE + "/metrics", AllGraphs, words="read the metrics of endpoint"
)


def _metric(metric: str, returns: Any = MetricGraph) -> Operation[Any]:
    """The same as a part of the answer of `METRICS`."""
    name = f"get_{metric.replace('-', '_').replace('/', '_')}"
    return Operation(name, "POST", f"{METRICS.path}/{metric}", returns, words=f"read the metric {metric} of endpoint")


HARDWARE_CPU = _metric("hardware-cpu", HardwareGraphs)
HARDWARE_GPU = _metric("hardware-gpu", HardwareGraphs)
INFERENCE_ITL = _metric("inference/itl")
INFERENCE_KV_CACHE = _metric("inference/kv-cache")
INFERENCE_PREFIX_CACHE = _metric("inference/prefix-cache")
INFERENCE_REQUESTS = _metric("inference/requests", EngineRequests)
INFERENCE_TTFT = _metric("inference/ttft")
PENDING_REQUEST = _metric("pending-request")
REPLICA_IDS = _metric("replica-ids", list[str])
REPLICA_RUNNING = _metric("replica-running")
REPLICA_STATUS = _metric("replica-status", MetricStages)
RESPONSE_ELAPSED = _metric("response-elapsed")
RESPONSE_STATUS_CODE = _metric("response-status-code")
RESPONSE_STATUS_CODE_GROUPED = _metric("response-status-code-grouped")
OPEN_METRICS = Operation[str](
    "get_open_metrics",
    "GET",
    _ONE + "/open-metrics",
    str,
    media_type=TEXT,
    words="read the OpenMetrics of endpoint",
)
EVENTS = Operation[Any]("watch_endpoint", "GET", _ONE + "/sse", Any, media_type=EVENT_STREAM)
"""A stream of server-sent events, one for each change of the status. Their content is not documented."""
HARDWARE = Operation[HardwareListing](
    "list_hardware", "GET", "/provider/{namespace}", HardwareListing, words="list hardware for"
)
PUBLIC_HARDWARE = Operation[HardwareListing](
    "list_public_hardware", "GET", "/provider", HardwareListing, words="list hardware, without quota"
)
QUOTAS = Operation[QuotaListing](
    "get_quotas", "GET", "/provider/quotas/{namespace}", QuotaListing, words="read the quotas of"
)
AUDIT_LOGS = Operation[AuditLogs](
    "get_audit_logs", "GET", "/audit-logs/{namespace}", AuditLogs, words="read the audit log of"
)
ADDRESS_LISTS = Operation[Listing](
    "list_address_lists", "GET", "/network/cidr-list/{namespace}", Listing, words="list the address lists of"
)
DOMAINS = Operation[Listing]("list_domains", "GET", "/network/domain/{namespace}", Listing, words="list the domains of")
PRIVATE_SERVICES = Operation[Listing](
    "list_private_services",
    "GET",
    "/network/private-service/{namespace}",
    Listing,
    words="list the private services of",
)
WHOAMI = Operation[WhoAmI](
    "whoami", "GET", "/api/whoami-v2", WhoAmI, service=Service.HUB, words="read the owner of the token"
)
MODEL = Operation[ModelInfo](
    "get_model",
    "GET",
    "/api/models/{owner}/{model}",
    ModelInfo,
    service=Service.HUB,
    words="read the model",
)
MODEL_CONFIG = Operation[ModelConfig](
    "get_model_config",
    "GET",
    "/{owner}/{model}/raw/{revision}/config.json",
    ModelConfigFile,
    service=Service.HUB,
    words="read config.json of the model",
)
"""`raw` sends the file itself, where `resolve` redirects."""
MODELS = Operation[list[ModelInfo]](
    "list_models", "GET", "/api/models", list[ModelInfo], service=Service.HUB, words="search models on the Hub"
)
CATALOGUE = Operation[Catalogue](
    "list_catalogue", "GET", "/list", Catalogue, service=Service.CATALOGUE, words="list the catalogue"
)

SUGGESTION = Operation[Suggestion](
    "get_suggestion",
    "GET",
    "/configuration",
    Suggestion,
    service=Service.CONFIGURATION,
    words="read the suggested configuration",
)

CALL_EFFECT = Effect.SPENDS
"""A call to an endpoint is no operation of the control plane, but it can wake the endpoint, which is then billed."""

OPERATIONS: tuple[Operation[Any], ...] = tuple(each for each in vars().values() if isinstance(each, Operation))
"""All of the above."""
