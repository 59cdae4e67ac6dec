"""Pure: the memory that a model and its engine take on hardware. Memory is in GB of a billion bytes, as it is offered.

Own arithmetic, because hf-mem 0.5.6 (MIT, alive) counts latent attention as full heads, knows no engine's reserve, and
reads the Hub by itself: with this machine's token, past the guard that every request here has to pass.
"""

from dataclasses import dataclass
from math import floor

from inference_endpoints.engines.model_config import KvShape, NotComputable

GB = 1e9
USED_SHARE = 0.9
"""The share of an accelerator's memory that an engine uses unless it is set to another (vLLM)."""
ENGINE_GB = 1.0
"""GB on each accelerator for activations, graphs and libraries: 0.6 to 1.2 in logs of vLLM on one GPU."""
UNKNOWN_KV_GB = 2.0
"""GB that are kept free for a KV cache that cannot be computed, where hardware is chosen."""
USUAL_CONTEXT = 8_192
"""Tokens of context that hardware is chosen for, unless the model has fewer."""
CONTEXT_STEP = 1_024
"""Contexts are proposed in multiples of this."""
SHORTEST_CONTEXT = 2_048
"""A shorter context is not proposed: most conversations would not fit."""


@dataclass(frozen=True)
class MemoryNeed:
    """What one replica needs, in GB, to serve `requests` at once of `context` tokens each.

    `kv_gb` is None for a model without a KV cache. Where it is `NotComputable`, `total_gb` is without it.
    """

    weights_gb: float
    kv_gb: float | NotComputable | None
    engine_gb: float
    context: int
    requests: int = 1
    used_share: float = USED_SHARE

    @property
    def total_gb(self) -> float:
        """The memory of hardware that holds it: an engine leaves a part of the memory unused."""
        kv = self.kv_gb if isinstance(self.kv_gb, float) else 0.0
        return (self.weights_gb + kv + self.engine_gb) / self.used_share

    def __str__(self) -> str:
        """What it is made of, in words."""
        parts = [f"{self.weights_gb:.3g} GB of weights"]
        if isinstance(self.kv_gb, float):
            requests = "1 request" if self.requests == 1 else f"{self.requests} requests"
            parts.append(f"{self.kv_gb:.3g} GB of KV cache for {requests} of {self.context:,} tokens")
        parts.append(f"{self.engine_gb:g} GB for the engine, which uses {self.used_share:.0%} of the memory")
        unknown = f"; the KV cache is not known: {self.kv_gb.reason}" if isinstance(self.kv_gb, NotComputable) else ""
        return f"{'at least ' if unknown else ''}{self.total_gb:.3g} GB ({', '.join(parts)}{unknown})"


@dataclass(frozen=True)
class ModelMemory:
    """What is known of a model's memory. `kv` is None for a model that generates nothing.

    `copies` of the model are held, each shared by `accelerators`.
    """

    weights_gb: float
    kv: KvShape | NotComputable | None
    max_context: int | None = None
    accelerators: int = 1
    copies: int = 1
    used_share: float = USED_SHARE

    def need(self, context: int | None = None, requests: int = 1) -> MemoryNeed:
        """What it needs for so many requests of so much context, by default of `USUAL_CONTEXT` or the model's own.

        >>> llama = ModelMemory(weights_gb=16.06, kv=KvShape(32, 0, 0, heads=8, values=256), max_context=131_072)
        >>> round(llama.need(context=8_192).total_gb, 1), round(llama.need(context=131_072).total_gb, 1)
        (20.1, 38.0)
        """
        tokens = context or self.usual_context
        kv = self.kv
        return MemoryNeed(
            weights_gb=self.weights_gb * self.copies,
            kv_gb=kv.bytes(tokens, self.accelerators) / GB * requests * self.copies if isinstance(kv, KvShape) else kv,
            engine_gb=ENGINE_GB * self.accelerators * self.copies,
            context=tokens,
            requests=requests,
            used_share=self.used_share,
        )

    @property
    def to_choose_gb(self) -> float:
        """The memory of hardware to choose: for the usual context, or with a reserve for an unknown cache."""
        reserve = UNKNOWN_KV_GB if isinstance(self.kv, NotComputable) else 0.0
        return self.need().total_gb + reserve * self.copies / self.used_share

    @property
    def usual_context(self) -> int:
        return min(self.max_context or USUAL_CONTEXT, USUAL_CONTEXT)

    def longest_context(self, memory_gb: float) -> int | None:
        """The longest context, in steps of 1,024 tokens, with which one request fits; the model's own if that fits.

        None if none of a useful length fits, or the cache is unknown.

        >>> ModelMemory(16.06, KvShape(32, 0, 0, heads=8, values=256), max_context=131_072).longest_context(24)
        34816
        """
        if not isinstance(self.kv, KvShape) or self.max_context is None:
            return None
        if self.need(self.max_context).total_gb <= memory_gb:
            return self.max_context
        low, high = 0, self.max_context // CONTEXT_STEP
        while low < high:
            middle = (low + high + 1) // 2
            fits = self.need(middle * CONTEXT_STEP).total_gb <= memory_gb
            low, high = (middle, high) if fits else (low, middle - 1)
        return low * CONTEXT_STEP if low * CONTEXT_STEP >= SHORTEST_CONTEXT else None

    def requests_at_once(self, memory_gb: float, context: int) -> int | None:
        """How many requests of so much context fit at once; None if the cache is unknown or there is none."""
        if not isinstance(self.kv, KvShape):
            return None
        each = self.kv.bytes(context, self.accelerators) / GB * self.copies
        free = memory_gb * self.used_share - (self.weights_gb + ENGINE_GB * self.accelerators) * self.copies
        return max(0, floor(free / each))
