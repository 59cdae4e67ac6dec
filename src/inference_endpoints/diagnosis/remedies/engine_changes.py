"""Changes of an endpoint's engine settings that keep every other setting as it is."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from inference_endpoints.deploy.specs import EndpointChange
from inference_endpoints.engines.engine_settings import CONTEXT_FLAG, PARALLEL_FLAGS, engine_name
from inference_endpoints.models import PARALLELISM_SETTINGS, Endpoint

DEFAULT_PORT = 80
_PLAIN_VALUE = re.compile(r"[\w./:=@,+-]{0,200}", re.ASCII)


def set_parallelism(endpoint: Endpoint, accelerators: int) -> EndpointChange | None:
    """The change that makes the engine use this many accelerators. None if no safe change is known."""
    kind, image, args = engine_name(endpoint.model), endpoint.model.image, endpoint.model.args or []
    if kind == "tgi":
        if any(arg.startswith(("--num-shard", "--sharded")) for arg in args):
            kept = _remove_flags(args, ("--num-shard", "--sharded"))
            return _change_args([*kept, "--num-shard", str(accelerators)])
        return EndpointChange(env={"NUM_SHARD": str(accelerators), "SHARDED": "true"})
    if kind not in PARALLEL_FLAGS or image is None:
        return None
    if image.engine in PARALLELISM_SETTINGS:
        others = dict.fromkeys(PARALLELISM_SETTINGS[image.engine])
        return change_image(endpoint, **others | {"tensorParallelSize": accelerators})
    flags = tuple(flag for aliases in PARALLEL_FLAGS[kind] for flag in aliases)
    return _change_args([*_remove_flags(args, flags), PARALLEL_FLAGS[kind][0][0], str(accelerators)])


def set_context(endpoint: Endpoint, tokens: int) -> EndpointChange | None:
    """The change that sets the longest context of vLLM. None for another engine, or if no safe change is known."""
    if engine_name(endpoint.model) != "vllm":
        return None
    kept = _remove_flags(endpoint.model.args or [], (CONTEXT_FLAG, "--max_model_len"))
    return _change_args([*kept, CONTEXT_FLAG, str(tokens)])


def change_image(endpoint: Endpoint, **settings: Any) -> EndpointChange | None:
    """The endpoint's whole image, with these settings changed.

    None if that would lose something: the service shows the credentials of a registry redacted.
    """
    image = endpoint.model.image
    if image is None or image.settings.get("credentials"):
        return None
    changed = {key: value for key, value in {**image.settings, **settings}.items() if value is not None}
    return EndpointChange(image={image.engine: changed}) if is_plain(changed) else None


def set_latest_tag(endpoint: Endpoint) -> EndpointChange | None:
    """The same image with the tag `latest`. None if it already has this tag, or has no tag."""
    url = str(endpoint.model.image.settings.get("url", "")) if endpoint.model.image else ""
    repository, colon, tag = url.rpartition(":")
    if not colon or "/" in tag or "@" in repository or tag == "latest":
        return None
    return change_image(endpoint, url=f"{repository}:latest")


def _change_args(args: list[str]) -> EndpointChange | None:
    return EndpointChange(args=args) if is_plain(args) else None


def is_plain(value: Any) -> bool:
    """Whether all strings in it look like addresses, paths and numbers.

    Other text could carry instructions to a model, and a proposed call is not fenced.
    """
    if isinstance(value, Mapping):
        return all(is_plain(item) for item in value.values())
    if isinstance(value, list):
        return all(is_plain(item) for item in value)
    return not isinstance(value, str) or _PLAIN_VALUE.fullmatch(value) is not None


def _remove_flags(args: Sequence[str], flags: Sequence[str]) -> list[str]:
    kept: list[str] = []
    skip_value = False
    for arg in args:
        flag, equals, _ = arg.partition("=")
        if skip_value:
            skip_value = False
        elif flag in flags:
            skip_value = not equals
        else:
            kept.append(arg)
    return kept
