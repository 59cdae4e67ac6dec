"""The metrics of an endpoint as OpenMetrics text, with the names that the service documents.

Source of the names: https://huggingface.co/docs/inference-endpoints/guides/analytics. It shows the counter without the
suffix `_total`, which OpenMetrics 1.0 requires of samples. The names of memory and GPU are not published.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

from inference_endpoints_local.api.observability.metric_graphs import PERCENTILES
from inference_endpoints_local.control.endpoint_metrics import EndpointMetrics, ReplicaMetrics, percentile

Sample = tuple[str, Mapping[str, object], float]
"""What follows the name of the family, the labels, and the value."""


def open_metrics(metrics: EndpointMetrics, ready: Collection[str]) -> str:
    """Counted since measuring began; the use of hardware is that of the ready replicas now."""
    measured = metrics.intervals[-1].replicas if metrics.intervals else {}
    latest = {replica: measured[replica] for replica in measured if replica in ready}
    return "".join(
        (
            *_family("latency_distribution", "summary", "Latency distribution", _latency(metrics.total)),
            *_family("http_requests", "counter", "HTTP requests by code and replicas", _requests(metrics)),
            *_family("cpu_usage_percent", "gauge", "CPU percent", _gauge(latest, "cpu_percent"), unit="percent"),
            *_family("memory_usage_bytes", "gauge", "Memory", _gauge(latest, "memory_bytes"), unit="bytes"),
            *_family("gpu_usage_percent", "gauge", "GPU percent", _gpus(latest), unit="percent"),
            "# EOF\n",
        )
    )


def _latency(total: ReplicaMetrics) -> Iterator[Sample]:
    if total.elapsed_counts:
        for share in PERCENTILES:
            yield "", {"quantile": share}, percentile(total.elapsed_counts, share)
    yield "_count", {}, total.elapsed_counts.total()
    yield "_sum", {}, total.elapsed_s


def _requests(metrics: EndpointMetrics) -> Iterator[Sample]:
    for replica, total in metrics.totals.items():
        for code, count in total.status_counts.items():
            yield "_total", {"replica_id": replica, "status_code": code}, count


def _gauge(latest: Mapping[str, ReplicaMetrics], readings: str) -> Iterator[Sample]:
    for replica, measured in latest.items():
        for value in getattr(measured, readings):
            yield "", {"replica_id": replica}, value


def _gpus(latest: Mapping[str, ReplicaMetrics]) -> Iterator[Sample]:
    for replica, measured in latest.items():
        for percents in measured.accelerator_percent:
            for device, percent in enumerate(percents):
                yield "", {"replica_id": replica, "device_id": device}, percent


def _family(name: str, kind: str, described: str, samples: Iterable[Sample], unit: str = "") -> Iterator[str]:
    yield f"# HELP {name} {described}\n# TYPE {name} {kind}\n"
    if unit:
        yield f"# UNIT {name} {unit}\n"
    for suffix, labels, value in samples:
        # No label needs an escape: replica ids, numbers of devices, status codes and quantiles.
        pairs = ",".join(f'{label}="{text}"' for label, text in labels.items())
        yield f"{name}{suffix}{{{pairs}}} {value}\n" if pairs else f"{name}{suffix} {value}\n"
