"""From the metrics that vLLM and SGLang serve, in Prometheus' text format, to counters of the documented graphs.

Names by docs.vllm.ai ("Production Metrics", 0.32; two had other names before 0.10) and docs.sglang.io ("Production
Metrics").
"""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from inference_endpoints_local.engines.engine import WorkerAddress
from inference_endpoints_local.engines.engine_counters import NOTHING_COUNTED, EngineCounters
from inference_endpoints_local.engines.worker_proxy import exchange

METRICS_PATH = "/metrics"
_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{.*\})? (?P<value>\S+)")


@dataclass(frozen=True)
class MetricNames:
    """The names of an engine's metrics; where there are several, the first that is served counts.

    `waiting`, `running` and `kv_cache` are what is so now. The others only grow, and those of a time have a sum and a
    count.
    """

    waiting: str
    running: str
    kv_cache: tuple[str, ...]
    first_token: str
    next_token: tuple[str, ...]
    prompt_tokens: str
    cached_tokens: str


VLLM = MetricNames(
    waiting="vllm:num_requests_waiting",
    running="vllm:num_requests_running",
    kv_cache=("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
    first_token="vllm:time_to_first_token_seconds",  # noqa: S106 - no password
    next_token=("vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"),
    prompt_tokens="vllm:prompt_tokens_total",
    cached_tokens="vllm:prefix_cache_hits_total",
)
SGLANG = MetricNames(
    waiting="sglang:num_queue_reqs",
    running="sglang:num_running_reqs",
    kv_cache=("sglang:token_usage",),
    first_token="sglang:time_to_first_token_seconds",  # noqa: S106 - no password
    next_token=("sglang:inter_token_latency_seconds", "sglang:time_per_output_token_seconds"),
    prompt_tokens="sglang:prompt_tokens_total",
    cached_tokens="sglang:cached_tokens_total",
)


class ExpositionMeter:
    """Reads an engine's metrics. What is waiting and running counts as unchanged between two readings."""

    def __init__(self, names: MetricNames, clock: Callable[[], float] = time.monotonic) -> None:
        self._names = names
        self._clock = clock
        self._counters = NOTHING_COUNTED
        self._read_at: float | None = None

    async def read(self, address: WorkerAddress) -> EngineCounters | None:
        """Raises WorkerFailed."""
        status, content = await exchange(address, "GET", METRICS_PATH)
        return self.count(content.decode("utf-8", "replace")) if status == 200 else None

    def count(self, text: str) -> EngineCounters:
        """Add what this reading says."""
        names, found = self._names, read_samples(text)
        now = self._clock()
        seconds, self._read_at = 0.0 if self._read_at is None else now - self._read_at, now
        kv_cache = _first(found, names.kv_cache, "")
        before = self._counters
        self._counters = replace(
            before,
            seconds=before.seconds + seconds,
            waiting_s=before.waiting_s + seconds * found.get(names.waiting, 0.0),
            running_s=before.running_s + seconds * found.get(names.running, 0.0),
            kv_cache_s=before.kv_cache_s + seconds * kv_cache,
            first_tokens=found.get(f"{names.first_token}_count", before.first_tokens),
            first_token_s=found.get(f"{names.first_token}_sum", before.first_token_s),
            next_tokens=_first(found, names.next_token, "_count"),
            next_token_s=_first(found, names.next_token, "_sum"),
            prompt_tokens=found.get(names.prompt_tokens, before.prompt_tokens),
            cached_tokens=found.get(names.cached_tokens, before.cached_tokens),
        )
        return self._counters


def read_samples(text: str) -> Mapping[str, float]:
    """The sum of each metric over its labels: engines of one process have labels of their own."""
    sums: dict[str, float] = defaultdict(float)
    for line in text.splitlines():
        if (sample := _SAMPLE.match(line)) is None:
            continue
        try:
            value = float(sample["value"])
        except ValueError:
            continue
        if value == value:  # an engine without a request may say NaN
            sums[sample["name"]] += value
    return sums


def _first(found: Mapping[str, float], names: tuple[str, ...], end: str) -> float:
    return next((found[name + end] for name in names if name + end in found), 0.0)
