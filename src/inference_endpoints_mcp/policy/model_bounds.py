"""Pure: whether an endpoint runs nothing but models and containers that match patterns.

Besides its repository, a container, command, argument or variable can name what runs. Each is refused unless it
provably cannot name another model.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from inference_endpoints.errors import Refused
from inference_endpoints.models import ModelSettings
from inference_endpoints_mcp.policy.plain_values import names_nothing

MOUNT = "/repository"
"""Where the service puts the files of the repository in a container (hf-endpoints documentation)."""
OFFICIAL_IMAGES = (
    "docker.io/vllm/vllm-openai:*",
    "docker.io/lmsysorg/sglang:*",
    "ghcr.io/huggingface/text-generation-inference:*",
    "ghcr.io/huggingface/text-embeddings-inference:*",
    "ghcr.io/ggml-org/llama.cpp:*",
)
"""Containers of the engines that the service offers, by those who build them. Each runs the model it is given."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_IMAGE = re.compile(
    r"[a-z0-9.-]+(?::\d+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?", re.ASCII
)
_FLAG = re.compile(r"(?:-[A-Za-z]{1,3}|--[A-Za-z0-9][\w.-]*)", re.ASCII)
_CHOICES = frozenset({"kvCacheDtype", "pooling", "quantize", "mode", "hfAutoCastType"})
"""Settings of an image that accept fixed words."""
_FILES = frozenset({"modelPath", "mmprojModelPath"})
"""Settings of an image that name a file of the repository."""
_NO_MODEL = frozenset({"url", "port", "healthRoute", "credentials"})
"""Settings of an image that load nothing."""


def find_violation(model: ModelSettings, repositories: Iterable[str], images: Iterable[str]) -> str | None:
    """Why something else than these models could run, or in another container than these and the engines' own."""
    repositories = tuple(repositories)
    return next(_violations(model, repositories, tuple(images)), None)


def image_violation(model: ModelSettings, images: Iterable[str]) -> str | None:
    """Why the container is none of these; the service's own container is always allowed."""
    url = model.image.settings.get("url") if model.image else None
    if url is None or _matches_image(url, images):
        return None
    return "The container is not among those allowed"


def check_bindings(model: ModelSettings, bindings: Mapping[str, tuple[str, ...]]) -> None:
    """Raises `Refused` where an endpoint has, or gets, a secret that is bound to other repositories and images."""
    for name in sorted(bindings.keys() & model.secrets.keys()):
        reason = find_violation(model, bindings[name], bindings[name])
        if reason is not None:
            raise Refused(
                f"The secret {name} may only go to {' or '.join(bindings[name])}. {reason}: nothing was changed.",
                hint="Only the operator of this server can change that (--lend).",
            )


def _violations(model: ModelSettings, repositories: tuple[str, ...], images: tuple[str, ...]) -> Iterator[str]:
    if not _is_canonical(model.repository) or not any(fnmatchcase(model.repository, each) for each in repositories):
        yield f"Model must match {' or '.join(repositories)}"
    if "/" in (model.revision or ""):
        yield "A revision with '/' can be a stranger's pull request"
    if (reason := image_violation(model, (*OFFICIAL_IMAGES, *images))) is not None:
        yield reason
    settings = model.image.settings if model.image else {}
    if not all(_is_decidable_setting(name, value) for name, value in settings.items()):
        yield "A setting of the image can name another model"
    if model.command:
        yield "A command can run another model"
    if not all(_is_decidable_argument(argument, model) for argument in model.args or ()):
        yield "An argument can name another model"
    if not all(_names_own_model(value, model) for value in model.env.values()):
        yield "A variable of env can name another model"
    if any(value for name, value in (model.model_extra or {}).items() if name != "fromCatalog"):
        yield "A setting of the model is not known here"


def _is_canonical(repository: str) -> bool:
    """Whether a repository is an id of the Hub, or the path of a file without a way round."""
    if repository.startswith("/"):
        return posixpath.normpath(repository) == repository
    return bool(_HUB_ID.fullmatch(repository)) and ".." not in repository


def _matches_image(url: Any, patterns: Iterable[str]) -> bool:
    """Whether a container is one of these. One without a registry is Docker Hub's: `docker.io/vllm/vllm-openai`."""
    if not isinstance(url, str):
        return False
    first = url.partition("/")[0]
    full = url if "/" in url and ("." in first or ":" in first) else f"docker.io/{url}"
    return bool(_IMAGE.fullmatch(full)) and any(fnmatchcase(full, each) for each in patterns)


def _is_decidable_setting(name: str, value: Any) -> bool:
    if name in _NO_MODEL or names_nothing(value):
        return True
    if not isinstance(value, str):
        return False
    if name in _FILES:
        return not value.startswith("/") and ".." not in value.split("/")
    return (name in _CHOICES and value.replace("-", "").isalnum()) or _is_mounted(value)


def _is_decidable_argument(argument: str, model: ModelSettings) -> bool:
    flag, equals, value = argument.partition("=")
    if _FLAG.fullmatch(flag):
        return not equals or _names_own_model(value, model)
    return _names_own_model(argument, model)


def _names_own_model(value: Any, model: ModelSettings) -> bool:
    return names_nothing(value) or value == model.repository or _is_mounted(value)


def _is_mounted(value: Any) -> bool:
    """Whether a value is a file of the endpoint's own repository."""
    return isinstance(value, str) and f"{posixpath.normpath(value)}/".startswith(f"{MOUNT}/")
