"""Every route of the REST API: what it takes and what it answers.

Requests are routed and held to this, and `/openapi.json` says it.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from inference_endpoints.transport import operations
from inference_endpoints.transport.operations import Operation, Service
from inference_endpoints_local.wire import queries, requests, responses

_PREFIX = {Service.CONTROL_PLANE: "/v2", Service.HUB: "", Service.CATALOGUE: "/api/v1/catalog"} | {
    Service.CONFIGURATION: "/api",
}
FAULTS = frozenset({400, 409, 429, 500})
"""What a simulated fault answers with."""


@dataclass(frozen=True)
class RouteContract:
    """One method of one path. `answers` is the type of the JSON it answers with, None if it is none.

    `refusals` are those that do not follow from the rest; `streams` is what it streams instead, if asked to.
    """

    name: str
    method: str
    path: str
    summary: str
    answers: Any = None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    refusals: frozenset[int] = field(default=frozenset())
    status: int = 200
    media: str | None = "application/json"
    streams: str | None = None
    public: bool = False
    simulated: bool = False

    @property
    def parameters(self) -> list[str]:
        """Names in the path."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def statuses(self) -> set[int]:
        """Every status but success that it may answer with."""
        found = {403, 421, *self.refusals}  # the two that `middleware` answers with
        if not self.public:
            found.add(401)
        if self.parameters:
            found.add(404)
        if self.query:
            found.add(400)
        if self.body:
            found |= {400, 413}
        return found


def _contract(operation: Operation[Any], answer: Any, *refusals: int, **more: Any) -> RouteContract:
    path = _PREFIX[operation.service] + operation.path
    summary = operation.name.replace("_", " ").capitalize()
    return RouteContract(operation.name, operation.method, path, summary, answer, refusals=frozenset(refusals), **more)


LIST = _contract(operations.LIST, responses.EndpointsDocument, query=queries.EndpointsQuery)
CREATE = _contract(operations.CREATE, responses.EndpointDocument, 409, 507, body=requests.EndpointBody)
GET = _contract(operations.GET, responses.EndpointDocument)
UPDATE = _contract(operations.UPDATE, responses.EndpointDocument, 409, 507, body=requests.EndpointChange)
DELETE = _contract(operations.DELETE, responses.NothingDocument, 507)
PAUSE = _contract(operations.PAUSE, responses.EndpointDocument, 507)
RESUME = _contract(operations.RESUME, responses.EndpointDocument, 400, 409, 507)
SCALE_TO_ZERO = _contract(operations.SCALE_TO_ZERO, responses.EndpointDocument, 400, 507)
LOGS = _contract(operations.LOGS, list[responses.LogEntryDocument], query=queries.LogsQuery, streams="text/plain")
FOLLOW_LOGS = RouteContract(
    "follow_logs",
    "GET",
    "/v2/endpoint/{namespace}/{name}/logs/sse",
    "Get logs as they are printed",
    query=queries.FollowLogsQuery,
    media="text/event-stream",
)
REPLICAS = _contract(operations.REPLICAS, responses.ReplicasDocument)
METRICS = _contract(operations.METRICS, responses.AllGraphsDocument, body=requests.MetricsParams)


def _graph(metric: str, answer: Any) -> RouteContract:
    path, name = f"{METRICS.path}/{metric}", f"get_{metric.replace('-', '_')}"
    return RouteContract(name, "POST", path, f"Get the metric {metric}", answer, body=requests.MetricsParams)


