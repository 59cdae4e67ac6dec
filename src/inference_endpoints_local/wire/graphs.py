"""The JSON documents of metrics, key by key, as the service's OpenAPI document describes them.

The service publishes the names of graphs and the keys of their series, but neither units nor the spelling of
percentiles. Here times are in seconds, processors and GPUs in percent of those of the replica, memory in bytes, and the
use of caches is a fraction. A percentile is a fraction, as in the service's OpenMetrics.
"""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads those of the standard library only from Python 3.12 on

from inference_endpoints_local.wire.responses import Count, Timestamp


class PointDocument(TypedDict):
    x: Timestamp
    y: float


class HardwareSeriesDocument(TypedDict):
    """`deviceId` counts the accelerators of a replica from 0; null where the series is of the whole replica."""

    replicaId: str
    deviceId: Annotated[int, Field(ge=0)] | None
    max: float | None
    data: list[PointDocument]


class PendingRequestSeriesDocument(TypedDict):
    status: str
    data: list[PointDocument]


class ReplicasRunningSeriesDocument(TypedDict):
    status: str
    max: float | None
    data: list[PointDocument]


class RangeDocument(TypedDict):
    """From `x` to `x2`. What `y` is, is not published. Here it is the replica's id."""

    x: Timestamp
    x2: Timestamp
    y: str


class ReplicasStatusSeriesDocument(TypedDict):
    stage: str
    data: list[RangeDocument]


class ElapsedSeriesDocument(TypedDict):
    """`summary` is the percentile over the whole time."""

    percentile: str
    summary: float | None
    data: list[PointDocument]


class StatusCodeSeriesDocument(TypedDict):
    statusCode: str
    sum: float
    data: list[PointDocument]


class TimeWindowDocument(TypedDict):
    start: Timestamp
    stop: Timestamp
    timeWindowSeconds: Count


class GraphHardwareDocument(TypedDict):
    series: list[HardwareSeriesDocument]


class GraphHardwareCpuDocument(TimeWindowDocument):
    cpu: GraphHardwareDocument
    ram: GraphHardwareDocument


class GraphHardwareGpuDocument(TimeWindowDocument):
    gpu: GraphHardwareDocument
    ram: GraphHardwareDocument


class GraphPendingRequestDocument(TimeWindowDocument):
    series: list[PendingRequestSeriesDocument]


class GraphReplicasRunningDocument(TimeWindowDocument):
    series: list[ReplicasRunningSeriesDocument]


class GraphReplicasStatusDocument(TimeWindowDocument):
    replicaIds: list[str]
    series: list[ReplicasStatusSeriesDocument]


class GraphElapsedDocument(TimeWindowDocument):
    series: list[ElapsedSeriesDocument]


class GraphStatusCodeDocument(TimeWindowDocument):
    series: list[StatusCodeSeriesDocument]


class GraphInferenceRequestsDocument(TimeWindowDocument):
    waiting: GraphHardwareDocument
    running: GraphHardwareDocument


class GraphsInferenceDocument(TypedDict):
    kvCache: GraphHardwareDocument
    requests: GraphInferenceRequestsDocument
    ttft: GraphHardwareDocument
    itl: GraphHardwareDocument
    prefixCache: GraphHardwareDocument


class AllGraphsDocument(TimeWindowDocument):
    """`inference` is null where no engine was measured."""

    replicaIds: list[str]
    responseStatusCode: GraphStatusCodeDocument
    responseStatusCodeGrouped: GraphStatusCodeDocument
    responseElapsed: GraphElapsedDocument
    pendingRequest: GraphPendingRequestDocument
    replicasStatus: GraphReplicasStatusDocument
    replicasRunning: GraphReplicasRunningDocument
    hardwareCpu: GraphHardwareDocument
    hardwareMem: GraphHardwareDocument
    hardwareGpu: GraphHardwareDocument
    hardwareGpuMem: GraphHardwareDocument
    inference: GraphsInferenceDocument | None
