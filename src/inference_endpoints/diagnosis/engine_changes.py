"""Changes of what an endpoint's engine was told, which keep everything else as it is."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from inference_endpoints.deploy.engines import PARALLEL_FLAGS, PARALLEL_SETTINGS, family
from inference_endpoints.deploy.specs import EndpointChange
from inference_endpoints.models import Endpoint

DEFAULT_PORT = 80
_PLAIN = re.compile(r"[\w./:=@,+-]{0,200}", re.ASCII)


def using_all(endpoint: Endpoint, accelerators: int) -> EndpointChange | None:
    """The change that lets the engine use this many accelerators; None if it cannot be made safely."""
    kind, image, words = family(endpoint.model), endpoint.model.image, endpoint.model.args or []
    if kind == "tgi":
        if any(word.startswith(("--num-shard", "--sharded")) for word in words):
            kept = _without(words, ("--num-shard", "--sharded"))
            return _args([*kept, "--num-shard", str(accelerators)])
        return EndpointChange(env={"NUM_SHARD": str(accelerators), "SHARDED": "true"})
    if kind not in PARALLEL_FLAGS or image is None:
        return None
    if image.engine in PARALLEL_SETTINGS:
        others = dict.fromkeys(PARALLEL_SETTINGS[image.engine])
        return with_image(endpoint, **others | {"tensorParallelSize": accelerators})
    flags = tuple(flag for aliases in PARALLEL_FLAGS[kind] for flag in aliases)
    return _args([*_without(words, flags), PARALLEL_FLAGS[kind][0][0], str(accelerators)])


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
