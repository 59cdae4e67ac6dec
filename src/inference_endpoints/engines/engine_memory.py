"""Pure: the memory that a model takes with an engine as it is set, and the memory that this engine uses."""

from inference_endpoints.engines.engine_settings import (
    accelerators_used,
    context_length,
    engine_name,
    kv_value_bytes,
    model_copies,
    requires_whole_context,
    used_share,
    weights_are_as_stored,
)
from inference_endpoints.engines.memory import USED_SHARE, MemoryNeed, ModelMemory
from inference_endpoints.engines.model_config import ModelConfig, NotComputable, kv_shape
from inference_endpoints.models import ModelSettings

GENERATING = frozenset({"text-generation", "image-text-to-text", "any-to-any"})
"""Tasks whose models keep a KV cache."""
_LANGUAGE_ENGINES = frozenset({"vllm", "sglang", "tgi", "llamacpp"})


def memory_with_engine(
    settings: ModelSettings, weights_gb: float | None, config: ModelConfig | NotComputable, accelerators: int
) -> ModelMemory | NotComputable:
    """The memory of a model with an engine set like this, on a replica with so many accelerators."""
    if not weights_are_as_stored(settings):
        return NotComputable("the engine changes the weights while it loads them")
    if weights_gb is None:
        return NotComputable("the size of its weights is not known")
    generates = settings.task in GENERATING if settings.task else engine_name(settings) in _LANGUAGE_ENGINES
    copies = model_copies(settings)
    used = accelerators_used(settings) or (accelerators if generates else 1)
    shape = config if isinstance(config, NotComputable) else kv_shape(config, kv_value_bytes(settings))
    return ModelMemory(
        weights_gb=weights_gb,
        kv=shape if generates else None,
        max_context=None if isinstance(config, NotComputable) else config.max_context,
        accelerators=max(1, used // copies),
        copies=copies,
        used_share=used_share(settings) or USED_SHARE,
    )


def need_to_start(memory: ModelMemory, settings: ModelSettings) -> MemoryNeed:
    """What has to fit before the engine serves: one request of the context that it is set to, or takes from the model.

    An engine that takes what is left is counted with the usual context.
    """
    return memory.need(context_length(settings) or (memory.max_context if requires_whole_context(settings) else None))


def shorter_context(memory: ModelMemory, settings: ModelSettings, has_gb: float) -> int | None:
    """The longest context with which an engine would start that does not; None if no useful one does."""
    return memory.longest_context(has_gb) if requires_whole_context(settings) else None


def usable_gb(memory: ModelMemory, offered_gb: float, accelerators: int) -> float:
    """The memory of the accelerators that the engine uses: all of a replica's, unless it is set to fewer."""
    return offered_gb * min(1.0, memory.accelerators * memory.copies / accelerators)
