"""What an engine's counters add up to, on a clock that the test moves."""

import pytest

from inference_endpoints_local.workers.engine_metrics import EngineMetrics


def timings(cached: int, processed: int, generated: int) -> dict[str, int]:
    """As llama.cpp reports them."""
    return {"cache_n": cached, "prompt_n": processed, "predicted_n": generated}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_counters_are_integrals_over_time_and_sums_over_tokens() -> None:
    clock = Clock()
    metrics = EngineMetrics(100, clock)
    first, second = metrics.begin(), metrics.begin()
    clock.now += 2
    first.progressed(0, timings(10, 0, 0), clock.now)
    clock.now += 1
    first.progressed(0, timings(10, 10, 1), clock.now)
    clock.now += 4
    first.progressed(0, timings(10, 10, 3), clock.now)
    metrics.end(first)
    metrics.end(second)
    metrics.end(second)
    clock.now += 5
    assert metrics.read() == pytest.approx(
        {
            "seconds": 12,
            "waiting_s": 2 * 2 + 5,
            "running_s": 5,
            "kv_cache_s": 0.1 * 1 + 0.21 * 4,
            "first_tokens": 1,
            "first_token_s": 3,
            "next_tokens": 2,
            "next_token_s": 4,
            "prompt_tokens": 20,
            "cached_tokens": 10,
        }
    )


def test_each_choice_of_a_response_has_its_own_tokens() -> None:
    clock = Clock()
    metrics = EngineMetrics(100, clock)
    request = metrics.begin()
    for choice in (0, 1):
        request.progressed(choice, timings(0, 5, 1), clock.now)
    clock.now += 1
    counted = metrics.read()
    assert (counted["first_tokens"], counted["running_s"]) == (2, 1)
    assert counted["kv_cache_s"] == pytest.approx(0.12)
