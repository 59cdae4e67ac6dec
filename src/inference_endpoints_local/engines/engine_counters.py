"""What an inference engine measures of its own requests, as counters that only grow.

The mean over any time is a difference of two readings, so nothing between two readings is missed.
"""

from dataclasses import dataclass
from dataclasses import fields as fields_of
from typing import Any

from pydantic import TypeAdapter, ValidationError


@dataclass(frozen=True)
class EngineCounters:
    """Counted since the engine started, `seconds` ago.

    `waiting_s`, `running_s` and `kv_cache_s` are integrals over time: of the requests that wait, of those that run, and
    of the share of the KV cache that running requests fill. `first_token_s` is the sum of the times to `first_tokens`
    first tokens, `next_token_s` that of the times between two tokens of a response. Of `prompt_tokens`,
    `cached_tokens` were in the prefix cache.
    """

    seconds: float
    waiting_s: float
    running_s: float
    kv_cache_s: float
    first_tokens: float
    first_token_s: float
    next_tokens: float
    next_token_s: float
    prompt_tokens: float
    cached_tokens: float

    def __add__(self, other: "EngineCounters") -> "EngineCounters":
        return EngineCounters(*(getattr(self, name) + getattr(other, name) for name in _NAMES))

    def __sub__(self, other: "EngineCounters") -> "EngineCounters":
        return EngineCounters(*(getattr(self, name) - getattr(other, name) for name in _NAMES))


_NAMES = tuple(field.name for field in fields_of(EngineCounters))
_COUNTERS = TypeAdapter(EngineCounters)
NOTHING_COUNTED = EngineCounters(*(0.0 for _ in _NAMES))


def parse_counters(document: Any) -> EngineCounters | None:
    """The counters that a worker sends; None if they are not complete."""
    try:
        return _COUNTERS.validate_python(document)
    except ValidationError:
        return None
