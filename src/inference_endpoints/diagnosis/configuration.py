"""What an endpoint's engine was told, and changes of it that keep everything else as it is."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from inference_endpoints.models import Endpoint
from inference_endpoints.recommend import SPLIT
from inference_endpoints.specs import EndpointChange

DEFAULT_PORT = 80
_PLAIN = re.compile(r"[\w./:=@,+-]{0,200}", re.ASCII)
_FLAGS = {
    "vllm": (
        ("--tensor-parallel-size", "-tp"),
        ("--pipeline-parallel-size", "-pp"),
        ("--data-parallel-size", "-dp"),
    ),
    "sglang": (("--tp-size", "--tensor-parallel-size", "--tp"), ("--dp-size", "--data-parallel-size", "--dp")),
}


def family(endpoint: Endpoint) -> str:
    """The engine, also where it is only an image's address that tells: vllm, sglang, tgi, …, or the image's key."""
    image = endpoint.model.image
    if image is None:
        return ""
    if image.engine != "custom":
        return image.engine.lower()
    url = str(image.settings.get("url", "")).lower()
    marks = {"vllm": "vllm", "sglang": "sglang", "text-generation-inference": "tgi", "text-embeddings": "tei"}
    return next((name for mark, name in {**marks, "llama.cpp": "llamacpp"}.items() if mark in url), "custom")


def accelerators_used(endpoint: Endpoint) -> int | None:
    """How many accelerators of a replica its engine was told to use; None where it finds that out by itself.

    vLLM and SGLang use one unless told. Text Generation Inference uses all unless told otherwise.
    """
    kind, words = family(endpoint), _words(endpoint)
    if kind == "tgi":
        env = endpoint.model.env
        sharded = _value(words, ("--sharded",)) or str(env.get("SHARDED", ""))
        shards = _value(words, ("--num-shard",)) or str(env.get("NUM_SHARD", ""))
        return _number(shards) or (1 if sharded.lower() == "false" else None)
    if kind not in _FLAGS:
        return None
    settings = endpoint.model.image.settings if endpoint.model.image else {}
    told = [_number(settings.get(name)) for name in ("tensorParallelSize", "dataParallelSize")]
    told += [_number(_value(words, flags)) for flags in _FLAGS[kind]]
    product = 1
    for number in told:
        product *= number or 1
    return product


def using_all(endpoint: Endpoint, accelerators: int) -> EndpointChange | None:
    """The change that lets the engine use this many accelerators; None if it cannot be made safely."""
    kind, image, words = family(endpoint), endpoint.model.image, endpoint.model.args or []
    if kind == "tgi":
        if any(word.startswith(("--num-shard", "--sharded")) for word in words):
            kept = _without(words, ("--num-shard", "--sharded"))
            return _args([*kept, "--num-shard", str(accelerators)])
        return EndpointChange(env={"NUM_SHARD": str(accelerators), "SHARDED": "true"})
    if kind not in _FLAGS or image is None:
        return None
    if image.engine in SPLIT:
        return with_image(endpoint, tensorParallelSize=accelerators, dataParallelSize=None)
    flags = tuple(flag for aliases in _FLAGS[kind] for flag in aliases)
    return _args([*_without(words, flags), _FLAGS[kind][0][0], str(accelerators)])


def with_image(endpoint: Endpoint, **settings: Any) -> EndpointChange | None:
    """The endpoint's image, whole, with these settings changed.

    None where sending it back would lose something: the credentials of a registry are shown redacted.
    """
    image = endpoint.model.image
    if image is None or image.settings.get("credentials"):
        return None
    changed = {key: value for key, value in {**image.settings, **settings}.items() if value is not None}
    return EndpointChange(image={image.engine: changed}) if _plain(changed) else None


def latest_tag(endpoint: Endpoint) -> EndpointChange | None:
    """The same image by its tag `latest`; None if that is what it already has, or has no tag to change."""
    url = str(endpoint.model.image.settings.get("url", "")) if endpoint.model.image else ""
    address, colon, tag = url.rpartition(":")
    if not colon or "/" in tag or "@" in address or tag == "latest":
        return None
    return with_image(endpoint, url=f"{address}:latest")


def _args(words: list[str]) -> EndpointChange | None:
    return EndpointChange(args=words) if _plain(words) else None


def _plain(value: Any) -> bool:
    """Whether there is nothing in it but what addresses, paths and numbers are made of."""
    if isinstance(value, Mapping):
        return all(_plain(one) for one in value.values())
    if isinstance(value, list):
        return all(_plain(one) for one in value)
    return not isinstance(value, str) or _PLAIN.fullmatch(value) is not None


def _words(endpoint: Endpoint) -> list[str]:
    return [*(endpoint.model.command or []), *(endpoint.model.args or [])]


def _value(words: Sequence[str], flags: Sequence[str]) -> str:
    """The value of a flag, given as `--flag value` or `--flag=value`; empty if it is not given."""
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in flags:
            return value if equals else next(iter(words[index + 1 : index + 2]), "")
    return ""


def _without(words: Sequence[str], flags: Sequence[str]) -> list[str]:
    kept: list[str] = []
    skip = False
    for word in words:
        name, equals, _ = word.partition("=")
        if skip:
            skip = False
        elif name in flags:
            skip = not equals
        else:
            kept.append(word)
    return kept


def _number(value: Any) -> int | None:
    text = str(value or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else None
