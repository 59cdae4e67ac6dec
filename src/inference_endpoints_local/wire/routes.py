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
class Contract:
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


def _of(operation: Operation[Any], answer: Any, *refusals: int, **more: Any) -> Contract:
    path = _PREFIX[operation.service] + operation.path
    summary = operation.name.replace("_", " ").capitalize()
    return Contract(operation.name, operation.method, path, summary, answer, refusals=frozenset(refusals), **more)


LIST = _of(operations.LIST, responses.Endpoints, query=queries.Page)
CREATE = _of(operations.CREATE, responses.Endpoint, 409, 507, body=requests.EndpointBody)
GET = _of(operations.GET, responses.Endpoint)
UPDATE = _of(operations.UPDATE, responses.Endpoint, 409, 507, body=requests.EndpointChange)
DELETE = _of(operations.DELETE, responses.Nothing, 507)
PAUSE = _of(operations.PAUSE, responses.Endpoint, 507)
RESUME = _of(operations.RESUME, responses.Endpoint, 400, 409, 507)
SCALE_TO_ZERO = _of(operations.SCALE_TO_ZERO, responses.Endpoint, 400, 507)
LOGS = _of(operations.LOGS, list[responses.LogEntry], query=queries.Lines, streams="text/plain")
FOLLOW_LOGS = Contract(
    "follow_logs",
    "GET",
    "/v2/endpoint/{namespace}/{name}/logs/sse",
    "Get logs as they are printed",
    query=queries.FollowedLines,
    media="text/event-stream",
)
REPLICAS = _of(operations.REPLICAS, responses.Replicas)
METRICS = _of(operations.METRICS, responses.AllGraphs, body=requests.MetricsParams)


def _graph(metric: str, answer: Any) -> Contract:
    path, name = f"{METRICS.path}/{metric}", f"get_{metric.replace('-', '_')}"
    return Contract(name, "POST", path, f"Get the metric {metric}", answer, body=requests.MetricsParams)


GRAPHS = {
    "pendingRequest": _graph("pending-request", responses.GraphStatus),
    "responseElapsed": _graph("response-elapsed", responses.GraphElapsed),
    "responseStatusCode": _graph("response-status-code", responses.GraphStatusCode),
    "replicasStatus": _graph("replica-status", responses.GraphStatus),
    "replicasRunning": _graph("replica-running", responses.GraphStatus),
}
"""The metrics that can be asked for alone, by the key the answer with all of them has them under."""
HARDWARE_CPU = _graph("hardware-cpu", responses.GraphHardwareCpu)
EVENTS = _of(operations.EVENTS, None, 503, media="text/event-stream")
VENDORS = _of(operations.VENDORS, responses.Vendors)
QUOTAS = _of(operations.QUOTAS, responses.VendorQuotas)
AUDIT_LOGS = _of(operations.AUDIT_LOGS, responses.AuditLogs, query=queries.Events)
WHOAMI = _of(operations.WHOAMI, responses.WhoAmI)
MODEL = _of(operations.MODEL, responses.ModelInfo)
CATALOGUE = _of(operations.CATALOGUE, responses.Catalogue, query=queries.Models)
SUGGESTION = _of(operations.SUGGESTION, responses.Suggestion, 404, query=queries.Suggested)
_DEPLOYS: dict[str, Any] = {"answers": responses.Deployed, "refusals": frozenset({404, 409, 507})}
DEPLOY_MODEL = Contract(
    "deploy_catalogue_model",
    "POST",
    "/api/v1/catalog/model/{owner}/{model}/deploy",
    "Deploy a model of the catalogue",
    body=requests.ModelOrder,
    **_DEPLOYS,
)
DEPLOY_RECIPE = Contract(
    "deploy_catalogue_recipe",
    "POST",
    "/api/v1/catalog/recipe/{recipe}/deploy",
    "Deploy a recipe of the catalogue",
    body=requests.RecipeOrder,
    **_DEPLOYS,
)
PUBLIC_VENDORS = Contract(
    "list_public_hardware", "GET", "/v2/provider", "List hardware, without quota", responses.Vendors, public=True
)
HEALTH = Contract("health", "GET", "/healthz", "Tell that it answers", media="text/plain", public=True)
OPENAPI = Contract("openapi", "GET", "/openapi.json", "Describe this API", dict[str, Any], public=True)

MOVE_CLOCK = Contract(
    "move_clock",
    "POST",
    "/local/clock",
    "Skip time of the simulation",
    responses.Now,
    body=requests.ClockMove,
    simulated=True,
)
PRETEND_LOAD = Contract(
    "pretend_load",
    "POST",
    "/local/load",
    "Pretend requests to a simulated endpoint",
    responses.Nothing,
    body=requests.PretendedLoad,
    refusals=frozenset({404}),
    simulated=True,
)
ARM_FAULT = Contract(
    "arm_fault",
    "POST",
    "/local/faults",
    "Let requests fail",
    responses.Nothing,
    body=requests.ArmedFault,
    simulated=True,
)
CLEAR_FAULTS = Contract(
    "clear_faults", "DELETE", "/local/faults", "Let requests fail no more", responses.Nothing, simulated=True
)
STATUS = Contract("status", "GET", "/local/status", "Tell whether the plane is idle", responses.Idle)
LEASE = Contract("lease", "GET", "/local/lease", "Keep the plane alive while this request lasts", media=None)
STOP = Contract(
    "stop",
    "POST",
    "/local/stop",
    "End the plane",
    responses.Nothing,
    query=queries.Ending,
    refusals=frozenset({409}),
    status=202,
)

API = (
    *(LIST, CREATE, GET, UPDATE, DELETE, PAUSE, RESUME, SCALE_TO_ZERO, LOGS, REPLICAS, EVENTS, VENDORS, QUOTAS, WHOAMI),
    *(METRICS, *GRAPHS.values(), HARDWARE_CPU),
    *(FOLLOW_LOGS, AUDIT_LOGS, MODEL, CATALOGUE, SUGGESTION, DEPLOY_MODEL, DEPLOY_RECIPE),
)
"""The service's own; what a simulated fault can befall."""
OTHERS = (PUBLIC_VENDORS, HEALTH, OPENAPI, STATUS, LEASE, STOP, MOVE_CLOCK, PRETEND_LOAD, ARM_FAULT, CLEAR_FAULTS)
"""Those of this plane, and the public ones."""
