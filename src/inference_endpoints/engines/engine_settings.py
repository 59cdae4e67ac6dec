"""Pure: which engine runs a model, and what its image, arguments or variables set: accelerators, context, KV cache."""

from collections.abc import Sequence
from typing import Any

from inference_endpoints.models import PARALLELISM_SETTINGS, ModelSettings

PARALLEL_FLAGS = {
    "vllm": (
        ("--tensor-parallel-size", "-tp"),
        ("--pipeline-parallel-size", "-pp"),
        ("--data-parallel-size", "-dp"),
    ),
    "sglang": (("--tp-size", "--tensor-parallel-size", "--tp"), ("--dp-size", "--data-parallel-size", "--dp")),
}
"""Command-line flags that raise the number of accelerators that an engine uses, in every spelling."""
HUB_TOKEN_VARIABLES = frozenset({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN"})
"""Variables in which engines look for a token of the Hub."""
CONTEXT_FLAG = "--max-model-len"
"""vLLM's. It has no setting of the image."""
_CONTEXT_FLAGS = {
    "vllm": (CONTEXT_FLAG, "--max_model_len"),
    "sglang": ("--context-length",),
    "tgi": ("--max-total-tokens",),
    "llamacpp": ("--ctx-size", "-c"),
}
_CONTEXT_SETTINGS = {"tgi": "maxTotalTokens", "llamacpp": "ctxSize"}
_CONTEXT_VARIABLES = {"tgi": "MAX_TOTAL_TOKENS", "llamacpp": "LLAMA_ARG_CTX_SIZE"}
_DATA_PARALLEL_FLAGS = ("--data-parallel-size", "-dp", "--dp-size", "--dp")
_OTHER_WEIGHTS = ("--quantization", "-q", "--quantize", "--load-format", "--cpu-offload-gb", "--torchao-config")
"""Flags that make the weights in memory differ from those on the Hub."""


def engine_name(model: ModelSettings) -> str:
    """The engine in lower case, such as vllm or tgi: the key of the image, or from the URL of a `custom` image."""
    image = model.image
    if image is None:
        return ""
    if image.engine != "custom":
        return image.engine.lower()
    url = str(image.settings.get("url", "")).lower()
    marks = {"vllm": "vllm", "sglang": "sglang", "text-generation-inference": "tgi", "text-embeddings": "tei"}
    return next((name for mark, name in {**marks, "llama.cpp": "llamacpp"}.items() if mark in url), "custom")


def accelerators_used(model: ModelSettings) -> int | None:
    """How many accelerators of a replica the engine is set to use; None where it chooses by itself.

    By default vLLM and SGLang use one, and Text Generation Inference uses all.
    """
    kind, words = engine_name(model), _command_line(model)
    if kind == "tgi":
        env = model.env
        sharded = _value(words, ("--sharded",)) or str(env.get("SHARDED", ""))
        shards = _value(words, ("--num-shard",)) or str(env.get("NUM_SHARD", ""))
        return _number(shards) or (1 if sharded.lower() == "false" else None)
    if kind not in PARALLEL_FLAGS:
        return None
    settings = _settings(model)
    sizes = [_number(settings.get(name)) for name in PARALLELISM_SETTINGS.get(model.image_key, ())]
    sizes += [_number(_value(words, flags)) for flags in PARALLEL_FLAGS[kind]]
    product = 1
    for number in sizes:
        product *= number or 1
    return product


def model_copies(model: ModelSettings) -> int:
    """How many whole copies of the model one replica holds: the groups of data parallelism."""
    settings, words = _settings(model), _command_line(model)
    return _number(settings.get("dataParallelSize")) or _number(_value(words, _DATA_PARALLEL_FLAGS)) or 1


def context_length(model: ModelSettings) -> int | None:
    """The tokens of context that the engine is set to; None where it takes the model's own, or what fits."""
    kind = engine_name(model)
    given = (
        _value(_command_line(model), _CONTEXT_FLAGS.get(kind, ())),
        _settings(model).get(_CONTEXT_SETTINGS.get(kind, "")),
        model.env.get(_CONTEXT_VARIABLES.get(kind, "")),
    )
    return next((tokens for tokens in map(_tokens, given) if tokens), None)


def requires_whole_context(model: ModelSettings) -> bool:
    """Whether the engine fails to start unless one request of the longest context fits into the KV cache.

    vLLM does. Others take the memory that is left, unless they are set to a context.
    """
    automatic = _value(_command_line(model), _CONTEXT_FLAGS["vllm"]).lower() in {"auto", "-1"}
    return (engine_name(model) == "vllm" and not automatic) or context_length(model) is not None


def kv_value_bytes(model: ModelSettings) -> float | None:
    """Bytes of one number in the KV cache, where the engine is set to a type; None for the model's own."""
    given = _value(_command_line(model), ("--kv-cache-dtype",)) or str(_settings(model).get("kvCacheDtype") or "")
    return 1.0 if given.startswith("fp8") else None


def weights_are_as_stored(model: ModelSettings) -> bool:
    """Whether the engine loads the weights as the Hub has them. It may quantize them itself, or keep some elsewhere."""
    quantizes = _settings(model).get("quantize") or model.env.get("QUANTIZE")
    return not quantizes and not any(_value(_command_line(model), (flag,)) for flag in _OTHER_WEIGHTS)


def used_share(model: ModelSettings) -> float | None:
    """The share of an accelerator's memory that the engine is set to use; None for its default."""
    flags = ("--gpu-memory-utilization", "--gpu_memory_utilization", "--mem-fraction-static")
    try:
        share = float(_value(_command_line(model), flags))
    except ValueError:
        return None
    return share if 0 < share <= 1 else None


def _settings(model: ModelSettings) -> dict[str, Any]:
    return model.image.settings if model.image else {}


def _command_line(model: ModelSettings) -> list[str]:
    return [*(model.command or []), *(model.args or [])]


def _value(words: Sequence[str], flags: Sequence[str]) -> str:
    """The value of a flag, given as `--flag value` or `--flag=value`; empty if it is not given."""
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in flags:
            return value if equals else next(iter(words[index + 1 : index + 2]), "")
    return ""


def _number(value: Any) -> int | None:
    text = str(value or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else None


def _tokens(value: Any) -> int | None:
    """A number of tokens, as vLLM reads it: `8192`, `8k` (8,000) or `8K` (8,192)."""
    text = str(value or "")
    unit = {"k": 1_000, "K": 1_024}.get(text[-1:], 1)
    digits = text[:-1] if unit > 1 else text
    return int(digits) * unit if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
