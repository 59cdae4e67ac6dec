"""What the Hub knows about a model."""

import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from pydantic import Field

from inference_endpoints.models.api_model import ApiModel, ApiModelWithRaw

_BYTES: Mapping[str, float] = {
    "F64": 8,
    "I64": 8,
    "F32": 2,
    "I32": 4,
    "U32": 4,
    "BF16": 2,
    "F16": 2,
    "I16": 2,
    "U16": 2,
    "F6_E2M3": 0.75,
    "F6_E3M2": 0.75,
    "F4": 0.5,
}
"""Bytes of one number in memory. Engines load 32-bit numbers as 16-bit. Other types take one byte."""
_SIZE_IN_NAME = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)\s?([bm])(?![a-z0-9])", re.IGNORECASE)
_BYTES_IN_NAME = (
    (re.compile(r"gguf|(?<![a-z0-9])\d+e(?![a-z0-9])", re.IGNORECASE), None),
    (re.compile(r"awq|gptq|int4|w4a16|nvfp4|mxfp4|(?<![a-z0-9])4-?bit", re.IGNORECASE), 0.6),
    (re.compile(r"fp8|int8|w8a8|(?<![a-z0-9])8-?bit", re.IGNORECASE), 1.0),
)
"""Bytes of a parameter by marks of quantization in a name. With 4 bits there are scales as well. None: a name that does
not show the size, as `17B-16E`, which counts the experts that are active."""


class RepositoryFile(ApiModel):
    """A file of a repository, with its size in bytes where that was asked for."""

    path: str = Field(default="", alias="rfilename")
    size: int | None = None


class ModelInfo(ApiModelWithRaw):
    """The answer of `GET /api/models/{owner}/{model}`, reduced to the fields that are used here."""

    id: str = ""
    pipeline_tag: str | None = None
    library_name: str | None = None
    private: bool = False
    gated: bool | str = False
    safetensors: dict[str, Any] | None = None
    siblings: list[RepositoryFile] = Field(default_factory=list)

    @property
    def bytes_by_type(self) -> dict[str, float]:
        """Bytes of memory that its weights take, by the type of their numbers, largest first. Empty if unknown."""
        parameters = (self.safetensors or {}).get("parameters")
        counts = parameters.items() if isinstance(parameters, dict) else ()
        sizes = {str(kind): count * float(_BYTES.get(kind, 1)) for kind, count in counts if _is_size(count)}
        return dict(sorted(sizes.items(), key=lambda size: -size[1]))

    @property
    def weight_bytes(self) -> float | None:
        """Bytes of memory that its weights take; None if unknown."""
        if sizes := self.bytes_by_type:
            return sum(sizes.values())
        total = (self.safetensors or {}).get("total")
        return total * 2.0 if _is_size(total) else None

    def file_bytes(self, path: str) -> int | None:
        """The size of one file; None if it is unknown."""
        return next((file.size for file in self.siblings if file.path == path and _is_size(file.size)), None)


def _is_size(value: Any) -> TypeGuard[int]:
    """Whether this is a number that a size can be."""
    return type(value) is int and 0 <= value < 10**15


def weight_bytes_by_name(repository: str) -> float | None:
    """Bytes of the weights by `8B`, `8x7B` or `135M` in a model's name; None if it does not show the size.

    At 16 bits a parameter, unless the name has a mark of quantization, such as `AWQ` or `FP8`.
    """
    name = repository.rpartition("/")[2]
    found = _SIZE_IN_NAME.search(name)
    size = next((size for mark, size in _BYTES_IN_NAME if mark.search(name)), 2.0)
    if found is None or size is None:
        return None
    experts, count, unit = found.groups()
    return int(experts or 1) * float(count) * (1e9 if unit.lower() == "b" else 1e6) * size
