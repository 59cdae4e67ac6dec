"""The handlers for replicas, metrics and audit logs."""

from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from inference_endpoints_local.api import documents
from inference_endpoints_local.api.observability import metric_graphs
from inference_endpoints_local.api.observability.graph_windows import GraphWindows
from inference_endpoints_local.api.observability.open_metrics import open_metrics
from inference_endpoints_local.api.request_handling import Handler, read_body
from inference_endpoints_local.control.lifecycle import Lifecycle
from inference_endpoints_local.control.managed_endpoint import ManagedEndpoint
from inference_endpoints_local.state.clock import wall_s
from inference_endpoints_local.state.store import Store
from inference_endpoints_local.wire import queries, responses, routes
from inference_endpoints_local.wire.parsing import InvalidRequest, parse_as
from inference_endpoints_local.wire.queries import parse_query
from inference_endpoints_local.wire.requests import MetricsBody
from inference_endpoints_local.wire.routes import RouteContract

_GRAPHS: dict[RouteContract, Callable[[GraphWindows], Any]] = {
    routes.METRICS: metric_graphs.all_graphs,
    routes.HARDWARE_CPU: metric_graphs.hardware_cpu,
    routes.HARDWARE_GPU: metric_graphs.hardware_gpu,
    routes.INFERENCE_ITL: metric_graphs.inter_token_latency,
    routes.INFERENCE_KV_CACHE: metric_graphs.kv_cache,
    routes.INFERENCE_PREFIX_CACHE: metric_graphs.prefix_cache,
    routes.INFERENCE_REQUESTS: metric_graphs.engine_requests,
    routes.INFERENCE_TTFT: metric_graphs.time_to_first_token,
    routes.PENDING_REQUEST: metric_graphs.pending_requests,
    routes.REPLICA_IDS: metric_graphs.replica_ids,
    routes.REPLICA_RUNNING: metric_graphs.replicas_running,
    routes.REPLICA_STATUS: metric_graphs.replica_stages,
    routes.RESPONSE_ELAPSED: metric_graphs.elapsed,
    routes.RESPONSE_STATUS_CODE: metric_graphs.status_codes,
    routes.RESPONSE_STATUS_CODE_GROUPED: metric_graphs.grouped_status_codes,
}


class ObservabilityHandlers:
    """Handlers that read and change nothing."""

    def __init__(self, lifecycle: Lifecycle, store: Store, url: Callable[[], str]) -> None:
        self._lifecycle = lifecycle
        self._store = store
        self._url = url

    def handlers(self) -> list[tuple[RouteContract, Handler]]:
        return [
            (routes.DEBUG, self._debug),
            (routes.REPLICAS, self._replicas),
            *((route, partial(self._graph, graph)) for route, graph in _GRAPHS.items()),
            (routes.OPEN_METRICS, self._open_metrics),
            (routes.AUDIT_LOGS, self._audit_logs),
        ]

    async def _debug(self, request: Request) -> responses.EndpointDocument:
        # Imported on the first use: the plane itself needs no diagnosis.
        from inference_endpoints_local.api.observability.debug_agent import diagnosis_of

        endpoint = self._endpoint(request)
        endpoint.agent_message = diagnosis_of(endpoint, self._lifecycle, self._url())
        return documents.endpoint_document(endpoint, self._url())

    async def _replicas(self, request: Request) -> responses.ReplicasDocument:
        return documents.replicas_document(self._endpoint(request))

    async def _graph(self, graph: Callable[[GraphWindows], Any], request: Request) -> Any:
        period = parse_as(MetricsBody, await read_body(request))
        endpoint = self._endpoint(request)
        endpoint.measure()
        start, stop = period.start.timestamp(), period.stop.timestamp()
        if start >= stop:
            raise InvalidRequest("VALIDATION_FAILED: start: is not before stop")
        shown = max(0.0, start), max(0.0, min(stop, wall_s()))
        return graph(GraphWindows(endpoint.metrics, *shown, replica=period.replica_id))

    async def _open_metrics(self, request: Request) -> Response:
        endpoint = self._endpoint(request)
        endpoint.measure()
        return PlainTextResponse(open_metrics(endpoint.metrics, {replica.id for replica in endpoint.ready}))

    async def _audit_logs(self, request: Request) -> responses.AuditLogsDocument:
        query = parse_query(request, queries.AuditLogQuery)
        limit = min(query.limit, queries.MAX_PAGE)
        read = partial(self._store.events, self._lifecycle.namespace, endpoint=query.endpoint, user=query.username)
        direction, _, number = query.cursor.partition("-")
        page = read(
            before=int(number) if direction == "before" else None,
            after=int(number) if direction == "after" else None,
            limit=limit,
        )
        newest, oldest = (page[0][0], page[-1][0]) if page else (0, 0)
        return {
            "list": [documents.audit_entry_document(number, event) for number, event in page],
            "next_cursor": f"before-{oldest}" if page and read(before=oldest, limit=1) else None,
            "prev_cursor": f"after-{newest}" if page and read(after=newest, limit=1) else None,
        }

    def _endpoint(self, request: Request) -> ManagedEndpoint:
        return self._lifecycle.find(request.path_params["name"])
