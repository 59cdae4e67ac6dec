"""Every route of the REST API: what it accepts and what it returns.

The handlers are registered by these contracts, and `/openapi.json` is generated from them.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from inference_endpoints.transport import operations
from inference_endpoints.transport.operations import PREFIXES, Operation
from inference_endpoints.transport.service import Service
from inference_endpoints_local.wire import endpoint_body, graphs, queries, requests, responses

_PREFIX = {
    **PREFIXES,
    Service.HUB: "",
    Service.CATALOGUE: "/api/v1/catalog",
    Service.CONFIGURATION: "/api",
}
FAULT_STATUSES = frozenset({400, 409, 429, 500, 501, 503})
"""The statuses of simulated faults."""


@dataclass(frozen=True)
class RouteContract:
    """One method of one path. `response` is the type of its JSON; None: it returns no JSON.

    `errors` are the statuses that do not follow from the other fields.
    """

    name: str
    method: str
    path: str
    summary: str
    response: Any = None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    errors: frozenset[int] = field(default=frozenset())
    status: int = 200
    media_type: str | None = "application/json"
    public: bool = False
    simulated: bool = False

    @property
    def parameters(self) -> list[str]:
        """The names of the path's parameters."""
        return re.findall(r"{([\w-]+)}", self.path)

    @property
    def statuses(self) -> set[int]:
        """Every status that it may return, except success."""
        found = {403, 421, *self.errors}  # the two that `middleware` returns
        if not self.public:
            found.add(401)
        if self.parameters:
            found.add(404)
        if self.query:
            found.add(400)
        if self.body:
            found |= {400, 413, 422}
        return found


def _route_of(operation: Operation[Any], response: Any, *errors: int, **more: Any) -> RouteContract:
    path = _PREFIX[operation.service] + operation.path
    summary = operation.name.replace("_", " ").capitalize()
    return RouteContract(
        operation.name,
        operation.method,
        path,
        summary,
        response,
        errors=frozenset(errors),
        media_type=operation.media_type,
        **more,
    )


LIST = _route_of(operations.LIST, responses.EndpointsDocument, query=queries.EndpointsQuery)
CREATE = _route_of(operations.CREATE, responses.EndpointDocument, 409, 507, body=endpoint_body.EndpointBody)
GET = _route_of(operations.GET, responses.EndpointDocument)
UPDATE = _route_of(operations.UPDATE, responses.EndpointDocument, 409, 507, body=endpoint_body.EndpointChangeBody)
DELETE = _route_of(operations.DELETE, responses.EmptyDocument, 507)
PAUSE = _route_of(operations.PAUSE, responses.EndpointDocument, 507)
RESUME = _route_of(operations.RESUME, responses.EndpointDocument, 400, 409, 507)
SCALE_TO_ZERO = _route_of(operations.SCALE_TO_ZERO, responses.EndpointDocument, 400, 507)
LOGS = _route_of(operations.LOGS, list[responses.LogEntryDocument], query=queries.LogPageQuery)
DOWNLOAD_LOGS = _route_of(operations.DOWNLOAD_LOGS, None, query=queries.LogQuery)
FOLLOW_LOGS = _route_of(operations.FOLLOW_LOGS, None, query=queries.FollowLogsQuery)
LOGS_V2 = _route_of(operations.LOGS_V2, None, query=queries.LogsV2Query)
FOLLOW_LOGS_V2 = _route_of(operations.FOLLOW_LOGS_V2, None, query=queries.FollowLogsV2Query)
DEBUG = _route_of(operations.DEBUG, responses.EndpointDocument)
REPLICAS = _route_of(operations.REPLICAS, responses.ReplicasDocument)
SEARCH = _route_of(operations.SEARCH, responses.EndpointNamesDocument, query=queries.SearchQuery)


def _network(method: str, path: str, summary: str, response: Any, body: type[BaseModel] | None = None) -> RouteContract:
    name = summary.lower().replace(" ", "_")
    return RouteContract(name, method, f"/v2/network/{path}", summary, response, body=body)


