"""The metrics of an endpoint, as the graphs of the service. Units are not published.

Source of all shapes: the service's OpenAPI document 2.0.0.
"""

from datetime import datetime

from pydantic import Field

from inference_endpoints.models.api_model import ApiModel, ApiModelWithRaw


class Point(ApiModel):
    x: datetime
    y: float | None = None


class Series(ApiModel):
    """One line of a graph. Which of its labels is set depends on the graph; the others are None.

    `sum`, `max` and `summary` describe the whole time; `device_id` counts the accelerators of a replica from 0.
    """

    status_code: str | int | None = None
    percentile: str | float | None = None
    status: str | None = None
    replica_id: str | None = None
    device_id: int | None = None
    sum: float | None = None
    max: float | None = None
    summary: float | None = None
    data: list[Point] = Field(default_factory=list)

    @property
    def total(self) -> float:
        """What was counted in the whole time: `sum`, or that of the points."""
        if self.sum is not None:
            return self.sum
        return float(sum(point.y or 0.0 for point in self.data))


class Graph(ApiModel):
    series: list[Series] = Field(default_factory=list)


class StageSpan(ApiModel):
    """The time from `x` to `x2` in one stage. The service does not describe the text `y`."""

    x: datetime
    x2: datetime | None = None
    y: str | float | None = None


class StageSeries(ApiModel):
    """When replicas were in a stage: pending, downloading, pulling, initializing, running, terminating or stopped."""

    stage: str = ""
    data: list[StageSpan] = Field(default_factory=list)


class StageGraph(ApiModel):
    replica_ids: list[str] = Field(default_factory=list)
    series: list[StageSeries] = Field(default_factory=list)


class EngineRequests(ApiModelWithRaw):
    """Requests inside the engine."""

    waiting: Graph = Field(default_factory=Graph)
    running: Graph = Field(default_factory=Graph)


class EngineGraphs(ApiModel):
    """What the inference engine measures: `ttft` is the time to the first token, `itl` that between two tokens."""

    kv_cache: Graph = Field(default_factory=Graph)
    prefix_cache: Graph = Field(default_factory=Graph)
    requests: EngineRequests = Field(default_factory=EngineRequests)
    ttft: Graph = Field(default_factory=Graph)
    itl: Graph = Field(default_factory=Graph)


class AllGraphs(ApiModelWithRaw):
    """The answer of `POST …/metrics`. `inference` is None where the engine publishes no metrics of its own."""

    start: datetime | None = None
    stop: datetime | None = None
    time_window_seconds: float | None = None
    replica_ids: list[str] = Field(default_factory=list)
    hardware_cpu: Graph = Field(default_factory=Graph)
    hardware_mem: Graph = Field(default_factory=Graph)
    hardware_gpu: Graph = Field(default_factory=Graph)
    hardware_gpu_mem: Graph = Field(default_factory=Graph)
    pending_request: Graph = Field(default_factory=Graph)
    replicas_running: Graph = Field(default_factory=Graph)
    replicas_status: StageGraph = Field(default_factory=StageGraph)
    response_elapsed: Graph = Field(default_factory=Graph)
    response_status_code: Graph = Field(default_factory=Graph)
    response_status_code_grouped: Graph = Field(default_factory=Graph)
    inference: EngineGraphs | None = None


class MetricGraph(Graph, ApiModelWithRaw):
    """The answer of the route of one metric."""


class MetricStages(StageGraph, ApiModelWithRaw):
    """The answer of `POST …/metrics/replica-status`."""


class HardwareGraphs(ApiModelWithRaw):
    """The answer of `POST …/metrics/hardware-cpu` and `…/hardware-gpu`: the processors, and their memory."""

    cpu: Graph | None = None
    gpu: Graph | None = None
    ram: Graph
