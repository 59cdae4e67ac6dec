"""Measurements for Prometheus, at an address of their own: they are for who runs the server, not for its callers."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)


class PrometheusMetrics:
    """The metrics of a process. Each has the label `profile`, empty without profiles."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter(
            "inference_endpoints_mcp_calls", "Calls of tools", ("profile", "tool", "outcome"), registry=self.registry
        )
        self.call_seconds = Histogram(
            "inference_endpoints_mcp_call_seconds",
            "Duration of calls of tools, waits included",
            ("profile", "tool"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.answer_characters = Counter(
            "inference_endpoints_mcp_answer_characters",
            "Characters of answers, which models read",
            ("profile", "tool"),
            registry=self.registry,
        )
        self.requests = Counter(
            "inference_endpoints_mcp_requests",
            "Requests to the control plane and to endpoints",
            ("profile", "operation", "outcome"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "inference_endpoints_mcp_request_seconds",
            "Duration of requests to the control plane and to endpoints, retries included",
            ("profile", "operation"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.events = Counter(
            "inference_endpoints_mcp_events",
            "Plans, approvals, refusals and changes, as in the audit trail",
            ("profile", "event", "outcome"),
            registry=self.registry,
        )
        self.current = Gauge(
            "inference_endpoints_mcp_current",
            "Calls and waits that run, endpoints that are polled, accounts of callers with tokens of their own",
            ("profile", "measure"),
            registry=self.registry,
        )

    def serve(self, host: str, port: int) -> int:
        """Serve `/metrics` in a thread. Returns the port; raises OSError if it is taken."""
        server, _ = start_http_server(port, host, self.registry)
        return int(server.server_port)


class PrometheusTelemetry:
    """The measurements of one profile."""

    def __init__(self, metrics: PrometheusMetrics, profile: str = "") -> None:
        self._metrics = metrics
        self._profile = profile
        self._readers: dict[str, list[Callable[[], float]]] = {}

    def record_call(self, tool: str, outcome: str, duration: float, characters: int) -> None:
        self._metrics.calls.labels(self._profile, tool, outcome).inc()
        self._metrics.call_seconds.labels(self._profile, tool).observe(duration)
        self._metrics.answer_characters.labels(self._profile, tool).inc(characters)

    def record_request(self, operation: str, outcome: str, duration: float) -> None:
        self._metrics.requests.labels(self._profile, operation, outcome).inc()
        self._metrics.request_seconds.labels(self._profile, operation).observe(duration)

    def record_event(self, event: str, outcome: str) -> None:
        self._metrics.events.labels(self._profile, event, outcome).inc()

    def watch(self, measure: str, read: Callable[[], float]) -> Callable[[], None]:
        readers = self._readers.setdefault(measure, [])
        readers.append(read)
        # Another thread reads it.
        self._metrics.current.labels(self._profile, measure).set_function(lambda: sum(each() for each in list(readers)))
        return lambda: readers.remove(read)