_CIDR_LISTS, _DOMAINS, _SERVICES = "cidr-list/{namespace}", "domain/{namespace}", "private-service/{namespace}"
NETWORK_LISTS = (
    _route_of(operations.ADDRESS_LISTS, responses.NoItemsDocument),
    _route_of(operations.DOMAINS, responses.NoItemsDocument),
    _route_of(operations.PRIVATE_SERVICES, responses.NoItemsDocument),
)
NETWORK_CREATIONS = (
    _network("POST", _CIDR_LISTS, "Create address list", responses.EmptyDocument, requests.CidrListBody),
    _network("POST", _DOMAINS, "Create domain", responses.EmptyDocument, requests.DomainBody),
)
NETWORK_CHANGES = (
    _network(
        "POST", f"{_CIDR_LISTS}/{{cidr_id}}", "Change address list", responses.EmptyDocument, requests.CidrListBody
    ),
    _network("DELETE", f"{_CIDR_LISTS}/{{cidr_id}}", "Delete address list", responses.EmptyDocument),
    _network("DELETE", f"{_DOMAINS}/{{domain}}", "Delete domain", responses.EmptyDocument),
    _network("DELETE", f"{_SERVICES}/{{service-id}}", "Delete private service", responses.EmptyDocument),
)


def _graph(operation: Operation[Any], response: Any) -> RouteContract:
    return _route_of(operation, response, body=requests.MetricsBody)


METRICS = _graph(operations.METRICS, graphs.AllGraphsDocument)
HARDWARE_CPU = _graph(operations.HARDWARE_CPU, graphs.GraphHardwareCpuDocument)
HARDWARE_GPU = _graph(operations.HARDWARE_GPU, graphs.GraphHardwareGpuDocument)
INFERENCE_ITL = _graph(operations.INFERENCE_ITL, graphs.GraphHardwareDocument)
INFERENCE_KV_CACHE = _graph(operations.INFERENCE_KV_CACHE, graphs.GraphHardwareDocument)
INFERENCE_PREFIX_CACHE = _graph(operations.INFERENCE_PREFIX_CACHE, graphs.GraphHardwareDocument)
INFERENCE_REQUESTS = _graph(operations.INFERENCE_REQUESTS, graphs.GraphInferenceRequestsDocument)
INFERENCE_TTFT = _graph(operations.INFERENCE_TTFT, graphs.GraphHardwareDocument)
PENDING_REQUEST = _graph(operations.PENDING_REQUEST, graphs.GraphPendingRequestDocument)
REPLICA_IDS = _graph(operations.REPLICA_IDS, list[str])
REPLICA_RUNNING = _graph(operations.REPLICA_RUNNING, graphs.GraphReplicasRunningDocument)
REPLICA_STATUS = _graph(operations.REPLICA_STATUS, graphs.GraphReplicasStatusDocument)
RESPONSE_ELAPSED = _graph(operations.RESPONSE_ELAPSED, graphs.GraphElapsedDocument)
RESPONSE_STATUS_CODE = _graph(operations.RESPONSE_STATUS_CODE, graphs.GraphStatusCodeDocument)
RESPONSE_STATUS_CODE_GROUPED = _graph(operations.RESPONSE_STATUS_CODE_GROUPED, graphs.GraphStatusCodeDocument)
OPEN_METRICS = _route_of(operations.OPEN_METRICS, None)
EVENTS = _route_of(operations.EVENTS, None, 503)
HARDWARE = _route_of(operations.HARDWARE, responses.HardwareListingDocument)
QUOTAS = _route_of(operations.QUOTAS, responses.QuotaListingDocument)
AUDIT_LOGS = _route_of(operations.AUDIT_LOGS, responses.AuditLogsDocument, query=queries.AuditLogQuery)
WHOAMI = _route_of(operations.WHOAMI, responses.WhoAmIDocument)
MODEL = _route_of(operations.MODEL, responses.ModelInfoDocument)
MODEL_CONFIG = _route_of(operations.MODEL_CONFIG, dict[str, Any], 404)
MODELS = _route_of(operations.MODELS, list[responses.ModelInfoDocument], query=queries.ModelsQuery)
CATALOGUE = _route_of(operations.CATALOGUE, responses.CatalogueDocument, query=queries.CatalogueQuery)
SUGGESTION = _route_of(operations.SUGGESTION, responses.SuggestionDocument, 404, query=queries.SuggestionQuery)
_DEPLOY_OPTIONS: dict[str, Any] = {"response": responses.DeployedDocument, "errors": frozenset({404, 409, 507})}
DEPLOY_MODEL = RouteContract(
    "deploy_catalogue_model",
    "POST",
    "/api/v1/catalog/model/{owner}/{model}/deploy",
    "Deploy a model of the catalogue",
    body=requests.DeployModelBody,
    **_DEPLOY_OPTIONS,
)
DEPLOY_RECIPE = RouteContract(
    "deploy_catalogue_recipe",
    "POST",
    "/api/v1/catalog/recipe/{recipe}/deploy",
    "Deploy a recipe of the catalogue",
    body=requests.DeployRecipeBody,
    **_DEPLOY_OPTIONS,
)
PUBLIC_HARDWARE = _route_of(operations.PUBLIC_HARDWARE, responses.HardwareListingDocument, public=True)
HEALTH = RouteContract("health", "GET", "/healthz", "Report that it answers", media_type="text/plain", public=True)
OPENAPI = RouteContract("openapi", "GET", "/openapi.json", "Describe this API", dict[str, Any], public=True)

