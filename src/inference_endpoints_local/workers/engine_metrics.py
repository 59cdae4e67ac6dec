"""What an engine's requests wait for, use and take: counters that only grow, served at `METRICS_PATH`.

The control plane reads them (`engines/engine_counters.py`). It takes means from the difference of two readings.
"""

import time
from collections.abc import Callable
from typing import Any

METRICS_PATH = "/metrics.json"
"""Not `/metrics`: there, engines serve the text format of Prometheus."""


class EngineMetrics:
    """The counters of one engine, whose KV cache holds `kv_cache_tokens` tokens. For one thread."""

    def __init__(self, kv_cache_tokens: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._kv_cache_tokens = kv_cache_tokens
        self._clock = clock
        self._counted_at = clock()
        self._requests: list[MeasuredRequest] = []
        self._counters = dict.fromkeys(
            (
                "seconds",
                "waiting_s",
                "running_s",
                "kv_cache_s",
                "first_tokens",
                "first_token_s",
                "next_tokens",
                "next_token_s",
                "prompt_tokens",
                "cached_tokens",
            ),
            0.0,
        )

    def begin(self) -> "MeasuredRequest":
        """A request arrived. It waits until the engine reports its first progress."""
        self.count()
        request = MeasuredRequest(self, self._clock())
        self._requests.append(request)
        return request

    def end(self, request: "MeasuredRequest") -> None:
        """The request no longer waits or runs. To end it twice does nothing."""
        self.count()
        if request in self._requests:
            self._requests.remove(request)

    def read(self) -> dict[str, float]:
        self.count()
        return dict(self._counters)

    def add(self, **amounts: float) -> None:
        for name, amount in amounts.items():
            self._counters[name] += amount

    def count(self) -> None:
        """Add the time until now. Called before any request changes its state."""
        now = self._clock()
        seconds, self._counted_at = now - self._counted_at, now
        running = [request for request in self._requests if request.tokens_held]
        self.add(
            seconds=seconds,
            waiting_s=seconds * (len(self._requests) - len(running)),
            running_s=seconds * len(running),
            kv_cache_s=seconds * sum(sum(request.tokens_held.values()) for request in running) / self._kv_cache_tokens,
        )


class MeasuredRequest:
    """One request. `tokens_held` counts the tokens in the KV cache, by the choice that they belong to."""

    def __init__(self, metrics: EngineMetrics, arrived_at: float) -> None:
        self.tokens_held: dict[int, int] = {}
        self._metrics = metrics
        self._arrived_at = arrived_at
        self._generated: dict[int, tuple[int, float]] = {}

    def progressed(self, choice: int, timings: dict[str, Any], at: float) -> None:
        """Count what the engine has done for a choice until a time: `timings` as llama.cpp reports them."""
        self._metrics.count()
        cached, processed, generated = (int(timings[key]) for key in ("cache_n", "prompt_n", "predicted_n"))
        self.tokens_held[choice] = cached + processed + generated
        if not generated:
            return
        if before := self._generated.get(choice):
            if generated > before[0]:
                self._metrics.add(next_tokens=generated - before[0], next_token_s=at - before[1])
                self._generated[choice] = generated, at
            return
        self._generated[choice] = generated, at
        self._metrics.add(
            first_tokens=1,
            first_token_s=at - self._arrived_at,
            prompt_tokens=cached + processed,
            cached_tokens=cached,
        )
