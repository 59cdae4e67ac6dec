"""What the Hub tells of a model."""

import re
from typing import Any

from inference_endpoints.models.base import Document

_BYTES = {"F64": 8, "I64": 8, "F32": 2, "I32": 4, "U32": 4, "BF16": 2, "F16": 2, "I16": 2}
"""Bytes a stored number takes once loaded; engines load what is stored in 32 bits in 16. Others take one."""
_SIZE_IN_NAME = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)\s?([bm])(?![a-z0-9])", re.IGNORECASE)


class ModelInfo(Document):
    """The answer of `GET /api/models/{owner}/{model}`, of which little is needed here."""

    pipeline_tag: str | None = None
    library_name: str | None = None
    gated: bool | str = False
    safetensors: dict[str, Any] | None = None

    @property
    def weight_bytes(self) -> float | None:
        """Bytes of memory its weights take; None where it does not tell."""
        parameters = (self.safetensors or {}).get("parameters")
        if isinstance(parameters, dict):
            return float(sum(count * _BYTES.get(kind, 1) for kind, count in parameters.items()))
        total = (self.safetensors or {}).get("total")
        return total * 2.0 if isinstance(total, int) else None


def weight_bytes_by_name(repository: str) -> float | None:
    """What `8B`, `8x7B` or `135M` in a model's name suggests, at 16 bits a parameter; None if nothing does."""
    found = _SIZE_IN_NAME.search(repository.rpartition("/")[2])
    if found is None:
        return None
    experts, count, unit = found.groups()
    return int(experts or 1) * float(count) * (1e9 if unit.lower() == "b" else 1e6) * 2
