"""The metrics of an endpoint, as the graphs of the service."""

from datetime import datetime

from pydantic import Field

from inference_endpoints.models.api_model import ApiModel, ApiModelWithRaw


class Point(ApiModel):
    x: datetime
    y: float | None = None


class Series(ApiModel):
    """One line of a graph. Which of its labels is set depends on the graph; the others are None."""

    status_code: str | int | None = None
    percentile: str | float | None = None
    status: str | None = None
    replica_id: str | None = None
    device_id: str | None = None
    data: list[Point] = Field(default_factory=list)


class Graph(ApiModel):
    series: list[Series] = Field(default_factory=list)


class AllGraphs(ApiModelWithRaw):
    """The answer of `POST …/metrics`. Units are not published."""

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
    replicas_status: Graph = Field(default_factory=Graph)
    response_elapsed: Graph = Field(default_factory=Graph)
    response_status_code: Graph = Field(default_factory=Graph)
    response_status_code_grouped: Graph = Field(default_factory=Graph)
