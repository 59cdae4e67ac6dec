"""The graphs of an endpoint as the service documents them: a point for each window that has a value."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from inference_endpoints_local.api.documents import timestamp
from inference_endpoints_local.api.observability.graph_windows import GraphWindow, GraphWindows
from inference_endpoints_local.control.endpoint_metrics import NO_REPLICA, ReplicaMetrics, percentile
from inference_endpoints_local.engines.engine_counters import EngineCounters
from inference_endpoints_local.wire import graphs

PERCENTILES = (0.5, 0.9, 0.95, 0.99)

Measure = Callable[[ReplicaMetrics], float | None]


def all_graphs(windows: GraphWindows) -> graphs.AllGraphsDocument:
    measured = windows.total.engine.seconds > 0
    return {
        **_time_window(windows),
        "replicaIds": windows.replica_ids(),
        "responseStatusCode": status_codes(windows),
        "responseStatusCodeGrouped": grouped_status_codes(windows),
        "responseElapsed": elapsed(windows),
        "pendingRequest": pending_requests(windows),
        "replicasStatus": replica_stages(windows),
        "replicasRunning": replicas_running(windows),
        "hardwareCpu": cpu(windows),
        "hardwareMem": memory(windows),
        "hardwareGpu": gpu(windows),
        "hardwareGpuMem": gpu_memory(windows),
        "inference": inference(windows) if measured else None,
    }


def hardware_cpu(windows: GraphWindows) -> graphs.GraphHardwareCpuDocument:
    return {**_time_window(windows), "cpu": cpu(windows), "ram": memory(windows)}


def hardware_gpu(windows: GraphWindows) -> graphs.GraphHardwareGpuDocument:
    return {**_time_window(windows), "gpu": gpu(windows), "ram": gpu_memory(windows)}


def inference(windows: GraphWindows) -> graphs.GraphsInferenceDocument:
    return {
        "kvCache": kv_cache(windows),
        "requests": engine_requests(windows),
        "ttft": time_to_first_token(windows),
        "itl": inter_token_latency(windows),
        "prefixCache": prefix_cache(windows),
    }


def engine_requests(windows: GraphWindows) -> graphs.GraphInferenceRequestsDocument:
    """The mean numbers of requests that wait for the engine, and that it runs."""
    return {
        **_time_window(windows),
        "waiting": _engine(windows, lambda engine: (engine.waiting_s, engine.seconds)),
        "running": _engine(windows, lambda engine: (engine.running_s, engine.seconds)),
    }


def kv_cache(windows: GraphWindows) -> graphs.GraphHardwareDocument:
    """The mean share of the KV cache that running requests fill."""
    return _engine(windows, lambda engine: (engine.kv_cache_s, engine.seconds))


def prefix_cache(windows: GraphWindows) -> graphs.GraphHardwareDocument:
    """The share of the tokens of prompts that were in the cache."""
    return _engine(windows, lambda engine: (engine.cached_tokens, engine.prompt_tokens))


def time_to_first_token(windows: GraphWindows) -> graphs.GraphHardwareDocument:
    return _engine(windows, lambda engine: (engine.first_token_s, engine.first_tokens))


def inter_token_latency(windows: GraphWindows) -> graphs.GraphHardwareDocument:
    return _engine(windows, lambda engine: (engine.next_token_s, engine.next_tokens))


def cpu(windows: GraphWindows) -> graphs.GraphHardwareDocument:
    return _hardware(windows, lambda measured: _mean(measured.cpu_percent))


def memory(windows: GraphWindows) -> graphs.GraphHardwareDocument:
    return _hardware(windows, lambda measured: _mean(measured.memory_bytes))


def gpu(windows: GraphWindows) -> graphs.GraphHardwareDocument:
    devices = max((len(percents) for percents in windows.total.accelerator_percent), default=0)
    series = (_hardware(windows, partial(_device_percent, device), device)["series"] for device in range(devices))
    return {"series": [one for of_device in series for one in of_device]}


def gpu_memory(_: GraphWindows) -> graphs.GraphHardwareDocument:
    """Empty: no process here uses a GPU, and the simulation has no model that would fill its memory."""
    return {"series": []}


def replica_ids(windows: GraphWindows) -> list[str]:
    return windows.replica_ids()


def pending_requests(windows: GraphWindows) -> graphs.GraphPendingRequestDocument:
    """The mean number of requests in flight, those that wait for a replica included."""
    means = [window.total.request_seconds / window.seconds if window.seconds else None for window in windows.windows]
    return {**_time_window(windows), "series": [{"status": "pending", "data": _points(windows.windows, means)}]}


def replicas_running(windows: GraphWindows) -> graphs.GraphReplicasRunningDocument:
    """The running replicas, and of a whole endpoint also the wanted ones."""
    numbers = {"running": [window.running for window in windows.windows]}
    if windows.replica is None:
        numbers["target"] = [window.target for window in windows.windows]
    return {
        **_time_window(windows),
        "series": [
            {"status": status, "max": _highest(values), "data": _points(windows.windows, values)}
            for status, values in numbers.items()
        ],
    }


def replica_stages(windows: GraphWindows) -> graphs.GraphReplicasStatusDocument:
    by_stage: dict[str, list[graphs.RangeDocument]] = {}
    for span in windows.spans:
        # What `y` is at the service is not published. The replica's id is what tells two ranges of one stage apart.
        ends = _iso(windows.stop if span.until is None else span.until)
        by_stage.setdefault(span.stage, []).append({"x": _iso(span.since), "x2": ends, "y": span.replica})
    return {
        **_time_window(windows),
        "replicaIds": windows.replica_ids(),
        "series": [{"stage": stage, "data": by_stage[stage]} for stage in sorted(by_stage)],
    }


def elapsed(windows: GraphWindows) -> graphs.GraphElapsedDocument:
    answered = [window for window in windows.windows if window.total.elapsed_counts]
    return {
        **_time_window(windows),
        "series": [
            {
                "percentile": str(share),
                "summary": round(percentile(windows.total.elapsed_counts, share), 4),
                "data": _points(answered, [percentile(window.total.elapsed_counts, share) for window in answered]),
            }
            for share in (PERCENTILES if answered else ())
        ],
    }


def status_codes(windows: GraphWindows) -> graphs.GraphStatusCodeDocument:
    return _status_codes(windows, str)


def grouped_status_codes(windows: GraphWindows) -> graphs.GraphStatusCodeDocument:
    return _status_codes(windows, lambda code: f"{code // 100}xx")


def _status_codes(windows: GraphWindows, name_of: Callable[[int], str]) -> graphs.GraphStatusCodeDocument:
    groups: dict[str, list[int]] = {}
    for code in sorted(windows.total.status_counts):
        groups.setdefault(name_of(code), []).append(code)
    series: list[graphs.StatusCodeSeriesDocument] = []
    for name, codes in groups.items():
        counts = [sum(window.total.status_counts[code] for code in codes) for window in windows.windows]
        series.append({"statusCode": name, "sum": sum(counts), "data": _points(windows.windows, counts)})
    return {**_time_window(windows), "series": series}


def _engine(
    windows: GraphWindows, ratio: Callable[[EngineCounters], tuple[float, float]]
) -> graphs.GraphHardwareDocument:
    """A mean of what the engines counted: no point where nothing was counted."""

    def mean(measured: ReplicaMetrics) -> float | None:
        amount, count = ratio(measured.engine)
        return amount / count if count > 0 else None

    return _hardware(windows, mean)


def _hardware(windows: GraphWindows, measure: Measure, device: int | None = None) -> graphs.GraphHardwareDocument:
    """A series for each replica that has any point."""
    series: list[graphs.HardwareSeriesDocument] = []
    names = sorted({name for window in windows.windows for name in window.replicas} - {NO_REPLICA})
    for name in names:
        values = [measure(window.replicas[name]) if name in window.replicas else None for window in windows.windows]
        if data := _points(windows.windows, values):
            series.append({"replicaId": name, "deviceId": device, "max": _highest(values), "data": data})
    return {"series": series}


def _device_percent(device: int, measured: ReplicaMetrics) -> float | None:
    return _mean([percents[device] for percents in measured.accelerator_percent if device < len(percents)])


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _highest(values: Iterable[float | None]) -> float | None:
    highest = max((value for value in values if value is not None), default=None)
    return None if highest is None else round(highest, 4)


def _points(windows: Iterable[GraphWindow], values: Iterable[float | None]) -> list[graphs.PointDocument]:
    """A point for each window that has a value."""
    measured = zip(windows, values, strict=True)
    return [{"x": _iso(window.began), "y": round(value, 4)} for window, value in measured if value is not None]


def _time_window(windows: GraphWindows) -> graphs.TimeWindowDocument:
    return {"start": _iso(windows.start), "stop": _iso(windows.stop), "timeWindowSeconds": windows.width}


def _iso(at: float) -> str:
    return timestamp(int(at * 1_000) * 1_000_000)
