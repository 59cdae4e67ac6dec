"""Settings that can be shown and used again: a masked or cleaned value would not be the same setting."""

import json
from dataclasses import dataclass
from typing import Any

from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.privacy.untrusted_text import clean
from inference_endpoints_mcp.tools.outputs import MAX_PAYLOAD_CHARACTERS


@dataclass(frozen=True)
class ReusableSettings:
    """`settings` is None if they are too long to show. `left_out` has the paths of settings that cannot be shown."""

    settings: dict[str, Any] | None
    left_out: list[str]


def reusable_settings(settings: dict[str, Any], redactor: Redactor) -> ReusableSettings:
    left_out: list[str] = []
    kept = _kept(settings, redactor.data(settings), "", left_out)
    return ReusableSettings(kept if len(json.dumps(kept)) <= MAX_PAYLOAD_CHARACTERS else None, left_out)


def _kept(value: Any, masked: Any, path: str, left_out: list[str]) -> Any:
    if isinstance(value, dict) and isinstance(masked, dict):
        kept = {}
        for key, inner in value.items():
            where = f"{path}.{key}".lstrip(".")
            if _would_change(key, key) or key not in masked or _would_change(inner, masked[key]):
                left_out.append(clean(where)[:80])
            else:
                kept[key] = _kept(inner, masked[key], where, left_out)
        return kept
    return value


def _would_change(value: Any, masked: Any) -> bool:
    """Whether a text, or a text in a list, is not shown unchanged."""
    if isinstance(value, list) and isinstance(masked, list):
        return any(_would_change(one, other) for one, other in zip(value, masked, strict=True))
    return isinstance(value, str) and (value != masked or clean(value) != value)