GRAPHS = {
    "pendingRequest": _graph("pending-request", responses.GraphStatusDocument),
    "responseElapsed": _graph("response-elapsed", responses.GraphElapsedDocument),
    "responseStatusCode": _graph("response-status-code", responses.GraphStatusCodeDocument),
    "replicasStatus": _graph("replica-status", responses.GraphStatusDocument),
    "replicasRunning": _graph("replica-running", responses.GraphStatusDocument),
}
"""The metrics that can be asked for alone, by the key the answer with all of them has them under."""
HARDWARE_CPU = _graph("hardware-cpu", responses.GraphHardwareCpuDocument)
EVENTS = _contract(operations.EVENTS, None, 503, media="text/event-stream")
VENDORS = _contract(operations.VENDORS, responses.VendorsDocument)
QUOTAS = _contract(operations.QUOTAS, responses.VendorQuotasDocument)
AUDIT_LOGS = _contract(operations.AUDIT_LOGS, responses.AuditLogsDocument, query=queries.AuditLogQuery)
WHOAMI = _contract(operations.WHOAMI, responses.WhoAmIDocument)
MODEL = _contract(operations.MODEL, responses.ModelInfoDocument)
CATALOGUE = _contract(operations.CATALOGUE, responses.CatalogueDocument, query=queries.CatalogueQuery)
SUGGESTION = _contract(operations.SUGGESTION, responses.SuggestionDocument, 404, query=queries.SuggestionQuery)
_DEPLOYS: dict[str, Any] = {"answers": responses.DeployedDocument, "refusals": frozenset({404, 409, 507})}
DEPLOY_MODEL = RouteContract(
    "deploy_catalogue_model",
    "POST",
    "/api/v1/catalog/model/{owner}/{model}/deploy",
    "Deploy a model of the catalogue",
    body=requests.ModelOrder,
    **_DEPLOYS,
)
DEPLOY_RECIPE = RouteContract(
    "deploy_catalogue_recipe",
    "POST",
    "/api/v1/catalog/recipe/{recipe}/deploy",
    "Deploy a recipe of the catalogue",
    body=requests.RecipeOrder,
    **_DEPLOYS,
)
PUBLIC_VENDORS = RouteContract(
    "list_public_hardware",
    "GET",
    "/v2/provider",
    "List hardware, without quota",
    responses.VendorsDocument,
    public=True,
)
HEALTH = RouteContract("health", "GET", "/healthz", "Tell that it answers", media="text/plain", public=True)
OPENAPI = RouteContract("openapi", "GET", "/openapi.json", "Describe this API", dict[str, Any], public=True)

MOVE_CLOCK = RouteContract(
    "move_clock",
    "POST",
    "/local/clock",
    "Skip time of the simulation",
    responses.NowDocument,
    body=requests.ClockMove,
    simulated=True,
)
PRETEND_LOAD = RouteContract(
    "pretend_load",
    "POST",
    "/local/load",
    "Pretend requests to a simulated endpoint",
    responses.NothingDocument,
    body=requests.PretendedLoad,
    refusals=frozenset({404}),
    simulated=True,
)
ARM_FAULT = RouteContract(
    "arm_fault",
    "POST",
    "/local/faults",
    "Let requests fail",
    responses.NothingDocument,
    body=requests.ArmedFault,
    simulated=True,
)
CLEAR_FAULTS = RouteContract(
    "clear_faults", "DELETE", "/local/faults", "Let requests fail no more", responses.NothingDocument, simulated=True
)
STATUS = RouteContract("status", "GET", "/local/status", "Tell whether the plane is idle", responses.IdleDocument)
LEASE = RouteContract("lease", "GET", "/local/lease", "Keep the plane alive while this request lasts", media=None)
STOP = RouteContract(
    "stop",
    "POST",
    "/local/stop",
    "End the plane",
    responses.NothingDocument,
    query=queries.StopQuery,
    refusals=frozenset({409}),
    status=202,
)

SERVICE_API = (
    *(LIST, CREATE, GET, UPDATE, DELETE, PAUSE, RESUME, SCALE_TO_ZERO, LOGS, REPLICAS, EVENTS, VENDORS, QUOTAS, WHOAMI),
    *(METRICS, *GRAPHS.values(), HARDWARE_CPU),
    *(FOLLOW_LOGS, AUDIT_LOGS, MODEL, CATALOGUE, SUGGESTION, DEPLOY_MODEL, DEPLOY_RECIPE),
)
"""The service's own; what a simulated fault can befall."""
PLANE_API = (PUBLIC_VENDORS, HEALTH, OPENAPI, STATUS, LEASE, STOP, MOVE_CLOCK, PRETEND_LOAD, ARM_FAULT, CLEAR_FAULTS)
"""Those of this plane, and the public ones."""