ADVANCE_CLOCK = RouteContract(
    "advance_clock",
    "POST",
    "/local/clock",
    "Advance the simulation's clock",
    responses.ClockDocument,
    body=requests.AdvanceClockBody,
    simulated=True,
)
SIMULATE_LOAD = RouteContract(
    "simulate_load",
    "POST",
    "/local/load",
    "Simulate requests to a simulated endpoint",
    responses.EmptyDocument,
    body=requests.SimulateLoadBody,
    errors=frozenset({404}),
    simulated=True,
)
SET_CAPACITY = RouteContract(
    "set_capacity",
    "POST",
    "/local/capacity",
    "State for how many replicas simulated hardware has room",
    responses.EmptyDocument,
    body=requests.SetCapacityBody,
    simulated=True,
)
ARM_FAULT = RouteContract(
    "arm_fault",
    "POST",
    "/local/faults",
    "Make requests fail",
    responses.EmptyDocument,
    body=requests.ArmFaultBody,
    simulated=True,
)
CLEAR_FAULTS = RouteContract(
    "clear_faults", "DELETE", "/local/faults", "Disarm all faults", responses.EmptyDocument, simulated=True
)
STATUS = RouteContract(
    "status", "GET", "/local/status", "Report whether the plane is idle", responses.PlaneStatusDocument
)
LEASE = RouteContract("lease", "GET", "/local/lease", "Keep the plane alive while this request lasts", media_type=None)
STOP = RouteContract(
    "stop",
    "POST",
    "/local/stop",
    "End the plane",
    responses.EmptyDocument,
    query=queries.StopQuery,
    errors=frozenset({409}),
    status=202,
)

PLANE_API = (
    PUBLIC_HARDWARE,
    HEALTH,
    OPENAPI,
    STATUS,
    LEASE,
    STOP,
    ADVANCE_CLOCK,
    SIMULATE_LOAD,
    SET_CAPACITY,
    ARM_FAULT,
    CLEAR_FAULTS,
)
"""The routes of this plane, and the public ones."""
SERVICE_API: tuple[RouteContract, ...] = (
    *(each for each in vars().values() if isinstance(each, RouteContract) and each not in PLANE_API),
    *(*NETWORK_LISTS, *NETWORK_CREATIONS, *NETWORK_CHANGES),
)
"""All others: the routes of the service. Simulated faults happen to these alone."""
