"""Summarize the metrics of an endpoint; with all points on request."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from inference_endpoints.models import AllGraphs, Graph, Series, StageGraph, rfc3339
from inference_endpoints.transport import operations
from inference_endpoints_mcp.privacy.answer_text import Name, ShortLine, Word
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.tools.arguments import EndpointName, Metric, Namespace
from inference_endpoints_mcp.tools.call_context import Call
from inference_endpoints_mcp.tools.outputs import BackendName, ToolOutput, backend_of, fit_rows
from inference_endpoints_mcp.tools.spec import Toolset, tool

MAX_POINTS = 120
"""Points of all series together."""
MAX_STAGES = 20
_TREND_THRESHOLD = 0.2
"""Share by which the last third must differ from the first to be a trend."""

Trend = Literal["rising", "falling", "steady"]

# The service publishes no units; these are the embedded control plane's.
UNITS = {
    "response-status-code": "responses per window",
    "response-elapsed": "seconds",
    "pending-request": "requests",
    "replica-running": "replicas",
    "cpu": "percent",
    "memory": "bytes",
    "gpu": "percent",
    "requests waiting": "requests",
    "requests running": "requests",
    "kv cache": "fraction in use",
    "prefix cache": "fraction of prompt tokens found",
    "time to first token": "seconds",
    "inter-token latency": "seconds",
}


class PointRow(BaseModel):
    at: Word
    value: float


class StageRow(BaseModel):
    """The time that a replica was in one stage."""

    stage: Word
    of: ShortLine | None = None
    since: Word
    until: Word


class MetricRow(BaseModel):
    """One series over the requested time."""

    metric: Word
    of: ShortLine = Field(description="A class of status codes, a percentile, a status or a replica.")
    unit: Word | None = Field(default=None, description="Where it is published.")
    now: float
    minimum: float
    maximum: float
    p50: float
    p95: float
    total: float | None = Field(default=None, description="Only for counts.")
    trend: Trend | None = None
    points: list[PointRow] | None = None


class MetricsOutput(ToolOutput):
    endpoint_name: Name
    namespace: Name
    backend: BackendName
    minutes: int
    window_s: float | None = Field(default=None, description="Seconds between two points.")
    metrics: list[MetricRow]
    replica_stages: list[StageRow] | None = Field(default=None, description="Newest first.")


@tool(uses=operations.METRICS, toolset=Toolset.OBSERVE, title="Show an endpoint's metrics")
async def get_endpoint_metric(
    call: Call,
    endpoint_name: EndpointName,
    namespace: Namespace = "",
    metric: Metric = "all",
    minutes: Annotated[int, Field(ge=1, le=43_200)] = 30,
    replica: Annotated[str, Field(max_length=96)] = "",
    series: Annotated[bool, Field(description="Include all points.")] = False,
) -> MetricsOutput:
    """Show metrics: responses, latency, load, replicas, CPU, GPU, memory; the engine's queue, caches, time to
    first token (ttft), inter-token latency (itl)."""
    namespace, name = await call.resolve_endpoint(endpoint_name, namespace)
    endpoint = await call.endpoints.get(name, namespace)
    backend = backend_of(endpoint, call.endpoints.backend.name)
    graphs = await call.endpoints.metrics(name, namespace, start=timedelta(minutes=minutes), replica=replica or None)
    found = [(kind, of, one) for kind, of, one in list_series(graphs, metric) if any(p.y is not None for p in one.data)]
    shown = MAX_POINTS // max(1, len(found)) if series else 0
    measured = [_row(kind, of, one, shown, backend) for kind, of, one in found]
    rows = fit_rows(measured)
    return MetricsOutput(
        endpoint_name=name,
        namespace=namespace,
        backend=backend,
        minutes=minutes,
        window_s=graphs.time_window_seconds,
        metrics=rows,
        replica_stages=list_stages(graphs.replicas_status) if metric in ("all", "replica-status") else None,
        now=_summary(graphs, minutes, backend) + _left_out_note(found, len(rows), shown),
    )


def list_series(graphs: AllGraphs, metric: Metric) -> Iterator[tuple[str, str, Series]]:
    """Yields (metric, what it measures, series)."""
    codes = graphs.response_status_code_grouped if metric == "all" else graphs.response_status_code
    table: list[tuple[Metric, str, Graph]] = [
        ("response-status-code", "response-status-code", codes),
        ("response-elapsed", "response-elapsed", graphs.response_elapsed),
        ("pending-request", "pending-request", graphs.pending_request),
        ("replica-running", "replica-running", graphs.replicas_running),
        ("hardware-cpu", "cpu", graphs.hardware_cpu),
        ("hardware-cpu", "memory", graphs.hardware_mem),
        ("hardware-gpu", "gpu", graphs.hardware_gpu),
        ("hardware-gpu", "gpu memory", graphs.hardware_gpu_mem),
    ]
    if engine := graphs.inference:
        table += [
            ("inference/kv-cache", "kv cache", engine.kv_cache),
            ("inference/prefix-cache", "prefix cache", engine.prefix_cache),
            ("inference/requests", "requests waiting", engine.requests.waiting),
            ("inference/requests", "requests running", engine.requests.running),
            ("inference/ttft", "time to first token", engine.ttft),
            ("inference/itl", "inter-token latency", engine.itl),
        ]
    for name, kind, graph in table:
        if metric in ("all", name):
            for one in graph.series:
                yield kind, _of(one), one


def list_stages(graph: StageGraph) -> list[StageRow] | None:
    rows = [
        StageRow(
            stage=clean_line(one.stage, 40),
            of=clean_line(str(span.y), 80) if span.y else None,
            since=rfc3339(span.x, "seconds"),
            until=rfc3339(span.x2, "seconds"),
        )
        for one in graph.series
        for span in one.data
        if span.x2 is not None
    ]
    return sorted(rows, key=lambda row: row.since, reverse=True)[:MAX_STAGES] or None


def _of(series: Series) -> str:
    parts = (series.status_code, _percentile_name(series), series.status, series.replica_id, series.device_id)
    return clean_line(" ".join(str(part) for part in parts if part is not None), 80)


def _percentile_name(series: Series) -> str | None:
    """`p95`, also where the series has it as a fraction: the service does not publish the spelling."""
    if series.percentile is None:
        return None
    try:
        share = float(series.percentile)
    except ValueError:
        return str(series.percentile)
    return f"p{share * 100:g}" if share <= 1 else f"p{share:g}"


def _row(kind: str, of: str, series: Series, points: int, backend: BackendName) -> MetricRow:
    measured = [(point.x, point.y) for point in series.data if point.y is not None]
    values = [value for _, value in measured]
    ranked = sorted(values)
    newest = measured[-points:] if points else []
    return MetricRow(
        metric=kind,
        of=of,
        unit=UNITS.get(kind) if backend != "huggingface" else None,
        now=values[-1],
        minimum=ranked[0],
        maximum=ranked[-1] if series.max is None else max(series.max, ranked[-1]),
        p50=_percentile(ranked, 0.5),
        p95=_percentile(ranked, 0.95),
        total=round(series.total, 4) if kind == "response-status-code" else None,
        trend=_trend(values),
        points=[PointRow(at=rfc3339(at, "seconds"), value=value) for at, value in newest] or None,
    )


def _percentile(ranked: Sequence[float], share: float) -> float:
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def _trend(values: Sequence[float]) -> Trend | None:
    """Compares the last third with the first; None where there are too few points."""
    third = len(values) // 3
    if third < 2:
        return None
    before, after = sum(values[:third]) / third, sum(values[-third:]) / third
    if abs(after - before) <= _TREND_THRESHOLD * max(abs(before), abs(after)):
        return "steady"
    return "rising" if after > before else "falling"


def _summary(graphs: AllGraphs, minutes: int, backend: BackendName) -> str:
    counts = {str(one.status_code): one.total for one in graphs.response_status_code_grouped.series}
    answered = ", ".join(f"{count:g} {code}" for code, count in sorted(counts.items()) if count)
    summary = f"Responses in {minutes} min: {answered}." if answered else f"No request was answered in {minutes} min."
    if backend == "simulated":
        summary += " Simulated: calls are counted; GPU, queue and KV cache follow from the simulated load."
    if backend == "huggingface":
        summary += " The service publishes no units."
    return summary


def _left_out_note(found: Sequence[tuple[str, str, Series]], shown: int, points: int) -> str:
    left_out = len(found) - shown
    note = f" {left_out} more series are left out: name one metric." if left_out else ""
    if points and any(len(one.data) > points for _, _, one in found):
        note += f" Only the newest {points} points of each are shown: name one metric for more."
    return note
