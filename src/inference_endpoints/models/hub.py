"""What the Hub knows about a model."""

import re
from typing import Any

from inference_endpoints.models.api_model import ApiModelWithRaw

_BYTES = {"F64": 8, "I64": 8, "F32": 2, "I32": 4, "U32": 4, "BF16": 2, "F16": 2, "I16": 2}
"""Bytes of one number in memory. Engines load 32-bit numbers as 16-bit. Other types take one byte."""
_SIZE_IN_NAME = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)\s?([bm])(?![a-z0-9])", re.IGNORECASE)


class ModelInfo(ApiModelWithRaw):
    """The answer of `GET /api/models/{owner}/{model}`, reduced to the fields that are used here."""

    pipeline_tag: str | None = None
    library_name: str | None = None
    gated: bool | str = False
    safetensors: dict[str, Any] | None = None

    @property
    def weight_bytes(self) -> float | None:
        """Bytes of memory that its weights take; None if unknown."""
        parameters = (self.safetensors or {}).get("parameters")
        if isinstance(parameters, dict):
            return float(sum(count * _BYTES.get(kind, 1) for kind, count in parameters.items()))
        total = (self.safetensors or {}).get("total")
        return total * 2.0 if isinstance(total, int) else None


def weight_bytes_by_name(repository: str) -> float | None:
    """Bytes of the weights by `8B`, `8x7B` or `135M` in a model's name, at 16 bits a parameter; None without one."""
    found = _SIZE_IN_NAME.search(repository.rpartition("/")[2])
    if found is None:
        return None
    experts, count, unit = found.groups()
    return int(experts or 1) * float(count) * (1e9 if unit.lower() == "b" else 1e6) * 2
