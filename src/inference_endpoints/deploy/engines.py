"""Pure: which engine runs a model, and how many accelerators its image, arguments or variables make it use."""

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
    settings = model.image.settings if model.image else {}
    sizes = [_number(settings.get(name)) for name in PARALLELISM_SETTINGS.get(model.image_key, ())]
    sizes += [_number(_value(words, flags)) for flags in PARALLEL_FLAGS[kind]]
    product = 1
    for number in sizes:
        product *= number or 1
    return product


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
